"""Makes options from what a user wrote; a bad one is refused in one plain sentence."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from mobilebench.bench.config.declaration import Option, Options, options_of
from mobilebench.targets.errors import BenchError, did_you_mean

M = TypeVar("M", bound=Options)


def from_command_line(model: type[M], words: Mapping[str, Any]) -> M:
    """Return options from the values of a command line, by attribute; raises BenchError."""
    try:
        return model.model_validate(words)
    except ValidationError as error:
        raise _refusal(model, error, lambda option: option.flag) from None


def from_values(model: type[M], values: Mapping[str, Any]) -> M:
    """Return options from a program's values, by attribute; raises BenchError."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _refusal(model, error, lambda option: option.key) from None


def from_table(model: type[M], table: Mapping[str, Any], where: str) -> M:
    """Return options from a table that was read from a file, by key.

    Raises BenchError for an unknown key and for a bad value; its text begins with `where`.
    """
    keys = [option.key for option in options_of(model)]
    for key in table:
        if key not in keys:
            advice = did_you_mean(key, keys, f"allowed are {', '.join(keys)}")
            raise BenchError(f"{where}: unknown key {key!r}; {advice}")
    try:
        # As JSON, because a list is then a tuple's value and a string a path's; strictly, so that
        # nothing else is converted: true is not 1.
        return model.model_validate_json(json.dumps(table, default=str), strict=True)
    except ValidationError as error:
        raise _refusal(model, error, lambda option: option.key, where) from None


def _refusal(
    model: type[Options],
    error: ValidationError,
    name_of: Callable[[Option], str],
    where: str = "",
) -> BenchError:
    """Describe the first error; in a file (`where`) a list is one value, else its members are."""
    first = error.errors()[0]
    value, begin = first["input"], f"{where}: " if where else ""
    if first["type"] == "value_error":  # the message of a check of this project
        return BenchError(f"{begin}{first.get('ctx', {})['error']}")
    place = first["loc"][0]
    option = next(one for one in options_of(model) if place in (one.key, one.attribute))
    expected = option.expected(one=not where)
    text = json.dumps(value, default=str) if where or not isinstance(value, str) else value
    return BenchError(f"{begin}{name_of(option)} must be {expected}, not {text}")
