"""A change of a figure that a nightly run shows, compared with earlier runs."""

from dataclasses import dataclass
from typing import Literal

from mobilebench.reports.records.cell_key import CellKey

_SMALL = 0.05  # a change of what has no noise that two digits would not show

Kind = Literal["regression", "improvement", "pending", "suspected", "dismissed"]
"""
regression   worse in two nights in a row; the only kind that fails a run
improvement  better in two nights in a row
pending      shown tonight; the next night must confirm it
suspected    looks like a change, and could not be measured again
dismissed    looked like a change, but the library is not the cause
"""


@dataclass(frozen=True)
class Finding:
    """A change, and whether it was confirmed."""

    kind: Kind
    cell: CellKey
    column: str  # of the record
    name: str  # what reports call the figure
    worse: bool
    ratio: float  # tonight's over what it was
    low: float | None  # 95 % interval; None of what has no noise
    high: float | None
    since_run_id: str  # the first night on the new level, as far as can be told
    why: str


def title_of(cell: CellKey) -> str:
    """Return a cell's short name: variant, device and how it is measured."""
    return f"{cell.variant} on {cell.device}, {cell.settings}"


def format_finding(finding: Finding) -> str:
    """Return a finding as a line."""
    digits = 2 if finding.low is not None or abs(finding.ratio - 1) >= _SMALL else 4
    of = "" if finding.low is None else f" [{finding.low:.2f}, {finding.high:.2f}]"
    times = f"{finding.ratio:.{digits}f} times what it was{of}"
    return f"{finding.kind}: {title_of(finding.cell)}: {finding.name} {times}; {finding.why}"
