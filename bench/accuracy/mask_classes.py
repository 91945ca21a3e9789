"""The classes of masks, as a list beside the data says, and which of the network's they are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mobilebench.bench.accuracy.data_error import DataError
from mobilebench.bench.accuracy.image_files import passed_over
from mobilebench.bench.accuracy.masks import (
    IGNORED,
    VOC_COLOURS,
    Colour,
    Meaning,
    Pixel,
    voc_colour,
)
from mobilebench.bench.accuracy.text_rows import number_of, read_text
from mobilebench.bench.models.class_names import NO_NAME, folded, numbers_by_name, usual_names
from mobilebench.bench.models.variant import SEGMENT
from mobilebench.targets.errors import did_you_mean

LISTS = ("classes.txt", "classes.csv", "class_dict.csv", "labelmap.txt", "labels.txt")
"""What a list of classes beside the data may be called, the first that is there."""
_IGNORED_NAMES = frozenset(map(folded, ("void", "ignore", "ignored", "unlabeled", "unlabelled")))
_WHITE = "masks have the values 0 and 255 alone: 255 is taken as"
_VOC = 21
_GREYS = {
    colour[0]: number
    for colour, number in VOC_COLOURS.items()
    if isinstance(colour, tuple) and len(set(colour)) == 1
}
"""Classes of VOC's grey colours: a mask that has these alone is read as values."""


@dataclass(frozen=True)
class DataClass:
    """A class of the data."""

    name: str
    value: int  # in masks of values
    colour: Colour | None = None  # in masks of colours


@dataclass(frozen=True)
class Understood:
    """What masks mean, and what was noticed in them."""

    meaning: Meaning
    notes: tuple[str, ...] = ()


def find_class_list(directory: Path) -> tuple[DataClass, ...]:
    """Return the classes that a list in a directory names; none if there is no list.

    A line is a name, whose value is the number of classes before it; a value and a name; a name
    and the three numbers of its colour (`road,128,64,128`); or CVAT's `name:r,g,b::`. Lines that
    begin with `#`, and a header `name,r,g,b`, are passed over. Raises BenchError naming a line
    that is none of these.
    """
    path = next((directory / name for name in LISTS if (directory / name).is_file()), None)
    if path is None or passed_over(path.name):
        return ()
    found: list[DataClass] = []
    for number, line in enumerate(read_text(path, "a list of classes").splitlines(), 1):
        said = line.strip()
        if not said or said.startswith("#") or said.casefold().replace(" ", "") == "name,r,g,b":
            continue
        if (one := _parse(said, len(found))) is None:
            raise DataError(
                f"{path}, line {number}: {said!r} is not a class: a name, or a value and a "
                "name, or a name and its colour (road,128,64,128)"
            )
        found.append(one)
    return tuple(found)


def _parse(said: str, place: int) -> DataClass | None:
    fields = [field.strip() for field in said.replace(":", ",").replace(";", ",").split(",")]
    numbers = [number_of(field) for field in fields]
    colour = [one for one in numbers[1:] if one is not None]
    if len(fields) >= 4 and len(colour) == 3 and max(colour) <= 255 and fields[0]:
        return DataClass(fields[0], place, (colour[0], colour[1], colour[2]))
    if len(fields) == 2 and numbers[0] is not None and fields[1]:
        return DataClass(fields[1], numbers[0])
    first, _, rest = said.partition(" ")
    value = number_of(first)
    if value is not None and rest.strip():
        return DataClass(rest.strip(), value)
    return DataClass(said, place) if len(fields) == 1 else None


def understand(
    pixels: Iterable[Pixel],
    classes: int,
    names: Sequence[str],
    listed: Sequence[DataClass],
    what: str,
) -> Understood:
    """Return what the pixels of masks mean to a network of so many classes.

    By the list of the data's classes, matched with the network's by name; without one values are
    the network's classes, and colours VOC's. Raises BenchError, beginning with `what`, where that
    cannot be told.
    """
    seen = set(pixels)
    colours = any(isinstance(one, tuple) for one in seen)
    if listed:
        white = len(listed) == 2 and seen == {0, IGNORED} and listed[1].value == 1
        if white:  # black and white, and two classes
            listed = [listed[0], replace(listed[1], value=IGNORED)]
        notes = (f"{_WHITE} {listed[1].name}",) if white else ()
        return Understood(_by_list(seen, classes, names, listed, what), notes)
    if colours:
        if classes == _VOC and tuple(names) in ((), usual_names(SEGMENT, classes)):
            return Understood(Meaning((*VOC_COLOURS.items(), *_GREYS.items())))
        raise DataError(
            f"{what}: its masks are in colours, and which class has which is not known; write a "
            "classes.txt beside the data, each line a name and its colour: road,128,64,128"
        )
    if seen <= {0, IGNORED} and IGNORED in seen and classes == 2:
        called = names[1] if names else "class 1"
        return Understood(Meaning(((0, 0), (IGNORED, 1))), (f"{_WHITE} {called}",))
    if seen == {0, IGNORED}:
        raise DataError(
            f"{what}: its masks have 0 and 255 alone, and what is 255 is not known; write a "
            "classes.txt beside the data, each line a value and a name: 0 background, then 255 and "
            "the object's class"
        )
    if seen - {IGNORED} == {0, 1} and classes > 2:
        called = f" ({names[1]})" if names else ""
        said = f"masks have no other classes than 0 and 1{called} of the network's {classes}"
        return Understood(Meaning(), (said,))
    return Understood(Meaning())


def _by_list(
    seen: set[Pixel],
    classes: int,
    names: Sequence[str],
    listed: Sequence[DataClass],
    what: str,
) -> Meaning:
    if not names and len(listed) != classes:
        raise DataError(
            f"{what}: its list has {len(listed)} classes, the network {classes} without names; "
            'name them in the checkpoint\'s manifest: classes = ["...", "..."]'
        )
    numbers = numbers_by_name(names)
    greys = {one.colour[0] for one in listed if one.colour and len(set(one.colour)) == 1}
    by_colour = all(one.colour for one in listed) and (
        seen <= greys or any(isinstance(pixel, tuple) for pixel in seen)
    )
    found: dict[Pixel, int] = {voc_colour(IGNORED) if by_colour else IGNORED: IGNORED}
    for place, one in enumerate(listed):
        pixels = _pixels(one) if by_colour else [one.value]
        number = numbers.get(folded(one.name)) if names else place
        if number is None and folded(one.name) in _IGNORED_NAMES:
            number = IGNORED
        if number is not None:
            found |= dict.fromkeys(pixels, number)
        elif seen.intersection(pixels):
            known = [name for name in names if name != NO_NAME]
            raise DataError(
                f"{what}: its class {one.name!r} is none of the network's "
                f"({did_you_mean(one.name, known)}); rename it in the list, or call it `ignore` "
                "to leave its pixels out"
            )
    return Meaning(tuple(found.items()))


def _pixels(one: DataClass) -> list[Pixel]:
    """Return how masks of colours show a class; one that is all grey is read as values."""
    assert one.colour is not None
    return [one.colour, one.colour[0]] if len(set(one.colour)) == 1 else [one.colour]
