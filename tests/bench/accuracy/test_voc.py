"""Images with masks: which there are, and what a segmenter is shown of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobilebench.bench.accuracy.masks import voc_colour
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
        ("a.png,masks.csv\n", "mask .*masks.csv is a text file"),
        ("a.png,wide.png\n", "mask .*wide.png is 9x4, its image 6x4"),
        ("a.png,c21.png\n", "mask .*c21.png has class 21; classes are 0 to 20, and 255"),
        ("a.png,a.png\n", "mask .*a.png: it has the colour .* none of the classes'"),
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
    listed.write_bytes(b"\x00\x01")
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


@pytest.mark.parametrize(
    "text",
    [
        "a\nb\n",
        "\ufeffa\r\nb\r\n",
        "a.jpg\nb.jpg\n",
        "a  1\nb -1\n",
        "/JPEGImages/a.JPG /SegmentationClass/a.png\nJPEGImages/b.JPG SegmentationClass/b.png\n",
        "A\n\nB",
    ],
)
def test_every_form_of_a_list_of_voc_s_layout_is_read_alike(tmp_path: Path, text: str) -> None:
    listed = voc(tmp_path, "a", "b")
    for name in ("a", "b"):
        file = tmp_path / "JPEGImages" / f"{name}.jpg"
        file.rename(file.with_suffix(".JPG"))
    listed.write_text(text)
    data = read(tmp_path)
    assert [file.name for file in data.images] == ["a.JPG", "b.JPG"]
    assert [file.name for file in data.masks] == ["a.png", "b.png"]


@pytest.mark.parametrize(
    "text",
    [
        "a.png,m.png\n",
        "a.png m.png\n",
        "image;mask\na.png;m.png\n",
        "split,mask,image\nval,m.png,a.png\n",
        "\ufeffa.png\tm.PNG\n",
    ],
)
def test_every_form_of_a_list_of_pairs_is_read_alike(tmp_path: Path, text: str) -> None:
    picture(tmp_path / "a.png")
    mask(tmp_path / "m.png")
    (tmp_path / "masks.csv").write_text(text)
    data = read(tmp_path)
    assert [
        (image.name, labels.name) for image, labels in zip(data.images, data.masks, strict=True)
    ] == [("a.png", "m.png")]


PERSON = np.zeros((4, 6), np.uint8)
PERSON[1:3, 2:5] = 15
HOW = Preprocessing(4, 6, None, HALF, HALF)


def save_mask(path: Path, pixels: np.ndarray) -> None:
    wide = pixels.dtype in (np.float32, np.int32)  # which PNG has not
    Image.fromarray(pixels).save(path, "TIFF" if wide else "PNG")


def labels_of(
    root: Path, pixels: np.ndarray, classes: int = 21, names: tuple[str, ...] = ()
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the classes that a network is told of a mask, and what was noted."""
    picture(root / "a.png")
    save_mask(root / "m.png", pixels)
    data = read(rows(root, "a.png,m.png\n"), classes, names)
    return shown_labels(data, [0], HOW)[0], data.notes


COLOURS = np.array([voc_colour(number) for number in range(256)], np.uint8)


@pytest.mark.parametrize(
    "pixels",
    [
        PERSON,
        PERSON.astype(np.uint16),
        PERSON.astype(np.int32),
        np.dstack([PERSON] * 3),
        COLOURS[PERSON],
        np.dstack([COLOURS[PERSON], np.full_like(PERSON, 255)]),
    ],
    ids=["plain", "16 bits", "32 bits", "grey in three channels", "colours", "with alpha"],
)
def test_indices_and_voc_s_colours_are_the_classes(tmp_path: Path, pixels: np.ndarray) -> None:
    labels, notes = labels_of(tmp_path, pixels)
    np.testing.assert_array_equal(labels, PERSON)
    assert notes == ()


def test_a_palette_of_voc_s_colours_in_another_order_means_the_colours(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    image = Image.fromarray((PERSON > 0).astype(np.uint8), "P")
    image.putpalette([0, 0, 0, *voc_colour(15)])
    image.save(tmp_path / "m.png")
    data = read(rows(tmp_path, "a.png,m.png\n"))
    np.testing.assert_array_equal(shown_labels(data, [0], HOW)[0], PERSON)


@pytest.mark.parametrize("pixels", [np.where(PERSON, 255, 0).astype(np.uint8), PERSON > 0])
def test_black_and_white_are_the_two_classes_of_a_network(
    tmp_path: Path, pixels: np.ndarray
) -> None:
    labels, notes = labels_of(tmp_path, pixels, 2)
    np.testing.assert_array_equal(labels, PERSON > 0)
    assert notes == ("masks have the values 0 and 255 alone: 255 is taken as class 1",)
    with pytest.raises(BenchError, match=r"0 and 255 alone, .*; write a classes\.txt beside"):
        labels_of(tmp_path, pixels)


@pytest.mark.parametrize(
    ("listed", "pixels"),
    [
        ("0 background\n255 person\n", np.where(PERSON, 255, 0)),
        ("background\nperson\n", np.where(PERSON, 255, 0)),
        ("background\nperson\n", PERSON > 0),
        ("0,background\n33,person\n7,road\n", np.where(PERSON, 33, 0)),
        ("person,220,20,60\nbackground,0,0,0\n", np.where(PERSON[:, :, None], (220, 20, 60), 0)),
        ("person,220.0,20,60\nbackground,0,0,0\n", np.where(PERSON[:, :, None], (220, 20, 60), 0)),
        ("name,r,g,b\nPerson,64,64,64\nbackground,0,0,0", np.where(PERSON, 64, 0)),
        (
            "# label:color_rgb:parts:actions\nbackground:0,0,0::\nperson:9,8,7::\n",
            np.where(PERSON[:, :, None], (9, 8, 7), 0),
        ),
    ],
)
def test_a_list_beside_the_data_tells_the_classes_by_name(
    tmp_path: Path, listed: str, pixels: np.ndarray
) -> None:
    (tmp_path / "classes.txt").write_text(listed)
    labels, _ = labels_of(tmp_path, pixels if pixels.dtype == bool else pixels.astype(np.uint8))
    np.testing.assert_array_equal(labels, PERSON)


def test_classes_of_the_data_are_left_out_by_name(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("void\nperson\n")
    labels, _ = labels_of(tmp_path, (PERSON > 0).astype(np.uint8))
    np.testing.assert_array_equal(labels, np.where(PERSON, 15, 255))


def test_a_manifest_s_names_are_matched_with_the_list(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("water\nroad\n")
    labels, _ = labels_of(
        tmp_path, (PERSON > 0).astype(np.uint8), 3, ("background", "road", "water")
    )
    np.testing.assert_array_equal(labels, np.where(PERSON, 1, 2))


@pytest.mark.parametrize(
    ("listed", "pixels", "classes", "reason"),
    [
        ("background\nhelmet\n", PERSON > 0, 21, "its class 'helmet' is none of the network's"),
        ("background\nhelmet\n", PERSON > 0, 5, "2 classes, the network 5 without names"),
        ("background\na,b\n", PERSON, 21, "classes.txt, line 2: 'a,b' is not a class"),
        ("0 background\n", PERSON, 21, "it has the value 15, which is none of the classes'"),
        ("", COLOURS[PERSON], 5, "masks are in colours, and which class has which is not known"),
        ("", np.where(PERSON, 33, 0).astype(np.uint8), 21, r"class 33; .* a classes\.txt beside"),
        ("", PERSON.astype(np.uint16) * 100, 21, "it has class 1500"),
        ("", PERSON.astype(np.float32), 21, "image of mode F, which is no mask"),
    ],
)
def test_masks_that_cannot_be_understood_are_refused(
    tmp_path: Path, listed: str, pixels: np.ndarray, classes: int, reason: str
) -> None:
    if listed:
        (tmp_path / "classes.txt").write_text(listed)
    picture(tmp_path / "a.png")
    Image.fromarray(pixels).save(
        tmp_path / "m.png", "TIFF" if pixels.dtype == np.float32 else "PNG"
    )
    with pytest.raises(BenchError, match=reason) as refusal:
        read(rows(tmp_path, "a.png,m.png\n"), classes)
    assert "\n" not in str(refusal.value)


def test_masks_of_0_and_1_alone_are_noted(tmp_path: Path) -> None:
    _, notes = labels_of(tmp_path, (PERSON > 0).astype(np.uint8))
    assert notes == ("masks have no other classes than 0 and 1 (aeroplane) of the network's 21",)


@pytest.mark.parametrize("stored", [True, False])
def test_an_image_is_turned_as_its_mask_is(tmp_path: Path, stored: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[:, :3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    mask(tmp_path / "m.png", np.ones((4, 6) if stored else (6, 4)))
    data = read(rows(tmp_path, "a.png,m.png\n"))
    how = Preprocessing(6, 6, None, (0, 0, 0), (1, 1, 1))
    shown, labels = preprocess(data, [0], how)[0], shown_labels(data, [0], how)[0]
    expected = np.zeros((6, 6))
    if stored:
        expected[:4, :3] = 1  # bright on the left
    else:
        expected[:3, :4] = 1  # bright above
    np.testing.assert_array_equal(shown[0], expected)
    np.testing.assert_array_equal(labels == 1, np.indices((6, 6))[0 if stored else 1] < 4)


def test_an_image_that_is_named_twice_counts_once(tmp_path: Path) -> None:
    data = read(voc(tmp_path, "a", "b", "a"))
    assert [file.name for file in data.images] == ["a.jpg", "b.jpg"]
    assert data.notes[0] == "1 images are named again in val.txt and count once"
