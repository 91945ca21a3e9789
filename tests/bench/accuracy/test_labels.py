"""Labelled images: which there are, and what a network is shown of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobilebench.bench.accuracy.labels import check_sizes, preprocess, read
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.targets.errors import BenchError

HALF = (0.5, 0.5, 0.5)


def picture(path: Path, size: tuple[int, int] = (40, 36), seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def labels(directory: Path, text: str) -> Path:
    path = directory / "labels.csv"
    path.write_text(f"file,class_index\n{text}")
    return path


def test_a_csv_file_or_its_directory_names_images(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png", seed=1)
    path = labels(tmp_path, "b.png,7\na.png,999\n")
    dataset = read(path)
    assert dataset == read(tmp_path)
    assert [file.name for file in dataset.files] == ["b.png", "a.png"]
    assert dataset.labels == (7, 999)
    assert dataset.name == tmp_path.name


def test_class_directories_are_counted_in_alphabetical_order(tmp_path: Path) -> None:
    for label in range(1000):
        (tmp_path / f"n{label:04}").mkdir()
    picture(tmp_path / "n0003" / "x.png")
    picture(tmp_path / "n0001" / "y.png")
    (tmp_path / "n0001" / "notes.txt").write_text("no image")
    dataset = read(tmp_path)
    assert [file.name for file in dataset.files] == ["y.png", "x.png"]
    assert dataset.labels == (1, 3)


@pytest.mark.parametrize("name", ["labels.csv", "labels.tsv", "val_map.txt"])
def test_a_directory_stands_for_the_list_in_it(tmp_path: Path, name: str) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / name).write_text("a.png\t7\n")
    assert read(tmp_path).labels == (7,)
    assert read(tmp_path).name == tmp_path.name


def test_other_images_or_labels_change_the_content_key(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    first = read(labels(tmp_path, "a.png,1\n")).sha256
    assert read(labels(tmp_path, "a.png,2\n")).sha256 != first
    picture(tmp_path / "a.png", seed=2)
    assert read(labels(tmp_path, "a.png,1\n")).sha256 != first


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "names no images"),
        ("a.png\n", "line 2: 'a.png' is not an image and a class index"),
        ("a.png,cat\n", "line 2: 'a.png,cat' is not"),
        ("a.png,1000\n", "a.png has class 1000; classes are 0 to 999; .* from 1: subtract 1"),
        (
            "a.png,1000\nb.png,0\n",
            "a.png has class 1000; .*; if 0 is a background that the network",
        ),
        ("a.png,1001\n", "a.png has class 1001; classes are 0 to 999$"),
        ("a.png,-1\n", "a.png has class -1"),
        ("nosuch.png,1\n", "nosuch.png is missing"),
        ("damaged.png,1\n", "damaged.png is damaged"),
        ("labels.csv,1\n", "labels.csv is a text file"),
    ],
)
def test_errors_name_the_file(tmp_path: Path, text: str, reason: str) -> None:
    whole = picture(tmp_path / "a.png").read_bytes()
    (tmp_path / "damaged.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BenchError, match=reason):
        read(labels(tmp_path, text))


def test_a_directory_that_is_empty_or_of_other_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no such file"):
        read(tmp_path / "nosuch")
    with pytest.raises(BenchError, match="has no images"):
        read(tmp_path)
    picture(tmp_path / "cat" / "a.png")
    with pytest.raises(BenchError, match="has one directory with images, cat"):
        read(tmp_path)


def test_the_centre_is_taken_and_scaled_as_declared(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", size=(40, 36))
    dataset = read(labels(tmp_path, "a.png,0\n"))
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 0.125)
    (shown,) = preprocess(dataset, [0], Preprocessing(32, 30, None, mean, std))
    pixels = np.asarray(Image.open(tmp_path / "a.png"))[2:34, 5:35] / 255
    expected = ((pixels - mean) / std).transpose(2, 0, 1)
    assert shown.dtype == np.float32
    np.testing.assert_allclose(shown, expected, rtol=1e-5, atol=1e-6)


def test_the_shorter_side_is_resized(tmp_path: Path) -> None:
    Image.new("L", (100, 50), 128).save(tmp_path / "grey.png")
    dataset = read(labels(tmp_path, "grey.png,0\n"))
    shown = preprocess(dataset, [0, 0], Preprocessing(24, 24, 24, HALF, HALF))
    assert shown.shape == (2, 3, 24, 24)
    np.testing.assert_allclose(shown, (128 / 255 - 0.5) / 0.5, atol=1e-6)


def test_an_image_that_is_too_small_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", size=(30, 40))
    dataset = read(labels(tmp_path, "a.png,0\n"))
    with pytest.raises(BenchError, match=r"a\.png: is 30x40, the network takes 32x32"):
        preprocess(dataset, [0], Preprocessing(32, 32, None, HALF, HALF))


def test_an_image_that_is_too_small_is_named_before_anything_is_measured(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", size=(40, 40))
    picture(tmp_path / "b.png", size=(30, 40), seed=1)
    dataset = read(labels(tmp_path, "a.png,0\nb.png,0\n"))
    with pytest.raises(BenchError, match=r"b\.png: is 30x40, the network takes 32x32"):
        check_sizes(dataset, Preprocessing(32, 32, None, HALF, HALF))
    check_sizes(dataset, Preprocessing(32, 32, 36, HALF, HALF))
    check_sizes(dataset, Preprocessing(30, 30, None, HALF, HALF))
