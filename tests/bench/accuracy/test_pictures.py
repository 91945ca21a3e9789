"""The same photograph in every form that image files have is the same to a network."""

import importlib.util
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobilebench.bench.accuracy.images import ImageCheck, rgb
from mobilebench.bench.export import programs
from mobilebench.targets.errors import BenchError
from tests.bundles import shown_by

HEIGHT, WIDTH = 24, 32
Y, X = np.mgrid[:HEIGHT, :WIDTH]
PHOTO = np.stack([X * 8, Y * 10, 255 - X * 4 - Y * 4], axis=2).astype(np.uint8)  # smooth
GREY = np.asarray(Image.fromarray(PHOTO).convert("L"))
AS_GREY = np.repeat(GREY[:, :, None], 3, axis=2)
HOLE = np.where(X[:, :, None] < 8, np.uint8(255), PHOTO)  # what is transparent is white
ROTATED_90 = 6  # in EXIF: to be turned clockwise


def png16(path: Path, samples: np.ndarray) -> None:
    """Write 16 bits for each channel, which Pillow does not of three."""
    colour = 0 if samples.ndim == 2 else 2
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 16, colour, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


def tiff(samples: np.ndarray) -> Callable[[Path], None]:
    return lambda path: Image.fromarray(samples).save(path, "TIFF")


def picture(mode: str, kind: str, **how: Any) -> Callable[[Path], None]:
    return lambda path: Image.fromarray(PHOTO).convert(mode).save(path, kind, **how)


def transparent(path: Path) -> None:
    alpha = np.where(X < 8, 0, 255).astype(np.uint8)
    Image.fromarray(np.dstack([np.where(X[:, :, None] < 8, 0, PHOTO), alpha])).save(path, "PNG")


def grey_transparent(path: Path) -> None:
    alpha = np.where(X < 8, 0, 255).astype(np.uint8)
    Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(alpha)]).save(path, "PNG")


def transparent_colour(path: Path) -> None:
    image = Image.fromarray(np.where(X < 8, 0, 1).astype(np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(path, "PNG", transparency=0)


def animated(kind: str, **how: Any) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        others = [Image.new("RGB", (WIDTH, HEIGHT))] * 2
        image = Image.fromarray(PHOTO)
        image.save(path, kind, save_all=True, append_images=others, duration=90, **how)

    return save


def turned(path: Path) -> None:
    """Save what a phone does that is held upright: a turned image, and how it was held."""
    exif = Image.Exif()
    exif[0x0112] = ROTATED_90
    Image.fromarray(np.rot90(PHOTO)).save(path, "PNG", exif=exif)


FORMS: dict[str, tuple[Callable[[Path], None], np.ndarray, int]] = {
    "grey8": (picture("L", "PNG"), AS_GREY, 0),
    "grey16": (lambda path: png16(path, GREY.astype(np.uint16) * 257), AS_GREY, 0),
    "rgb16": (lambda path: png16(path, PHOTO.astype(np.uint16) * 257), PHOTO, 0),
    "tiff16": (tiff(GREY.astype(np.uint16) * 257), AS_GREY, 0),
    "tiff16 big-endian": (tiff((GREY.astype(np.uint16) * 257).astype(">u2")), AS_GREY, 0),
    "tiff32": (tiff(GREY.astype(np.int32)), AS_GREY, 0),
    "float 0 to 1": (tiff(GREY.astype(np.float32) / 255), AS_GREY, 0),
    "float 0 to 255": (tiff(GREY.astype(np.float32)), AS_GREY, 0),
    "float 0 to 65535": (tiff(GREY.astype(np.float32) * 257), AS_GREY, 0),
    "cmyk": (picture("CMYK", "TIFF"), PHOTO, 2),
    "cmyk jpeg": (picture("CMYK", "JPEG", quality=98), PHOTO, 12),
    "alpha": (transparent, HOLE, 0),
    "grey alpha": (grey_transparent, np.where(X[:, :, None] < 8, 255, AS_GREY), 0),
    "transparent colour": (
        transparent_colour,
        np.where(X[:, :, None] < 8, 255, np.array([40, 50, 60])),
        0,
    ),
    "animated webp": (animated("WEBP", lossless=True), PHOTO, 1),
    "animated png": (animated("PNG"), PHOTO, 0),
    "animated gif": (animated("GIF"), PHOTO, 40),
    "several pages": (animated("TIFF"), PHOTO, 0),
    "progressive": (picture("RGB", "JPEG", progressive=True, quality=98), PHOTO, 12),
    "turned": (turned, PHOTO, 0),
    "one bit": (
        lambda path: Image.fromarray(X < 8).save(path, "PNG"),
        np.repeat(np.where(X < 8, 255, 0)[:, :, None], 3, axis=2),
        0,
    ),
}


def bundle_program() -> Any:
    """Return the module of a bundle's program."""
    path = Path(programs.__path__[0]) / "run.py"
    spec = importlib.util.spec_from_file_location("bundle_program", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_photograph_has_its_pixels(tmp_path: Path, form: str) -> None:
    save, expected, tolerance = FORMS[form]
    path = tmp_path / "photo.JPG"  # whatever its name says
    save(path)
    ImageCheck(tmp_path).read(path)
    shown = np.asarray(rgb(path)).astype(int)
    assert shown.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(shown - expected).max() <= tolerance


@pytest.mark.parametrize("form", FORMS)
def test_a_bundle_s_program_sees_the_same_pixels(tmp_path: Path, form: str) -> None:
    path = tmp_path / "photo"
    FORMS[form][0](path)
    how = {"height": HEIGHT, "width": WIDTH, "resize": None, "mean": [0] * 3, "std": [1 / 255] * 3}
    seen = np.frombuffer(shown_by(bundle_program(), path, "classify", how), np.float32)
    expected = np.asarray(rgb(path)).transpose(2, 0, 1).ravel()
    assert np.abs(seen - expected).max() < 1e-3


def cut(kind: str, **how: Any) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        Image.fromarray(PHOTO).save(path, kind, **how)
        path.write_bytes(path.read_bytes()[:-60])

    return save


@pytest.mark.parametrize(
    ("save", "reason"),
    [
        (cut("JPEG", quality=98), "is damaged: .*truncated"),
        (cut("JPEG", quality=98, progressive=True), "is damaged: .*truncated"),
        (cut("PNG"), "is damaged"),
        (cut("BMP"), "is damaged"),
        (cut("GIF"), "is damaged"),
        (cut("WEBP", lossless=True), "is damaged"),
        (tiff(GREY.astype(np.float32) * 1000), "its values are .* scale them to 0..1"),
        (tiff(GREY.astype(np.float32) - 99), "its values are .*; scale them to 0..1"),
        (tiff(np.full((4, 4), np.nan, np.float32)), "values that are not finite"),
        (tiff(GREY.astype(np.int32) - 300), "its values are"),
        (lambda path: path.write_bytes(b""), "is damaged: it is empty"),
        (
            lambda path: path.write_bytes(b"\0ftypheic" * 9),
            r"Pillow does not read \(\.heic\)",
        ),
        (
            lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid"),
            "is a Git LFS pointer, not the file that it stands for; run `git lfs pull`",
        ),
        (lambda path: path.write_text("<!DOCTYPE html><p>404"), "is an HTML page"),
        (
            lambda path: path.write_text("<Error><Code>AccessDenied</Code></Error>"),
            r"is a storage's error message \(AccessDenied\); ",
        ),
        (
            lambda path: path.write_text('{"message": "no"}'),
            r"is an error message in JSON \(no",
        ),
    ],
)
def test_what_cannot_be_shown_is_refused_by_name(
    tmp_path: Path, save: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / "photo.heic"
    save(path)
    with pytest.raises(BenchError, match=f"image {path}:? .*({reason})") as refusal:
        ImageCheck(tmp_path).read(path)
    assert "\n" not in str(refusal.value)


def test_transparent_parts_are_noted(tmp_path: Path) -> None:
    check = ImageCheck(tmp_path)
    transparent(tmp_path / "a.png")
    picture("RGBA", "PNG")(tmp_path / "opaque.png")
    for name in ("a.png", "opaque.png"):
        check.read(tmp_path / name)
    assert check.notes == ("1 images have transparent parts, which are white here",)


def test_12_bits_in_16_are_noted(tmp_path: Path) -> None:
    check = ImageCheck(tmp_path)
    png16(tmp_path / "a.png", GREY.astype(np.uint16) * 16)
    check.read(tmp_path / "a.png")
    assert "the values of all 16-bit images end at" in check.notes[0]
    png16(tmp_path / "b.png", GREY.astype(np.uint16) * 257)
    check.read(tmp_path / "b.png")
    assert check.notes == ()


def test_a_mask_or_boxes_of_the_pixels_as_stored_keep_them_unturned(tmp_path: Path) -> None:
    turned(tmp_path / "a.png")
    stored = (HEIGHT, WIDTH)  # width and height
    np.testing.assert_array_equal(rgb(tmp_path / "a.png", stored), np.rot90(PHOTO))
    np.testing.assert_array_equal(rgb(tmp_path / "a.png", (WIDTH, HEIGHT)), PHOTO)


def test_an_image_that_is_too_large_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (30, 40)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(BenchError, match=r"a\.png has more than 1000 pixels; make it smaller"):
        ImageCheck(tmp_path).read(tmp_path / "a.png")
