"""Lists of images and their classes: which column is which, and what each row says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mobilebench.bench.accuracy.data_error import DataError
from mobilebench.bench.accuracy.image_files import SUFFIXES, NamedFiles
from mobilebench.bench.accuracy.text_rows import Row, is_number, number_of, read_text, readings
from mobilebench.bench.models.class_names import folded, numbers_by_name
from mobilebench.targets.errors import did_you_mean

_IMAGES = frozenset(
    {
        *("file", "filename", "file_name", "filepath", "file_path", "name", "path"),
        *("image", "images", "image_file", "image_filename", "image_id", "image_name"),
        *("image_path", "imageid", "img", "img_path"),
    }
)
_CLASSES = frozenset(
    {
        *("class", "class_id", "class_idx", "class_index", "classid", "category", "category_id"),
        *("label", "label_id", "label_idx", "label_index", "labels"),
        *("ground_truth", "gt", "target", "y"),
    }
)
_SPLITS = frozenset({"split", "subset", "set", "fold", "partition", "usage"})
_SEVERAL = 2
_SHOWN = 80  # characters of a line in an error
_WANTED = "a classifier wants an image and its class index a row"


@dataclass(frozen=True)
class LabelList:
    """The images of a list with their classes, and what was noticed in it."""

    pairs: tuple[tuple[Path, int], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Reading:
    """The rows of a list, and the columns of the images and the classes."""

    rows: list[Row]
    image: int
    label: int
    numbers: Mapping[str, int]  # of classes that are called by name
    several: bool  # other columns may be the classes as well
    called: tuple[int, ...] = ()  # columns of the classes' names, beside their numbers
    notes: tuple[str, ...] = ()

    @property
    def fitting(self) -> tuple[int, int]:
        """How many rows have the name of an image, and how many are pairs; the more the better.

        Where commas are decimal, a name that is cut at them is none of an image.
        """
        named = sum(_is_image_name(row.field(self.image)) for row in self.rows)
        return named, sum(self.is_pair(row) for row in self.rows)

    def is_pair(self, row: Row) -> bool:
        return bool(row.field(self.image)) and self.class_of(row) is not None

    def class_of(self, row: Row) -> int | None:
        said = row.field(self.label)
        number = number_of(said)
        return self.numbers.get(folded(said)) if number is None else number


def read_label_list(path: Path, names: Sequence[str] = ()) -> LabelList:
    """Return the images that a list names, relative to the list, and their classes.

    Fields are separated by commas, semicolons or tabs, or the class stands behind a blank. The
    columns are those that a header calls `file`, `image`, `label`, `class` or the like; without a
    header the column of names and that of numbers. Classes may also be called by their names, or
    by ImageNet's WordNet ids. An image that is named twice counts once.

    Raises BenchError naming the first line that is not an image and a class index, or that gives
    an image another class than before.
    """
    text = read_text(path, "a list of images and class indices")
    numbers = numbers_by_name(names)
    found = [_with_columns(rows, numbers) for rows in readings(text)]
    best = max(found, key=lambda reading: reading.fitting)  # of equal ones the first
    if not best.rows:
        raise DataError(f"{path}: names no images; {_WANTED}")
    if best.several:
        raise DataError(
            f"{path}: has several columns of numbers; its first line must say which are the "
            "images and the classes: file,class_index"
        )
    for row in best.rows:
        if not best.is_pair(row):
            raise DataError(
                f"{path}, line {row.line}: {row.text[:_SHOWN]!r} is not an image and a class index"
                f"{_hint(row.field(best.label), names)}"
            )
    _check_names(best, path, names)
    images = _without_repeats(best, path)
    return LabelList(images.pairs, (*best.notes, *images.notes))


def _check_names(reading: _Reading, path: Path, names: Sequence[str]) -> None:
    """Raise BenchError if a column calls classes otherwise than the network does."""
    for row in reading.rows:
        for column in reading.called:
            said, number = row.field(column), reading.class_of(row)
            if reading.numbers.get(folded(said), number) != number:
                known = [one for at, one in enumerate(names) if at == number]
                which = f"the network's is {known[0]!r}" if known else "the network has no such"
                raise DataError(
                    f"{path}, line {row.line}: calls class {number} {said!r}, and {which}; leave "
                    "out the column that is of another numbering"
                )


def _hint(said: str, names: Sequence[str]) -> str:
    """Return what to do about a class that is called by a name that is not known."""
    if not said or any(char.isdigit() for char in said):
        return ""
    if names:
        return f"; {said[:_SHOWN]!r} is none of its classes ({did_you_mean(said, names)})"
    return (
        "; the network's classes have no names: give their numbers, or name them in its manifest: "
        'classes = ["...", "..."]'
    )


def _with_columns(rows: list[Row], known: Mapping[str, int]) -> _Reading:
    columns = range(max((len(row.fields) for row in rows), default=0))
    header = rows[0] if rows and _is_header(rows[0]) else None
    rows = rows[1:] if header else rows

    def mostly(fits: Callable[[str], bool]) -> list[int]:
        return [one for one in columns if 2 * sum(fits(row.field(one)) for row in rows) > len(rows)]

    def titled(titles: frozenset[str]) -> list[int]:
        return [one for one in columns if header and header.field(one).casefold() in titles]

    numbers = mostly(is_number) or mostly(lambda field: folded(field) in known)
    names = [one for one in columns if one not in numbers]
    image = [*titled(_IMAGES), *mostly(_is_image_name), *names, 0][0]
    labels = [one for one in titled(_CLASSES) if one in numbers]
    labels = [one for one in labels or numbers or titled(_CLASSES) if one != image]
    if len(labels) > 1:  # one that only counts the rows does not have their classes
        labels = [one for one in labels if not _counts(rows, one)] or labels
    several = len({tuple(row.field(one) for row in rows) for one in labels}) > 1
    label = [*labels, image + 1][0]
    called = mostly(lambda field: folded(field) in known and not is_number(field))
    beside = tuple(one for one in called if one not in (image, label))
    notes = tuple(_noted(header, rows, column) for column in titled(_SPLITS))
    return _Reading(rows, image, label, known, several, beside, tuple(filter(None, notes)))


def _noted(header: Row | None, rows: list[Row], column: int) -> str:
    """Return what to know of a column that says of which part of the data a row is."""
    parts = sorted({row.field(column) for row in rows})
    if header is None or len(parts) < _SEVERAL:
        return ""
    said = ", ".join(parts[:3])
    return f"the list has rows of several parts ({header.field(column)}: {said}); all are counted"


def _is_header(row: Row) -> bool:
    """Whether a first row names columns: nothing in it is a number or the name of an image."""
    return not any(is_number(field) or _is_image_name(field) for field in row.fields)


def _is_image_name(field: str) -> bool:
    return field.lower().endswith(SUFFIXES)


def _counts(rows: list[Row], column: int) -> bool:
    """Whether a column counts the rows, from 0 or 1."""
    fields = [row.field(column) for row in rows]
    return any(fields == [str(n) for n in range(first, first + len(rows))] for first in (0, 1))


def _file_of(name: str, files: NamedFiles) -> Path:
    """Return the file of an image, whose suffix a list may leave out."""
    file = files.find(name)
    if file.is_file() or name.lower().endswith(SUFFIXES):
        return file
    ended = (files.find(f"{name}{suffix}") for suffix in SUFFIXES)
    return next((one for one in ended if one.is_file()), file)


def _without_repeats(reading: _Reading, path: Path) -> LabelList:
    lines: dict[Path, Row] = {}
    files, repeated = NamedFiles(path.parent), 0
    for row in reading.rows:
        file = _file_of(row.field(reading.image), files)
        before = lines.setdefault(file, row)
        if before is row:
            continue
        repeated += 1
        if reading.class_of(before) != reading.class_of(row):
            raise DataError(
                f"{path}, line {row.line}: {row.field(reading.image)} has class "
                f"{row.field(reading.label)}, in line {before.line} {before.field(reading.label)}"
            )
    pairs = tuple((file, reading.class_of(row) or 0) for file, row in lines.items())
    noted = f"{repeated} images are named again in {path.name} and count once"
    return LabelList(pairs, (noted,) if repeated else ())
