"""Images in a directory for each class, as ImageNet has them: which class each directory is."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from mobilebench.bench.accuracy.data_error import DataError
from mobilebench.bench.accuracy.image_files import folders_in, images_below
from mobilebench.bench.models.class_names import folded, numbers_by_name

_NUMBERED = re.compile(r"^\d+\s*[._ -]\s*(?=\D)")
_SPLITS = {"test", "train", "val", "validation"}


@dataclass(frozen=True)
class ClassFolders:
    """The images of a directory with a directory for each class."""

    pairs: tuple[tuple[Path, int], ...]  # an image and its class
    # How directories may be ordered otherwise, and the classes that images would have then.
    otherwise: tuple[tuple[str, tuple[int, ...]], ...] = ()
    notes: tuple[str, ...] = ()  # what was noticed


def read_class_folders(path: Path, classes: int, names: Sequence[str] = ()) -> ClassFolders:
    """Return the images below each class's directory, however deep.

    Directories that are named as the network's classes are, or by ImageNet's WordNet ids, are
    these. Those that are named by numbers are the classes of these numbers, or, if numbers do not
    begin at 0, in the order of the numbers. Others are in the order of their names, and there must
    be one for each class. Hidden files and what archives leave behind do not count.

    Raises BenchError if there are no images, or other directories than those of the classes.
    """
    folders = folders_in(path)
    images = {folder: tuple(images_below(folder)) for folder in folders}
    filled = [folder for folder in folders if images[folder]]
    if not filled:
        raise DataError(f"{path}: has no images in a directory for each class, and no labels.csv")
    if {folder.name.lower() for folder in filled} <= _SPLITS - {*map(str.lower, names)}:
        raise DataError(_other_classes(path, filled, len(folders), classes))
    named = _named(filled, numbers_by_name(names), path)
    order = named or _order(folders, classes, path) or _order(filled, classes, path)
    if order is None:
        raise DataError(_other_classes(path, filled, len(folders), classes))
    pairs = tuple((file, label) for folder, label in order for file in images[folder])
    notes = () if named or not names or _numbers(filled) else (_unlike(filled, names),)
    return ClassFolders(pairs, _otherwise(order, images), notes)


def _unlike(folders: Sequence[Path], names: Sequence[str]) -> str:
    said = " and ".join(sorted(folder.name for folder in folders)[:2])
    return (
        f"directories are not named as the network's classes are ({said}, not {names[0]}): they "
        "are taken in the order of their names"
    )


def _otherwise(
    order: Sequence[tuple[Path, int]], images: Mapping[Path, Sequence[Path]]
) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return the classes that images would have in the order of text, and of numbers in names."""
    found = []
    meant = [label for folder, label in order for _ in images[folder]]
    for said, key in (
        ("directories were sorted as text, 10 before 2", str),
        ("directories were sorted by the numbers in their names, 2 before 10", _natural),
    ):
        places = {folder: place for place, folder in enumerate(sorted(dict(order), key=key))}
        labels = [places[folder] for folder, _ in order for _ in images[folder]]
        if labels != meant:
            found.append((said, tuple(labels)))
    return tuple(found)


def _natural(folder: Path) -> list[tuple[int, str]]:
    """Return a key by which `class_2` is before `class_10`."""
    parts = re.split(r"(\d+)", folder.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _named(
    folders: Sequence[Path], numbers: Mapping[str, int], path: Path
) -> list[tuple[Path, int]] | None:
    """Return directories that are named as classes are, by class; None if none is."""
    found = {folder: numbers.get(folded(folder.name)) for folder in folders}
    if set(found.values()) == {None}:  # numbered and named, as in 001.cat
        bare = {folder: _NUMBERED.sub("", folder.name) for folder in folders}
        found = {folder: numbers.get(folded(name)) for folder, name in bare.items()}
        if None in found.values():
            return None
    strangers = [folder.name for folder, number in found.items() if number is None]
    if _numbers(folders) or len(strangers) == len(folders):
        return None
    if strangers:
        raise DataError(
            f"{path}: directory {strangers[0]} is none of the network's classes, which others "
            "are named after; rename or remove it"
        )
    ordered = [(folder, number) for folder, number in found.items() if number is not None]
    ordered.sort(key=lambda pair: pair[1])
    for (one, number), (other, other_number) in pairwise(ordered):
        if number == other_number:
            raise DataError(f"{path}: {one.name} and {other.name} are the same class")
    return ordered


def _order(folders: Sequence[Path], classes: int, path: Path) -> list[tuple[Path, int]] | None:
    """Return directories with their classes, by class; None if these are not the network's."""
    if not (numbers := _numbers(folders)):
        if len(folders) != classes:
            return None
        return [(folder, label) for label, folder in enumerate(folders)]
    ordered = sorted(zip(numbers, folders, strict=True))
    for (number, one), (other_number, other) in pairwise(ordered):
        if number == other_number:
            raise DataError(
                f"{path}: {one.name} and {other.name} are both of class {number}; remove or "
                "rename one"
            )
    if numbers and max(numbers) < classes:
        return [(folder, number) for number, folder in ordered]
    if len(folders) == classes:
        return [(folder, label) for label, (_, folder) in enumerate(ordered)]
    return None


def _numbers(folders: Sequence[Path]) -> list[int]:
    """Return the numbers that directories are named by; none if one has another name."""
    names = [folder.name for folder in folders]
    if not all(name.isascii() and name.isdigit() for name in names):
        return []
    return [int(name) for name in names]


def _other_classes(path: Path, filled: Sequence[Path], found: int, classes: int) -> str:
    """Return why the directories are not those of the network's classes."""
    names = {folder.name.lower() for folder in filled}
    if names <= _SPLITS:
        return f"{path}: has the directories {', '.join(sorted(names))}; name one of them"
    if len(filled) == 1:
        return (
            f"{path}: has one directory with images, {filled[0].name}, and the network "
            f"{classes} classes; if its directories are the classes, name {filled[0]}"
        )
    return (
        f"{path}: has {found} class directories, the network has {classes} classes; name "
        "the images and their classes in a labels.csv instead"
    )
