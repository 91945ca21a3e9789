"""Which rows of two runs are of the same cell."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mobilebench.reports.comparison.comparison import Lone
from mobilebench.reports.comparison.ratio import Rounds
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.record import Record

_NO_BOARD = "no_device"
_UNNAMED = "any "  # begins the device of a row that never had a board: any KEY

Row = tuple[Record, Rounds]
Rows = dict[CellKey, Row]


@dataclass(frozen=True)
class Matched:
    """Rows of BASE and HEAD by cell, and the cells that one of them has alone."""

    pairs: dict[CellKey, tuple[Row, Row]]
    new: tuple[Lone, ...]
    gone: tuple[Lone, ...]


def match(base: Sequence[Row], head: Sequence[Row]) -> Matched:
    """Match rows by cell; different devices are never compared.

    Rows that found no board are ignored. A row that failed before it had a board, for example in
    the compiler, has no device: it is compared with the other run's row on any board, by status
    only, because a failed row has nothing else.
    """
    before, after = _measured(base), _measured(head)
    pairs = {cell: (before[cell], row) for cell, row in after.items() if cell in before}
    for cell, row in after.items():
        for other in _elsewhere(cell, before, after):
            pairs[other] = (before[other], row)
    for cell, row in before.items():
        for other in _elsewhere(cell, after, before):
            pairs[other] = (row, after[other])
    return Matched(pairs, _alone(after, pairs, base), _alone(before, pairs, head))


def nothing_shared(base: Sequence[Row], head: Sequence[Row]) -> str:
    """Return the reason why no row of BASE matches one of HEAD."""
    for name in CellKey.names():
        values = [sorted({str(getattr(row[0], name)) for row in rows}) for rows in (base, head)]
        if not set(values[0]) & set(values[1]):
            ours, theirs = (", ".join(some[:3]) for some in values)
            return f"{name} is {ours} in BASE and {theirs} in HEAD"
    return f"no row of both has the same {', '.join(CellKey.names())}"


def _measured(rows: Sequence[Row]) -> Rows:
    return {CellKey.of(row[0]): row for row in rows if row[0].status != _NO_BOARD}


def _elsewhere(cell: CellKey, others: Rows, own: Rows) -> list[CellKey]:
    """Return the others' cells that one without a board may stand for."""
    if not cell.device.startswith(_UNNAMED) or cell in others:
        return []
    return [
        other for other in others if other not in own and replace(other, device=cell.device) == cell
    ]


def _alone(
    own: Rows, pairs: dict[CellKey, tuple[Row, Row]], other_rows: Sequence[Row]
) -> tuple[Lone, ...]:
    used = {id(row) for pair in pairs.values() for row in pair}
    boardless = {
        CellKey.of(record).on_any_device: f"{record.status}: {record.error}"
        for record, _ in other_rows
        if record.status == _NO_BOARD
    }
    found = [
        Lone(
            cell,
            emulated=record.emulated,
            status=record.status,
            why=boardless.get(cell.on_any_device, ""),
        )
        for cell, (record, samples) in own.items()
        if id(own[cell]) not in used
    ]
    return tuple(sorted(found, key=lambda lone: lone.cell))
