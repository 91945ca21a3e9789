"""From JSON to dataclasses, each value of the type that its field has."""

from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def typed(value: Any, kind: Any, where: str) -> Any:
    """Return a value of a type: JSON's own, a tuple, a list or a dict of them, or a dataclass.

    Raises ValueError naming the place, `where` to begin with, and what belongs there.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _dataclass(value, kind, where)
    if origin in (Union, UnionType):
        kind = next(one for one in inner if (one is NoneType) == (value is None))
        return typed(value, kind, where)
    if origin in (list, tuple) and isinstance(value, list):
        kinds = inner if origin is tuple and inner[-1] is not Ellipsis else inner[:1] * len(value)
        if len(kinds) == len(value):
            pairs = enumerate(zip(value, kinds, strict=True))
            return origin(typed(one, own, f"{where}[{index}]") for index, (one, own) in pairs)
    if origin is dict and isinstance(value, dict):
        return {key: typed(one, inner[1], f"{where}.{key}") for key, one in value.items()}
    if not _is(value, kind):
        known = ", ".join(map(str, inner)) if origin is Literal else getattr(kind, "__name__", kind)
        raise ValueError(f"{where} is {value!r:.60}, not {known}")
    return float(value) if kind is float else value


def _is(value: Any, kind: Any) -> bool:
    """Whether a value that has no parts is of a type; to JSON a whole number may be a float."""
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    return kind in (Any, object, type(value)) or (kind is float and type(value) is int)


def _dataclass(value: Any, kind: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is {value!r:.60}, not an object")
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    if missing := [name for name in names if name not in value]:
        raise ValueError(f"{where} has no {missing[0]}")
    if foreign := [name for name in value if name not in names]:
        raise ValueError(f"{where} has {foreign[0]}, which is not known")
    return kind(**{name: typed(value[name], hints[name], f"{where}.{name}") for name in names})
