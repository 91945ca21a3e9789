"""A suspect measured again, interleaved with what it was compared with."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from mobilebench.reports.records.cell_key import CellKey

Rounds = list[list[float]]  # milliseconds


@dataclass(frozen=True)
class Confirmation:
    """Both artifacts of a suspect, measured again in the same night, interleaved on one device.

    The base is the artifact of an earlier run, the head that of the night's own; the samples are
    milliseconds, a list per round, and round n of the one was measured beside round n of the other.
    """

    run_id: str  # the night that the suspect is of
    base_run_id: str
    cell: CellKey
    measured_at: str  # UTC, ISO 8601
    base_rounds_ms: Rounds
    head_rounds_ms: Rounds

    def to_row(self) -> dict[str, Any]:
        """Return the row of the store's table: each axis of the cell is a column."""
        row = asdict(self)
        cell: dict[str, Any] = row.pop("cell")
        return row | cell

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read what `to_row` returned."""
        own = {name: value for name, value in row.items() if name not in CellKey.names()}
        return cls(**own, cell=CellKey(**{name: row[name] for name in CellKey.names()}))
