"""Images with boxes: which there are, and what a detector is shown of them."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mobilebench.bench.accuracy.coco import Truth, preprocess, read
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.targets.errors import BenchError

HALF = (0.5, 0.5, 0.5)


def picture(path: Path, size: tuple[int, int] = (40, 30), box: tuple[int, ...] = ()) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, (20, 40, 60))
    if box:
        ImageDraw.Draw(image).rectangle(box, (250, 0, 0))
    image.save(path)
    return path


def content(**other: Any) -> dict[str, Any]:
    """Return annotations of two images; the second has an object and a crowd."""
    return {
        "images": [
            {"id": 139, "file_name": "a.jpg", "width": 40, "height": 30},
            {"id": 285, "file_name": "b.jpg"},
        ],
        "annotations": [
            {"id": 7, "image_id": 285, "category_id": 90, "bbox": [4, 5, 10.5, 8], "iscrowd": 0},
            {"id": 8, "image_id": 285, "category_id": 1, "bbox": [0, 0, 40, 30], "iscrowd": 1},
            {"id": 9, "image_id": 139, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 12},
        ],
    } | other


def annotated(path: Path, **other: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content(**other)))
    return path


def pictures(folder: Path) -> Path:
    picture(folder / "a.jpg")
    picture(folder / "b.jpg", box=(4, 5, 14, 13))
    return folder


def test_images_come_with_their_objects(tmp_path: Path) -> None:
    pictures(tmp_path / "val2017")
    data = read(annotated(tmp_path / "instances_val2017.json"))
    assert [file.name for file in data.files] == ["a.jpg", "b.jpg"]
    assert data.sizes == ((30, 40), (30, 40))
    assert data.truths == (
        Truth(1, 90, (4, 5, 10.5, 8), crowd=False),
        Truth(1, 1, (0, 0, 40, 30), crowd=True),
        Truth(0, 1, (1, 2, 3, 4), crowd=False),
    )
    assert data.name == "val2017"


@pytest.mark.parametrize(
    ("annotations", "folder", "named"),
    [
        ("annotations/instances_val2017.json", "val2017", ""),  # as COCO is unpacked
        ("annotations/instances_val2017.json", "images", ""),
        ("annotations/instances_val2017.json", ".", "annotations/instances_val2017.json"),
        ("annotations.json", ".", ""),
        ("annotations.json", "images", "annotations.json"),
        ("some.json", "some", "some.json"),
    ],
)
def test_images_are_found_beside_their_annotations(
    tmp_path: Path, annotations: str, folder: str, named: str
) -> None:
    annotated(tmp_path / annotations)
    pictures(tmp_path / folder)
    picture(tmp_path / folder / "unnamed.jpg")
    data = read(tmp_path / named)
    assert data.files == (tmp_path / folder / "a.jpg", tmp_path / folder / "b.jpg")


@pytest.mark.parametrize("stored", [True, False])
def test_boxes_of_a_turned_image_are_of_it_as_annotated(tmp_path: Path, stored: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    pixels = np.zeros((30, 40, 3), np.uint8)
    pixels[:, :20] = 200
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    size = {"width": 40, "height": 30} if stored else {"width": 30, "height": 40}
    images = [{"id": 139, "file_name": "a.png", **size}]
    data = read(annotated(tmp_path / "annotations.json", images=images, annotations=one()))
    assert data.sizes == ((30, 40) if stored else (40, 30),)
    (shown,) = preprocess(data, [0], Preprocessing(2, 2, None, (0, 0, 0), (1, 1, 1)))
    assert (shown[0, 0, 0] == shown[0, 1, 0]) == stored  # else it is bright above, dark below


def test_other_images_or_objects_change_the_content_key(tmp_path: Path) -> None:
    pictures(tmp_path)
    path = annotated(tmp_path / "annotations.json")
    first = read(path).sha256
    assert read(path).sha256 == first
    annotated(path, annotations=content()["annotations"][:1])
    second = read(path).sha256
    picture(tmp_path / "a.jpg", box=(1, 1, 2, 2))
    assert len({first, second, read(path).sha256}) == 3


def one(**other: Any) -> list[dict[str, Any]]:
    return [{"id": 7, "image_id": 139, "category_id": 1, "bbox": [1, 2, 3, 4]} | other]


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"images": []}, "its list 'images' is empty"),
        (
            {
                "images": [{"id": 139, "file_name": "a.jpg", "width": "40", "height": "30"}],
                "annotations": one(),
            },
            "are '40' and '30', which are no numbers",
        ),
        ({"annotations": one(iscrowd="0")}, "has iscrowd '0', which is neither 0 nor 1"),
        ({"annotations": []}, "its list 'annotations' is empty"),
        ({"annotations": None}, "has no list 'annotations'"),
        ({"images": ["a.jpg"]}, "image 0 of its list has no id or no file_name"),
        ({"images": [{"id": 1}]}, "image 0 of its list has no id or no file_name"),
        (
            {"images": [{"id": n, "file_name": "a.jpg"} for n in (139, 140)]},
            "two of its images are the file a.jpg",
        ),
        ({"annotations": one(bbox=[0.1, 0.2, 0.5, 0.7])}, "every bbox is within 0 to 1"),
        ({"annotations": one(bbox=[], segmentation=[[1]])}, "annotation 7 has bbox"),
        ({"annotations": one(bbox=None, segmentation={"size": [3]})}, "annotation 7 has bbox"),
        ({"images": [{"id": 139, "file_name": "a.jpg"}] * 2}, "two of its images have the id 139"),
        ({"annotations": one(image_id=1)}, "annotation 7 is of image 1, which is not among"),
        (
            {"annotations": one(category_id=91)},
            "annotation 7 has category 91, which is not among .*1, 2,",
        ),
        ({"annotations": one(category_id=0)}, "annotation 7 has category 0"),
        ({"annotations": one(category_id="cat")}, "annotation 7 has category cat"),
        ({"annotations": one(bbox=[1, 2, 3])}, r"annotation 7 has bbox \[1, 2, 3\]"),
        ({"annotations": one(bbox=[1, 2, -3, 4])}, "annotation 7 has bbox"),
        ({"annotations": one(bbox=[1, 2, float("nan"), 4])}, "annotation 7 has bbox"),
        ({"annotations": ["x"]}, "annotation 0 of its list is of image None"),
        ({"annotations": one(iscrowd=1)}, "has crowds alone"),
        ({"images": [{"id": 139, "file_name": "nosuch.jpg"}]}, "nosuch.jpg is missing; .* sought"),
        ({"images": [{"id": 139, "file_name": "cut.jpg"}]}, "cut.jpg is damaged"),
        (
            {"images": [{"id": 139, "file_name": "a.jpg", "width": 30, "height": 40}]},
            "a.jpg is 40x30, its annotations are of 30x40",
        ),
    ],
)
def test_errors_in_annotations_are_reported_in_one_line(
    tmp_path: Path, other: dict[str, Any], reason: str
) -> None:
    pictures(tmp_path)
    whole = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    if "images" in other:
        other = {"annotations": one(), **other}
    with pytest.raises(BenchError, match=reason) as refusal:
        read(annotated(tmp_path / "annotations.json", **other))
    assert "\n" not in str(refusal.value)


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    with pytest.raises(BenchError, match=r"image .*b\.jpg is missing"):
        read(annotated(tmp_path / "annotations.json"))


@pytest.mark.parametrize("text", ["", "[1, 2]", '{"images": 3}', "\udcff", "[" * 100_000])
def test_a_file_without_annotations_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "annotations.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(BenchError, match=r"not a JSON file|has no list 'images'"):
        read(path)


def test_a_directory_has_one_annotation_file(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no such file"):
        read(tmp_path / "nosuch")
    with pytest.raises(BenchError, match=r"has no annotations\.json"):
        read(tmp_path)
    for split in ("train2017", "val2017"):
        annotated(tmp_path / "annotations" / f"instances_{split}.json")
    with pytest.raises(BenchError, match=r"several annotations \(.*train2017.json, .*val2017.json"):
        read(tmp_path)


@pytest.mark.parametrize("module", ["pycocotools.cocoeval", "onnxruntime"])
def test_missing_pycocotools_is_reported_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    pictures(tmp_path)
    path = annotated(tmp_path / "annotations.json")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BenchError, match=r"pip install 'mobilebench\[data\]'"):
        read(path)


def test_both_sides_are_resized_to_the_input_size(tmp_path: Path) -> None:
    pictures(tmp_path)
    data = read(annotated(tmp_path / "annotations.json"))
    shown = preprocess(data, [1, 0], Preprocessing(15, 10, 99, HALF, (0.5, 0.25, 1.0)))
    assert shown.shape == (2, 3, 15, 10)
    assert shown.dtype == np.float32
    pixels = np.asarray(Image.open(tmp_path / "b.jpg"))[::2, ::4] / 255  # 30 to 15, 40 to 10
    expected = ((pixels - 0.5) / (0.5, 0.25, 1.0)).transpose(2, 0, 1)
    np.testing.assert_allclose(shown[0], expected, atol=1e-6)


def test_categories_are_matched_with_the_network_s_by_name(tmp_path: Path) -> None:
    pictures(tmp_path)
    listed = [{"id": 0, "name": "person"}, {"id": 79, "name": "toothbrush"}]
    annotations = [*one(category_id=79), *one(id=8, category_id=0)]
    path = annotated(tmp_path / "annotations.json", annotations=annotations, categories=listed)
    assert [truth.category for truth in read(path).truths] == [90, 1]
    own = read(path, 3, ("background", "toothbrush", "person"))
    assert [truth.category for truth in own.truths] == [1, 2]
    assert own.sha256 != read(path).sha256


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("val\\a.jpg", "val"),
        ("C:\\data\\a.jpg", "images"),
        ("/home/someone/data/a.jpg", "images"),
        ("a.JPG", "images"),
    ],
)
def test_names_from_another_machine_find_their_images(
    tmp_path: Path, name: str, folder: str
) -> None:
    pictures(tmp_path / folder)
    images = [{"id": 139, "file_name": name}]
    data = read(annotated(tmp_path / "annotations.json", images=images, annotations=one()))
    assert data.files == (tmp_path / folder / "a.jpg",)


def test_names_that_end_alike_are_not_mixed_up(tmp_path: Path) -> None:
    pictures(tmp_path)
    images = [{"id": 139, "file_name": "x/a.jpg"}, {"id": 285, "file_name": "y/a.jpg"}]
    with pytest.raises(BenchError, match=r"image x/a\.jpg is missing"):
        read(annotated(tmp_path / "annotations.json", images=images))


@pytest.mark.parametrize("name", ["_annotations.coco.json", "labels.json", "result.json"])
def test_other_exporters_names_of_the_annotations_are_found(tmp_path: Path, name: str) -> None:
    pictures(tmp_path / "data")
    annotated(tmp_path / name)
    assert len(read(tmp_path)) == 2
    assert read(tmp_path).name == tmp_path.name


def test_images_without_objects_count(tmp_path: Path) -> None:
    pictures(tmp_path)
    assert len(read(annotated(tmp_path / "annotations.json", annotations=one()))) == 2


def test_boxes_beyond_their_image_are_noted(tmp_path: Path) -> None:
    pictures(tmp_path)
    annotations = [*one(bbox=[30, 20, 39, 29]), *one(id=8)]
    listed = [{"id": 1, "name": "person"}]
    path = annotated(tmp_path / "annotations.json", annotations=annotations, categories=listed)
    (note,) = read(path).notes
    assert note.startswith("1 of 2 boxes reach beyond their image: COCO's are x, y, width and")


def test_sizes_that_are_not_told_do_not_matter(tmp_path: Path) -> None:
    pictures(tmp_path)
    images = [{"id": 139, "file_name": "a.jpg", "width": None, "height": 0}]
    path = annotated(tmp_path / "annotations.json", images=images, annotations=one())
    assert read(path).sizes == ((30, 40),)
