"""Describes errors of pydantic in plain words."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mobilebench.targets.errors import did_you_mean

Place = tuple[int | str, ...]

_TYPES = {
    "int_type": "int",
    "float_type": "int or float",
    "string_type": "str",
    "bool_type": "bool",
    "list_type": "list",
    "tuple_type": "list",
    "dict_type": "dict",
    "dataclass_type": "dict",
    "none_required": "null",
}


def first_problem(
    error: ValidationError,
    name_of: Callable[[Place], str],
    unknown: Callable[[Place], str],
    parts: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return one plain line about the first thing that is wrong.

    `name_of` names a place as the reader finds it, `unknown` says what is wrong with an unknown
    key, and `parts` what the items of a list or table must be, e.g. "numbers of processors".
    """
    errors = error.errors(include_url=False)
    # A misspelt key is told as that, and not as a missing one.
    details = min(errors, key=lambda one: one["type"] != "unexpected_keyword_argument")
    place, kind, context = details["loc"], details["type"], details.get("ctx", {})
    if kind == "unexpected_keyword_argument":
        return unknown(place)
    if kind in ("missing", "missing_argument"):
        return f"{name_of(place)} is missing"
    if kind == "literal_error":
        known = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        return f"{name_of(place)} is {details['input']!r:.60}; allowed are {known}"
    if kind == "value_error":
        return str(context["error"])
    expected = parts[str(place[0])] if len(place) > 1 and place[0] in parts else _expected(details)
    return f"{name_of(place)} must be {expected}, not {details['input']!r:.60}"


def unknown_key(key: str, where: str, allowed: Iterable[str]) -> str:
    """Return the message about an unknown key, with the nearest of the known ones."""
    inside = f" in {where}" if where else ""
    names = list(allowed)
    known = f"allowed are {', '.join(names)}"
    near = did_you_mean(key, names, otherwise=known)
    return f"unknown key {key!r}{inside}; {known if near == known else f'{known}; {near}'}"


def type_name(kind: str) -> str | None:
    """Return the type that pydantic's error of a kind asks for; None if it is about a value."""
    return _TYPES.get(kind)


def _expected(details: ErrorDetails) -> str:
    """Return what would be right in the place of a value."""
    if name := type_name(details["type"]):
        return f"of type {name}"
    context = details.get("ctx", {})
    if details["type"] == "greater_than_equal":
        return f"{context['ge']} or more"
    return details["msg"].removeprefix("Input should be ")
