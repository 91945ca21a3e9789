"""Quantities with their unit: a number alone is in the option's own one."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from mobilebench.targets.errors import listed

_QUANTITY = re.compile(r"\s*(?P<number>[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?)\s*(?P<unit>.*?)\s*")

Units = tuple[tuple[str, float], ...]
"""Names of units, and what each is in the option's own one."""
MILLISECONDS: Units = (("us", 1e-3), ("ms", 1.0), ("s", 1e3))
MEGABYTES: Units = (
    *(("B", 1e-6), ("kB", 1e-3), ("MB", 1.0), ("GB", 1e3)),
    *(("KiB", 1024 / 1e6), ("MiB", 1024**2 / 1e6), ("GiB", 1024**3 / 1e6)),
)
PERCENT: Units = (("%", 1.0),)


@dataclass(frozen=True)
class InUnit:
    """A constraint: a number, alone or with one of these units behind it."""

    flag: str
    units: Units

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Convert text before pydantic checks the number's range."""
        return core_schema.no_info_before_validator_function(self._convert, handler(source))

    def _convert(self, value: Any) -> Any:
        found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
        if not found or not found["unit"]:
            return value
        unit, known = found["unit"], dict(self.units)
        if unit not in known:
            own = next(name for name, factor in self.units if factor == 1)
            raise ValueError(
                f"{self.flag} {value}: unknown unit {unit!r}; give a number of {own}, or one with "
                f"{listed(tuple(known))} behind it"
            )
        return float(found["number"]) * known[unit]
