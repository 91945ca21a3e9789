"""The sample data: each part is read as what it is, and says what was drawn."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobilebench.bench.accuracy import coco, labels, voc
from mobilebench.bench.accuracy.sample import write_sample
from mobilebench.bench.models.class_names import usual_names
from mobilebench.bench.quantization.calibration import read_calibration

IMAGES = 12
IMAGENET = usual_names("classify", 1000)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("sample")
    write_sample(directory, "data")
    yield directory


@pytest.mark.parametrize("part", ["classes", "wordnet", "list"])
def test_classifiers_have_three_forms_of_the_same_classes(sample: Path, part: str) -> None:
    data = labels.read(sample / part, 1000, IMAGENET)
    assert sorted(data.labels) == [430] * 4 + [782] * 4 + [898] * 4
    assert {IMAGENET[label] for label in data.labels} == {"basketball", "screen", "water bottle"}
    assert data.notes == ()


def test_detectors_have_boxes_around_what_was_drawn(sample: Path) -> None:
    data = coco.read(sample / "coco")
    assert len(data) == len(data.truths) == IMAGES
    assert {truth.category for truth in data.truths} == {37, 44, 72}
    assert data.notes == ()
    for file, truth in zip(data.files, data.truths, strict=True):
        x, y, width, height = map(int, truth.box)
        pixels = np.asarray(Image.open(file)).astype(int)
        middle, beside = pixels[y + height // 2, x + width // 2], pixels[2, 2]
        assert np.abs(middle - beside).sum() > 60


def test_segmenters_have_masks_of_classes_and_of_black_and_white(sample: Path) -> None:
    data = voc.read(sample / "voc")
    assert len(data) == IMAGES
    found = {int(one) for mask in data.masks for one in np.unique(data.meaning.labels(mask))}
    assert found == {0, 5, 20, 255}
    masks = voc.read(sample / "masks")
    found = {int(one) for mask in masks.masks for one in np.unique(masks.meaning.labels(mask))}
    assert found == {0, 20}


def test_images_alone_are_enough_to_calibrate(sample: Path) -> None:
    assert len(read_calibration(sample / "images").files) == IMAGES


def test_the_same_data_is_written_again(sample: Path, tmp_path: Path) -> None:
    write_sample(tmp_path, "data")
    files = sorted(one.relative_to(sample) for one in sample.rglob("*") if one.is_file())
    assert files == sorted(
        one.relative_to(tmp_path) for one in tmp_path.rglob("*") if one.is_file()
    )
    assert all((sample / one).read_bytes() == (tmp_path / one).read_bytes() for one in files)
