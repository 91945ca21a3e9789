"""Images with masks: which there are, and what a segmenter is shown of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobilebench.bench.accuracy.voc import preprocess, read, shown_labels
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.targets.errors import BenchError

HALF = (0.5, 0.5, 0.5)


def picture(path: Path, size: tuple[int, int] = (6, 4), seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def mask(path: Path, labels: np.ndarray | None = None, palette: bool = True) -> Path:
    """Save class indices as VOC does, with a colour for each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = np.arange(24).reshape(4, 6) % 21 if labels is None else labels
    image = Image.fromarray(labels.astype(np.uint8))
    if palette:
        image.putpalette(np.random.default_rng(0).integers(0, 256, 768, np.uint8).tobytes())
    image.save(path)
    return path


def voc(root: Path, *names: str, split: str = "val") -> Path:
    for seed, name in enumerate(names):
        picture(root / "JPEGImages" / f"{name}.jpg", seed=seed)
        mask(root / "SegmentationClass" / f"{name}.png")
    listed = root / "ImageSets" / "Segmentation" / f"{split}.txt"
    listed.parent.mkdir(parents=True, exist_ok=True)
    listed.write_text("".join(f"{name}\n" for name in names))
    return listed


def rows(directory: Path, text: str) -> Path:
    path = directory / "masks.csv"
    path.write_text(f"image,mask\n{text}")
    return path


def test_a_directory_of_voc_s_layout_names_its_validation_images(tmp_path: Path) -> None:
    voc(tmp_path, "2007_000033", "2007_000042")
    few = voc(tmp_path, "2007_000042", split="few")
    data = read(tmp_path)
    assert [file.name for file in data.images] == ["2007_000033.jpg", "2007_000042.jpg"]
    assert [file.name for file in data.masks] == ["2007_000033.png", "2007_000042.png"]
    assert data.name == "val"
    assert [file.name for file in read(few).images] == ["2007_000042.jpg"]
    assert read(few).name == "few"


def test_a_csv_file_or_its_directory_names_pairs(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    mask(tmp_path / "masks" / "m.png", palette=False)
    data = read(rows(tmp_path, "a.png, masks/m.png\n"))
    assert data == read(tmp_path)
    assert data.masks == (tmp_path / "masks" / "m.png",)
    assert data.name == tmp_path.name


def test_other_images_or_masks_change_the_content_key(tmp_path: Path) -> None:
    voc(tmp_path, "a")
    hashes = {read(tmp_path).sha256}
    mask(tmp_path / "SegmentationClass" / "a.png", np.zeros((4, 6)))
    hashes.add(read(tmp_path).sha256)
    picture(tmp_path / "JPEGImages" / "a.jpg", seed=5)
    assert len({*hashes, read(tmp_path).sha256}) == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "names no images"),
        ("a.png\n", "line 2: 'a.png' is not an image and a mask"),
        ("a.png,\n", "line 2: 'a.png,' is not"),
        ("nosuch.png,m.png\n", "image .*nosuch.png is missing"),
        ("a.png,nosuch.png\n", "mask .*nosuch.png is missing"),
        ("cut.png,m.png\n", "image .*cut.png is damaged"),
        ("a.png,cut.png\n", "mask .*cut.png is damaged"),
        ("a.png,masks.csv\n", "mask .*masks.csv is damaged"),
        ("a.png,wide.png\n", "mask .*wide.png is 9x4, its image 6x4"),
        ("a.png,c21.png\n", "mask .*c21.png has class 21; classes are 0 to 20, and 255"),
        ("a.png,a.png\n", "mask .*a.png is an image of mode RGB"),
        ("a.png,blank.png\n", "no mask has a class in any pixel"),
    ],
)
def test_errors_name_the_file(tmp_path: Path, text: str, reason: str) -> None:
    whole = picture(tmp_path / "a.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    mask(tmp_path / "m.png")
    mask(tmp_path / "wide.png", np.zeros((4, 9)))
    mask(tmp_path / "c21.png", np.full((4, 6), 21))
    mask(tmp_path / "blank.png", np.full((4, 6), 255))
    with pytest.raises(BenchError, match=reason) as refusal:
        read(rows(tmp_path, text))
    assert "\n" not in str(refusal.value)


def test_other_directories_and_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no such file"):
        read(tmp_path / "nosuch")
    with pytest.raises(BenchError, match=f"data {tmp_path}: has no masks.csv and no ImageSets"):
        read(tmp_path)
    listed = voc(tmp_path)
    with pytest.raises(BenchError, match="names no images"):
        read(tmp_path)
    listed.write_text("2007_000033\n")
    with pytest.raises(BenchError, match=r"JPEGImages/2007_000033\.jpg is missing"):
        read(tmp_path)
    listed.write_bytes(b"\xff\xfe")
    with pytest.raises(BenchError, match="not a list of images"):
        read(tmp_path)


def test_an_image_that_fits_is_padded_and_not_resized(tmp_path: Path) -> None:
    voc(tmp_path, "a")
    data = read(tmp_path)
    how = Preprocessing(5, 8, None, HALF, (0.5, 0.25, 0.5))
    (shown,) = preprocess(data, [0], how)
    pixels = np.asarray(Image.open(data.images[0])) / 255
    expected = ((pixels - HALF) / (0.5, 0.25, 0.5)).transpose(2, 0, 1)
    assert shown.dtype == np.float32
    np.testing.assert_allclose(shown[:, :4, :6], expected, atol=1e-6)
    assert not shown[:, 4:].any()  # the mean colour
    assert not shown[:, :, 6:].any()
    (labels,) = shown_labels(data, [0], how)
    np.testing.assert_array_equal(labels[:4, :6], np.arange(24).reshape(4, 6) % 21)
    assert (labels[4:] == 255).all()
    assert (labels[:, 6:] == 255).all()


@pytest.mark.parametrize(
    ("size", "resize", "shown_size"),
    [
        ((100, 75), None, (48, 64)),  # larger than 64 x 64: its longer side fits
        ((75, 100), None, (64, 48)),
        ((101, 75), None, (48, 64)),  # 47.5 rows, rounded up
        ((32, 16), 64, (32, 64)),
        ((32, 16), 16, (8, 16)),
        ((32, 16), 999, (32, 64)),  # no larger than the input
    ],
)
def test_image_and_mask_are_resized_alike(
    tmp_path: Path, size: tuple[int, int], resize: int | None, shown_size: tuple[int, int]
) -> None:
    Image.new("RGB", size, (255, 255, 255)).save(tmp_path / "a.png")
    left = np.zeros((size[1], size[0]))
    left[:, size[0] // 2 :] = 20
    mask(tmp_path / "m.png", left)
    data = read(rows(tmp_path, "a.png,m.png\n"))
    how = Preprocessing(64, 64, resize, HALF, HALF)
    height, width = shown_size
    expected = np.zeros((64, 64))
    expected[:height, :width] = 1
    (shown,) = preprocess(data, [0], how)
    np.testing.assert_array_equal(shown, np.broadcast_to(expected, (3, 64, 64)))
    (labels,) = shown_labels(data, [0], how)
    np.testing.assert_array_equal(labels != 255, expected)
    assert set(np.unique(labels)) == {0, 20, 255} if (height, width) != (64, 64) else {0, 20}
    assert (labels[:height, : width // 2 - 1] == 0).all()
    assert (labels[:height, width // 2 + 1 : width] == 20).all()


@pytest.mark.parametrize(
    ("size", "resize", "shown_size"),
    [
        ((50, 40), None, (33, 42)),  # higher than the input: as high as that
        ((40, 30), None, (30, 40)),
        ((40, 30), 65, (33, 44)),  # twice as wide would be too high
        ((30, 10), 65, (22, 65)),
    ],
)
def test_inputs_need_not_be_square(
    tmp_path: Path, size: tuple[int, int], resize: int | None, shown_size: tuple[int, int]
) -> None:
    Image.new("RGB", size, (255, 255, 255)).save(tmp_path / "a.png")
    mask(tmp_path / "m.png", np.ones((size[1], size[0])))
    data = read(rows(tmp_path, "a.png,m.png\n"))
    how = Preprocessing(33, 65, resize, HALF, HALF)
    expected = np.zeros((33, 65))
    expected[: shown_size[0], : shown_size[1]] = 1
    np.testing.assert_array_equal(
        preprocess(data, [0], how)[0], np.broadcast_to(expected, (3, 33, 65))
    )
    np.testing.assert_array_equal(shown_labels(data, [0], how)[0] == 1, expected)
