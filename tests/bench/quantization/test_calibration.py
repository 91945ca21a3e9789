import shutil
from pathlib import Path

import numpy as np
import pytest

from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.quantization.calibration import Calibration, read_calibration
from mobilebench.targets.errors import BenchError

TINY = parse_variant("mobilenet_v2_0.35_32")


def test_images_of_a_directory_are_preprocessed_as_the_network_wants_them(images: Path) -> None:
    calibration = read_calibration(images)
    inputs = list(calibration.inputs(TINY, Weights().preprocessing(TINY)))
    assert [one.shape for one in inputs] == [TINY.input_shape] * 12
    assert calibration.name == "photos"


def test_without_images_there_is_noise_of_a_seed() -> None:
    first, second = (
        np.concatenate(list(Calibration().inputs(TINY, Weights().preprocessing(TINY))))
        for _ in range(2)
    )
    assert len(first) >= 16
    assert np.array_equal(first, second)


def test_about_a_hundred_images_are_taken_evenly(images: Path) -> None:
    first = next(images.rglob("*.png"))
    for number in range(300):
        shutil.copy(first, images / f"more{number:03}.png")
    files = read_calibration(images).files
    assert len(set(files)) == 100
    assert any(file.parent.name == "holiday" for file in files)
    assert any(file.name.startswith("more29") for file in files)


def test_the_hash_is_that_of_the_images(images: Path, tmp_path: Path) -> None:
    calibration = read_calibration(images)
    copy = shutil.copytree(images, tmp_path / "copy")
    assert read_calibration(copy).sha256 == calibration.sha256
    shutil.copy(copy / "holiday" / "01.png", copy / "holiday" / "00.png")
    assert read_calibration(copy).sha256 != calibration.sha256


def test_masks_of_a_segmenter_are_no_images(images: Path, tmp_path: Path) -> None:
    from PIL import Image

    rows = ["image,mask"]
    (tmp_path / "photos" / "masks").mkdir()
    for file in sorted(images.rglob("*.png")):
        mask = tmp_path / "photos" / "masks" / file.name
        Image.new("L", (40, 36), 3).save(mask)
        rows.append(f"{file.relative_to(images)},{mask.relative_to(images)}")
    (images / "masks.csv").write_text("\n".join(rows) + "\n")
    files = read_calibration(images).files
    assert len(files) == 12
    assert {file.parent.name for file in files} == {"holiday"}


def test_a_list_names_its_images(images: Path) -> None:
    names = [file.relative_to(images) for file in sorted(images.rglob("*.png"))][:11]
    path = images / "few.csv"
    path.write_text("\n".join(["file,label", *(f"{name},1" for name in names)]) + "\n")
    assert len(read_calibration(path).files) == 11


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no such file or directory"):
        read_calibration(tmp_path / "nowhere")


def test_a_file_that_is_no_list_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.tar"
    path.write_bytes(b"")
    with pytest.raises(BenchError, match="is not a directory of images, nor a list"):
        read_calibration(path)


def test_fewer_than_ten_images_are_refused(images: Path) -> None:
    for file in sorted(images.rglob("*.png"))[:3]:
        file.unlink()
    with pytest.raises(BenchError, match="has 9 images; give at least 10"):
        read_calibration(images)


def test_a_directory_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("none")
    with pytest.raises(BenchError, match="has 0 images"):
        read_calibration(tmp_path)


def test_a_damaged_image_is_refused(images: Path) -> None:
    next(images.rglob("*.png")).write_bytes(b"no image")
    with pytest.raises(BenchError):
        read_calibration(images)
