"""What an option is: a field of a pydantic model with a description.

From the model's fields come the command line (`bench.cli.command`), the suite file
(`bench.config.suite_file`), the checks of both (`bench.config.check`) and the reference pages
(`bench.cli.reference`).
"""

import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

from mobilebench.targets.errors import did_you_mean, listed


@dataclass(frozen=True)
class Shown:
    """How an option is shown, beside its description."""

    group: str = "Options"  # heading in `--help`
    metavar: str = ""  # what stands for its value: NAME, SECONDS
    default: str = ""  # default in words, where the value itself would not be understood
    positional: bool = False  # an argument without a flag


@dataclass(frozen=True)
class OneOf:
    """A constraint: the text must be one of these names."""

    what: str  # "effort", as refusals call it
    names: tuple[str, ...]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Check the name after pydantic has found that it is a string."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, name: str) -> str:
        if name in self.names:
            return name
        advice = did_you_mean(name, self.names, f"give {listed(self.names)}")
        raise ValueError(f"unknown {self.what} {name!r}; {advice}")


class Options(BaseModel):
    """The options of a command, or a part of them.

    A field has the name that reads best in code, such as `variants` or `wait_s`; its alias is the
    name that users see, such as `variant` or `wait`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def given(self, part: "type[Options] | None" = None) -> dict[str, Any]:
        """Return the fields that were given a value; with `part`, only those that it has too."""
        names = (part or type(self)).model_fields
        return {name: getattr(self, name) for name in names if name in self.model_fields_set}

    def values_of(self, part: "type[Options]") -> dict[str, Any]:
        """Return the values of the fields that `part` also has, defaults included."""
        mine = type(self).model_fields
        return {name: getattr(self, name) for name in part.model_fields if name in mine}

    def to_table(self) -> dict[str, Any]:
        """Return all options by their names, as plain data for JSON."""
        return self.model_dump(mode="json", by_alias=True)


@dataclass(frozen=True)
class Option:
    """One option of a model, as the command line, suite files and reference pages need it."""

    attribute: str  # of the model
    key: str  # in a suite file: time_limit
    help: str
    kind: type  # str, int, float, bool or Path: of one value
    repeated: bool  # a list in a suite file
    required: bool
    default: str  # in words; empty if there is no default
    limits: str  # of a number: from 1 to 1024
    choices: tuple[str, ...]
    shown: Shown

    @property
    def flag(self) -> str:
        """The option on the command line: --time-limit."""
        return f"--{self.key.replace('_', '-')}"

    @property
    def on_by_default(self) -> bool:
        """Whether a switch is on unless it is switched off."""
        return self.kind is bool and self.default == "yes"

    @property
    def metavar(self) -> str:
        """The placeholder of the value in the help, such as COUNT."""
        if self.choices:
            return "|".join(self.choices)
        if self.shown.positional:
            return self.key.upper()
        return self.shown.metavar or {int: "COUNT", float: "NUMBER", Path: "PATH"}.get(
            self.kind, "TEXT"
        )

    def expected(self, one: bool = False) -> str:
        """Describe the allowed values, of a list or of `one` of its members, as a phrase."""
        number = {int: "whole number", float: "number"}.get(self.kind)
        if self.kind is bool:
            return "true or false"
        unit = " of seconds" if self.shown.metavar == "SECONDS" else ""
        limits = f" {self.limits}" if self.limits else ""
        if self.repeated and not one:
            return f"a list of {number or 'string'}s{unit}{limits}"
        return f"a {number or 'string'}{unit}{limits}"


def options_of(model: type[Options]) -> list[Option]:
    """Return the options that a model declares, in order: its fields that are not excluded."""
    fields = model.model_fields.items()
    return [_option(name, field) for name, field in fields if not field.exclude]


def _option(attribute: str, field: FieldInfo) -> Option:
    kind, repeated, constraints = _unwrap(field.annotation, field.metadata)
    shown = next((one for one in field.metadata if isinstance(one, Shown)), Shown())
    choices = next((one.names for one in constraints if isinstance(one, OneOf)), ())
    default = "" if field.is_required() else shown.default or _in_words(field.default)
    return Option(
        attribute=attribute,
        key=field.alias or attribute,
        help=field.description or "",
        kind=kind,
        repeated=repeated,
        required=field.is_required(),
        default=default,
        limits=_limits(constraints),
        choices=choices,
        shown=shown,
    )


def _unwrap(annotation: Any, constraints: Iterable[Any]) -> tuple[type, bool, list[Any]]:
    """Return the type of a single value, whether there may be several, and its constraints."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        found: list[Any] = []
        for one in inner[1:]:
            found += one.metadata if isinstance(one, FieldInfo) else [one]
        return _unwrap(inner[0], found)
    if origin is tuple:
        kind, _, found = _unwrap(inner[0], [])
        return kind, True, found
    if origin in (Union, types.UnionType):  # with None
        return _unwrap(inner[0], constraints)
    assert isinstance(annotation, type)
    return annotation, False, list(constraints)


def _limits(constraints: Iterable[Any]) -> str:
    bounds: Mapping[str, float] = {
        name: getattr(one, name)
        for one in constraints
        for name in ("ge", "gt", "le", "lt")
        if getattr(one, name, None) is not None
    }
    match bounds:
        case {"ge": low, "le": high}:
            return f"from {low:.12g} to {high:.12g}"
        case {"gt": low, "le": high}:
            return f"above {low:.12g} and at most {high:.12g}"
        case {"gt": low, "lt": high}:
            return f"above {low:.12g} and below {high:.12g}"
        case {"gt": low}:
            return f"above {low:.12g}"
    return ""


def _in_words(default: Any) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, tuple):
        return ", ".join(map(str, default))
    if isinstance(default, float):
        return f"{default:g}"
    return "" if default is None else str(default)
