"""Lists of images and their masks: in VOC's layout by name alone, or both in each row."""

from pathlib import Path

from mobilebench.bench.accuracy.data_error import DataError
from mobilebench.bench.accuracy.image_files import SUFFIXES, NamedFiles
from mobilebench.bench.accuracy.text_rows import Row, read_text, readings

Pairs = list[tuple[Path, Path]]

_IMAGES, _MASKS = "JPEGImages", "SegmentationClass"
_FLAGS = frozenset({"-1", "0", "1"})  # of ImageSets/Main: whether a class is in the image
_IMAGE_TITLES = frozenset({"file", "filename", "image", "image_path", "img", "path"})
_MASK_TITLES = frozenset({"annotation", "gt", "label", "mask", "mask_path", "segmentation"})
_MASK_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".gif")


def read_split(path: Path, root: Path) -> Pairs:
    """Return the images and masks of a list in VOC's layout, below its root.

    A line is the name of an image, whose suffix and case do not matter; a name and a flag, as
    ImageSets/Main has it, which does not count; or an image and its mask, both from the root.
    """
    images, masks, rooted = (NamedFiles(one) for one in (root / _IMAGES, root / _MASKS, root))
    found = []
    for line in read_text(path, "a list of images").splitlines():
        fields = line.split()
        if not fields:
            continue
        if len(fields) == 2 and fields[1] not in _FLAGS:
            image, mask = (rooted.find(field.lstrip("/")) for field in fields)
            found.append((image, mask))
            continue
        name = line.strip() if len(fields) != 2 else fields[0]
        stem = name[: -len(Path(name).suffix)] if name.lower().endswith(SUFFIXES) else name
        image = _first(images, stem, SUFFIXES)
        found.append((image, _first(masks, stem, _MASK_SUFFIXES)))
    return found


def read_pairs(path: Path) -> Pairs:
    """Return the images and masks of a list that has both in each row, relative to the list.

    Fields are separated as in a list of classes; a header is passed over, and tells which column
    is which if it has more than two. Raises BenchError naming a row without both.
    """
    text = read_text(path, "a list of images and masks")
    rows = readings(text)[0]
    columns = (0, 1)
    if rows and not any(field.lower().endswith(SUFFIXES) for field in rows[0].fields):
        columns = _columns(rows[0])
        rows = rows[1:]
    named = NamedFiles(path.parent)
    found = []
    for row in rows:
        image, mask = (row.field(column) for column in columns)
        if not image or not mask:
            raise DataError(f"{path}, line {row.line}: {row.text!r} is not an image and a mask")
        found.append((named.find(image), named.find(mask)))
    return found


def _columns(header: Row) -> tuple[int, int]:
    titles = [field.casefold() for field in header.fields]
    image = next((place for place, one in enumerate(titles) if one in _IMAGE_TITLES), 0)
    mask = next((place for place, one in enumerate(titles) if one in _MASK_TITLES), image + 1)
    return image, mask


def _first(named: NamedFiles, stem: str, suffixes: tuple[str, ...]) -> Path:
    """Return the first file of such a name that is there; else what it is usually called."""
    found = (named.find(f"{stem}{suffix}") for suffix in suffixes)
    return next((file for file in found if file.is_file()), named.find(f"{stem}{suffixes[0]}"))
