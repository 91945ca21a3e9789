import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from onnx.helper import make_node

from mobilebench.bench.models.own_network import read_network
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.quantization.calibration import (
    Calibration,
    find_calibration,
    read_calibration,
)
from mobilebench.targets.errors import BenchError
from tests.bench.models.own_files import write

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


def test_hidden_files_and_what_archives_leave_behind_are_passed_over(images: Path) -> None:
    expected = read_calibration(images).files
    picture = next(images.rglob("*.png")).read_bytes()
    for name in ("._01.png", ".hidden/a.png", "__MACOSX/holiday/._01.png", "@eaDir/01.png"):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        (images / name).write_bytes(b"Mac OS X" if "._" in name else picture)
    (images / "Thumbs.db").write_bytes(b"thumbnails")
    assert read_calibration(images).files == expected
    (images / "kept__MACOSX").mkdir()
    (images / "kept__MACOSX" / "a.PNG").write_bytes(picture)
    assert len(read_calibration(images).files) == len(expected) + 1


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


def save(folder: Path, name: str, mode: str = "RGB", size: tuple[int, int] = (40, 36)) -> None:
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, (9, 5, 99) if mode == "RGB" else 1).save(folder / name)


@pytest.mark.parametrize("split", ["", "ImageSets/Main/train.txt"])
def test_of_voc_s_layout_the_photos_alone_are_taken(split: str, tmp_path: Path) -> None:
    for number in range(11):
        save(tmp_path / "JPEGImages", f"{number:02}.jpg")
        save(tmp_path / "SegmentationClass", f"{number:02}.png", "P")
        save(tmp_path / "SegmentationObject", f"{number:02}.png", "P")
    if split:
        (tmp_path / split).parent.mkdir(parents=True)
        (tmp_path / split).write_text("00\n")
    files = read_calibration(tmp_path).files
    assert {file.parent.name for file in files} == {"JPEGImages"}
    assert len(files) == 11


def test_voc_s_layout_may_lie_deeper(tmp_path: Path) -> None:
    for number in range(11):
        save(tmp_path / "VOC2012" / "JPEGImages", f"{number:02}.jpg")
        save(tmp_path / "VOC2012" / "SegmentationClassAug", f"other{number:02}.png", "P")
    assert len(read_calibration(tmp_path).files) == 11


@pytest.mark.parametrize(
    ("folder", "name", "mode"),
    [
        (".", "{}_mask.png", "L"),
        (".", "{}_MASK.png", "1"),
        (".", "{}.png", "P"),
        ("labels", "{}.png", "L"),
        ("labels", "{}_gt.png", "P"),
    ],
)
def test_masks_beside_photos_are_passed_over(
    folder: str, name: str, mode: str, tmp_path: Path
) -> None:
    for number in range(11):
        save(tmp_path, f"{number:02}.jpg")
        save(tmp_path / folder, name.format(f"{number:02}"), mode)
    assert {file.suffix for file in read_calibration(tmp_path).files} == {".jpg"}


@pytest.mark.parametrize(
    ("name", "mode", "size"),
    [
        ("{}_mask.png", "RGB", (40, 36)),  # in colours, so perhaps photos of masks
        ("other{}.png", "L", (40, 36)),
        ("{}.png", "L", (20, 18)),
        ("{}.jpeg", "L", (40, 36)),
    ],
)
def test_what_may_be_a_photo_is_taken(
    name: str, mode: str, size: tuple[int, int], tmp_path: Path
) -> None:
    for number in range(11):
        save(tmp_path / "one", f"{number:02}.jpg")
        save(tmp_path / "two", name.format(f"{number:02}"), mode, size)
    assert len(read_calibration(tmp_path).files) == 22


def test_images_that_are_too_small_are_told_before_a_run(images: Path) -> None:
    calibration = read_calibration(images)
    calibration.check_shown_to(TINY, Weights().preprocessing(TINY))
    large = parse_variant("mobilenet_v2_0.35_64")
    with pytest.raises(BenchError, match=r"00\.png: is 40x36, the network takes 64x64; declare"):
        calibration.check_shown_to(large, Weights().preprocessing(large))
    Calibration().check_shown_to(large, Weights().preprocessing(large))
    segmenter = parse_variant("deeplabv3_mobilenet_v2_0.35_65")  # whose images are padded
    calibration.check_shown_to(segmenter, Weights().preprocessing(segmenter))


def test_images_are_nothing_for_a_network_that_takes_none(images: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "net.onnx", [make_node("Relu", ["x"], ["out"])], {}, shape=(1, 7))
    network = read_network(path, None, tmp_path)
    with pytest.raises(BenchError, match=r"calibration photos: net takes \(1, 7\), and how images"):
        read_calibration(images).check_shown_to(network, Weights().preprocessing(network))


def test_images_labelled_for_another_task_are_refused(images: Path) -> None:
    names = [str(file.relative_to(images)) for file in sorted(images.rglob("*.png"))]
    classes = images / "few.csv"
    classes.write_text("".join(f"{name},1\n" for name in names))
    boxes = images / "boxes.json"
    files = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    box = {"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 1, 5, 5]}
    person = {"id": 1, "name": "person"}
    boxes.write_text(json.dumps({"images": files, "annotations": [box], "categories": [person]}))
    tasks = {classes: TINY, boxes: parse_variant("ssdlite_mobilenet_v2_0.35_32")}
    for path, own in tasks.items():
        for network in tasks.values():
            refused = f"calibration photos: its labels are for .*, and {network.name} is for"
            wrong = network is not own
            with pytest.raises(BenchError, match=refused) if wrong else nullcontext():
                read_calibration(path).check_shown_to(network, Weights().preprocessing(network))


def test_a_list_names_its_images(images: Path) -> None:
    names = [file.relative_to(images) for file in sorted(images.rglob("*.png"))][:11]
    path = images / "few.csv"
    path.write_text("\n".join(["file,label", *(f"{name},1" for name in names)]) + "\n")
    assert len(read_calibration(path).files) == 11


@pytest.mark.parametrize(
    ("name", "row"), [("val_map.txt", "{} 1"), ("some.tsv", "{}\tn01440764"), ("x.csv", "{};3")]
)
def test_every_list_of_labelled_images_names_its_images(images: Path, name: str, row: str) -> None:
    names = [file.relative_to(images) for file in sorted(images.rglob("*.png"))][:11]
    (images / name).write_text("".join(row.format(one) + "\n" for one in names))
    assert len(read_calibration(images / name).files) == 11


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("list.csv", "data/a.jpg,1\n", "image .*a.jpg is missing"),
        ("val_map.txt", "a.jpg b\n", "line 1: 'a.jpg b' is not an image and a class index"),
        ("masks.csv", "a.jpg\n", "line 1: 'a.jpg' is not an image and a mask"),
        ("boxes.json", "[]", "has no list 'images'"),
        ("boxes.json", '{"images": [{"id": 1}], "annotations": [1]}', "image 0 of its list has no"),
    ],
)
def test_bad_lists_are_calibration_s(name: str, content: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BenchError, match=f"^calibration {tmp_path / name}[:,] {reason}") as refused:
        find_calibration(str(tmp_path / name))
    assert "data data" not in str(refused.value)


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
    with pytest.raises(BenchError, match=f"^calibration {images}: "):
        find_calibration(str(images))
