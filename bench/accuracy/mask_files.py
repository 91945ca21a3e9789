"""Which images of a directory are masks of others, by their names and how they are stored."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

VOC_IMAGES = "JPEGImages"
_LOSSLESS = (".png", ".tif", ".tiff", ".bmp", ".gif")
_MODES = ("P", "L", "1", "I", "I;16")  # one value a pixel
_ENDINGS = ("_mask", "-mask", "_seg", "_gt", "_label", "_labels", "_labelids")
_FOLDERS = ("segmentationclass", "segmentationobject")  # of VOC's layout, and longer names


def photos_among(directory: Path, files: Sequence[Path]) -> list[Path]:
    """Return the images below a directory without the masks that lie beside them.

    A mask lies in VOC's folders for masks; or it has the name of another image, alone or with an
    ending like `_mask`, and as many pixels, of one value each.
    """
    stems: dict[str, list[Path]] = {}
    for file in files:
        stems.setdefault(file.stem.casefold(), []).append(file)
    return [file for file in files if not _is_mask(directory, file, stems)]


def _is_mask(directory: Path, file: Path, stems: dict[str, list[Path]]) -> bool:
    folders = file.relative_to(directory).parts[:-1]
    if any(one.casefold().startswith(_FOLDERS) for one in folders):
        return True
    if file.suffix.casefold() not in _LOSSLESS:
        return False
    alike = [one for stem in _photo_stems(file) for one in stems.get(stem, ()) if one != file]
    if not alike:
        return False
    mode, size = _stored(file)
    others = map(_stored, alike)
    return mode in _MODES and any(one not in _MODES and same == size for one, same in others)


def _photo_stems(file: Path) -> Iterator[str]:
    """Yield what the photo of a mask may be called."""
    stem = file.stem.casefold()
    yield stem
    yield from (stem.removesuffix(one) for one in _ENDINGS if stem.endswith(one))


def _stored(file: Path) -> tuple[str, tuple[int, int]]:
    """Return how an image's pixels are stored, and its size; empty if it cannot be opened."""
    try:
        with Image.open(file) as image:
            return image.mode, image.size
    except (OSError, ValueError, SyntaxError):  # what is damaged is told when it is read
        return "", (0, 0)
