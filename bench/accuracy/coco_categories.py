"""Which classes of a detector the categories of a COCO file are: by name, not by id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mobilebench.bench.accuracy.data_error import DataError
from mobilebench.bench.models.class_names import NO_NAME, folded, numbers_by_name
from mobilebench.targets.errors import did_you_mean

Id = int | str
_SHOWN = 5  # names in an error


@dataclass(frozen=True)
class Categories:
    """The network's class, from 1, of each category id, and what was noticed in them."""

    classes: Mapping[Id, int]
    notes: tuple[str, ...] = ()


def match_categories(
    content: Mapping[str, Any], classes: int, names: Sequence[str], what: str
) -> Categories:
    """Return which class each category is that a COCO file's annotations use.

    A network whose classes have names (background first) has each used category among them,
    whatever its id. Without names, there must be a category for each class, and they are in the
    order of their ids. A file that does not list its categories has the network's own ids.

    Raises BenchError, beginning with `what`, for a category that is none of the network's.
    """
    listed = content.get("categories") or []
    if not listed:
        said = "the data does not list its categories, so their ids are taken as the network's"
        return Categories({number: number for number in range(1, classes)}, (said,))
    entries = by_id(listed, what, ("category", "categories"), "name")
    declared: dict[Id, str] = {identity: entry["name"] for identity, entry in entries.items()}
    if not names:
        return _in_order(declared, classes, what)
    used = {entry.get("category_id") for entry in content["annotations"] if isinstance(entry, dict)}
    numbers = numbers_by_name(names)
    found: dict[Id, int] = {}
    for identity, name in declared.items():
        number = numbers.get(folded(name), 0)
        if number:
            found[identity] = number
        elif identity in used:
            known = [one for one in names[1:] if one != NO_NAME]
            raise DataError(
                f"{what}: category {name!r} (id {identity}) is none of the network's classes "
                f"({did_you_mean(name, known)}); rename it in the data, or name the checkpoint's "
                'classes in its manifest: classes = ["...", "..."]'
            )
    return Categories(found)


def by_id(entries: Any, what: str, kinds: tuple[str, str], named: str) -> dict[Id, dict[str, Any]]:
    """Return the entries of one of a COCO file's lists by their ids; all have a text `named`.

    `kinds` are what one and several of them are called. Raises BenchError, beginning with `what`.
    """
    one, several = kinds
    found: dict[Id, dict[str, Any]] = {}
    for number, entry in enumerate(entries if isinstance(entries, list) else [None]):
        known = entry if isinstance(entry, dict) else {}
        identity, name = known.get("id"), known.get(named)
        if not isinstance(identity, int | str) or not isinstance(name, str) or not name:
            raise DataError(f"{what}: {one} {number} of its list has no id or no {named}")
        if identity in found:
            raise DataError(f"{what}: two of its {several} have the id {identity}")
        found[identity] = known
    return found


def _in_order(declared: Mapping[Id, str], classes: int, what: str) -> Categories:
    """Return the classes of a network that has no names for them."""
    if len(declared) != classes - 1:
        raise DataError(
            f"{what}: has {len(declared)} categories ({few(list(declared.values()))}), the "
            f"network {classes - 1}; name its classes in the checkpoint's manifest: "
            'classes = ["...", "..."]'
        )
    ordered = sorted(declared, key=lambda identity: (isinstance(identity, str), identity))
    found = {identity: number for number, identity in enumerate(ordered, 1)}
    if all(identity == number for identity, number in found.items()):
        return Categories(found)
    said = ", ".join(f"{declared[identity]} is {number}" for identity, number in found.items())
    return Categories(found, (f"categories are matched in the order of their ids: {said}",))


def few(names: Sequence[str]) -> str:
    """Return the first of some names."""
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
