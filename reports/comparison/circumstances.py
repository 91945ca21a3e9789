"""Finds differences between two runs other than in the measured code."""

from collections.abc import Sequence
from statistics import median

from mobilebench.reports.comparison.comparison import Difference
from mobilebench.reports.records.calibration import calibration_change
from mobilebench.reports.records.environment import PARTS, SETTINGS, VERSIONS
from mobilebench.reports.records.record import Record

_DRIFT = 0.10  # of the calibration kernel, as in the warnings of a row


def differences(base: Sequence[Record], head: Sequence[Record]) -> list[Difference]:
    """Return the versions and settings that differ in HEAD, versions of runtimes included."""
    found = []
    for what, column in (VERSIONS | PARTS | SETTINGS).items():
        before, after = (
            sorted({str(getattr(record, column)) for record in records} - {""})
            for records in (base, head)
        )
        if before != after:
            found.append(Difference(what, ", ".join(before), ", ".join(after)))
    return found + _runtimes(base, head)


def _runtimes(base: Sequence[Record], head: Sequence[Record]) -> list[Difference]:
    """Return runtimes that both runs have in different versions."""
    before, after = (
        {record.runtime: record.runtime_version for record in records if record.runtime_version}
        for records in (base, head)
    )
    return [
        Difference(name, before[name], after[name])
        for name in sorted(before.keys() & after.keys() - {"tvm", "torch"})
        if before[name] != after[name]
    ]


def remarks(pairs: Sequence[tuple[Record, Record]]) -> list[str]:
    """Return remarks about all rows: whether the machine itself was slower or faster."""
    drifts = [drift for before, after in pairs if (drift := _drift(before, after)) is not None]
    middle = median(drifts) if drifts else 1.0
    if not _is_far(middle):
        return []
    cells = "1 cell" if len(drifts) == 1 else f"the median of {len(drifts)} cells"
    return [f"{_change(middle)} ({cells})"]


def doubts(before: Record, after: Record) -> list[str]:
    """Return the reasons to doubt a comparison of two rows."""
    found = [
        f"{side}: {record.warnings}"
        for side, record in (("BASE", before), ("HEAD", after))
        if record.warnings
    ]
    drift = _drift(before, after)
    if drift is not None and _is_far(drift):
        found.append(_change(drift))
    return found


def _change(drift: float) -> str:
    return calibration_change(drift, "in HEAD", "in BASE")


def _drift(before: Record, after: Record) -> float | None:
    base_ms, head_ms = before.calibration_before_ms, after.calibration_before_ms
    return head_ms / base_ms if base_ms and head_ms else None


def _is_far(drift: float) -> bool:
    return max(drift, 1 / drift) >= 1 + _DRIFT
