"""Compares two runs, cell by cell."""

from collections.abc import Mapping, Sequence

import numpy as np

from mobilebench.reports.comparison.circumstances import differences, doubts, remarks
from mobilebench.reports.comparison.comparison import (
    CHANGED,
    SEVERITY,
    CellChange,
    Comparison,
    FigureChange,
    LatencyChange,
    Side,
    Speed,
)
from mobilebench.reports.comparison.machine_speed import Measured, why_unclear
from mobilebench.reports.comparison.matching import Row, match, nothing_shared
from mobilebench.reports.comparison.ratio import Pair, Ratio, ratios_of
from mobilebench.reports.comparison.watched import WATCHED, watched_change
from mobilebench.reports.errors import ReportError
from mobilebench.reports.records.calibration import Calibration
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.confirmation import Confirmation
from mobilebench.reports.records.record import Record
from mobilebench.reports.records.store import Run, Store

ALPHA = 0.05
THRESHOLD_PERCENT = 5.0


def compare_runs(
    store: Store, base: Run, head: Run, threshold_percent: float = THRESHOLD_PERCENT
) -> Comparison:
    """Compare HEAD with BASE.

    Raises ReportError if they are the same run or have no cell in common.
    """
    if base.run_id == head.run_id:
        raise ReportError(f"BASE and HEAD are both run {base.run_id}; name two different runs")
    rows: dict[str, list[Row]] = {base.run_id: [], head.run_id: []}
    for record, rounds_ms in store.measurements(list(rows)):
        rows[record.run_id].append((record, rounds_ms))
    store.require_rows([run_id for run_id, found in rows.items() if not found], "compare")
    matched = match(rows[base.run_id], rows[head.run_id])
    if not matched.pairs:
        why = nothing_shared(rows[base.run_id], rows[head.run_id])
        raise ReportError(f"runs {base.run_id} and {head.run_id} have no cell in common: {why}")
    again = _measured_again(store.confirmations(list(rows)), base, head)
    speeds = store.calibrations(list(rows))
    changes = _changes(matched.pairs, again, speeds, threshold_percent)
    before, after = ([record for record, _ in found] for found in rows.values())
    records = [(own[0], other[0]) for own, other in matched.pairs.values()]
    return Comparison(
        base=Side(base.run_id, base.started_at, len(before)),
        head=Side(head.run_id, head.started_at, len(after)),
        differences=tuple(differences(before, after)),
        remarks=tuple(remarks(records)),
        threshold_percent=threshold_percent,
        alpha=ALPHA,
        cells=tuple(sorted(changes, key=_worst_first)),
        new=matched.new,
        gone=matched.gone,
    )


def adjust(p: Sequence[float]) -> list[float]:
    """Return p values adjusted for their number, by Benjamini and Hochberg (1995).

    Of what is called a change at 5 %, at most 5 % are none, on average; where nothing has changed,
    anything at all is called one in at most 5 % of comparisons. (Holm's method would promise the
    latter of every comparison, and miss small changes for it.)

    scipy.stats.false_discovery_control gives the same, and takes half a second to import.
    """
    values = np.asarray(p, np.float64)
    order = values.argsort(kind="stable")[::-1]  # the largest first
    raised = values[order] * len(values) / np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum.accumulate(raised).clip(max=1)
    return list(adjusted.tolist())


def speed_verdict(ratio: Ratio, p_adjusted: float, threshold_percent: float) -> Speed:
    """Return the verdict on a ratio.

    `same` if the whole interval is within the threshold; `slower` (`faster`) if the ratio is beyond
    it, the whole interval above (below) 1 and the adjusted p below ALPHA; else `unclear`. Within
    the threshold is from 1 / (1 + t) to 1 + t, so that swapping base and head mirrors the verdict.
    """
    most = 1 + threshold_percent / 100
    if 1 / most <= ratio.low and ratio.high <= most:
        return "same"
    if p_adjusted < ALPHA and ratio.ratio > most and ratio.low > 1:
        return "slower"
    if p_adjusted < ALPHA and ratio.ratio < 1 / most and ratio.high < 1:
        return "faster"
    return "unclear"


def _measured_again(
    confirmations: Sequence[Confirmation], base: Run, head: Run
) -> dict[CellKey, Pair]:
    """Return samples of suspects of these two runs that were measured again."""
    found = {}
    for one in confirmations:
        rounds = (one.base_rounds_ms, one.head_rounds_ms)
        if (one.base_run_id, one.run_id) == (head.run_id, base.run_id):
            rounds = rounds[::-1]
        elif (one.base_run_id, one.run_id) != (base.run_id, head.run_id):
            continue
        if all(any(side) for side in rounds):
            found[one.cell] = Pair(*rounds, beside=len(rounds[0]) == len(rounds[1]))
    return found


def _changes(
    pairs: dict[CellKey, tuple[Row, Row]],
    again: dict[CellKey, Pair],
    speeds: Mapping[tuple[str, CellKey], Sequence[Calibration]],
    threshold_percent: float,
) -> list[CellChange]:
    timed = {}
    for cell, ((before, base_ms), (after, head_ms)) in pairs.items():
        emulated = before.emulated or after.emulated  # then latency is the emulator's
        both_ok = before.status == after.status == "ok"
        if both_ok and not emulated and any(base_ms) and any(head_ms):
            timed[cell] = again.get(cell) or Pair(base_ms, head_ms)
    ratios = ratios_of(list(timed.values()))
    adjusted = adjust([ratio.p for ratio in ratios])
    latencies = {}
    for cell, ratio, p in zip(timed, ratios, adjusted, strict=True):
        verdict, why = speed_verdict(ratio, p, threshold_percent), ""
        if verdict in CHANGED and cell not in again:
            base, head = (
                Measured(record, speeds.get((record.run_id, CellKey.of(record)), ()))
                for record, _ in pairs[cell]
            )
            why = why_unclear(base, head, ratio, threshold_percent)
        latencies[cell] = LatencyChange(
            **vars(ratio),
            p_adjusted=p,
            verdict="unclear" if why else verdict,
            why_unclear=why,
            confirmed=cell in again,
        )
    return [
        _change(cell, before, after, latencies.get(cell))
        for cell, ((before, _), (after, _)) in pairs.items()
    ]


def _change(
    cell: CellKey, before: Record, after: Record, latency: LatencyChange | None
) -> CellChange:
    figures = []
    for watched in WATCHED if before.status == after.status == "ok" else ():
        change = watched_change(watched, before, after)
        if change:
            base, head = (getattr(record, watched.column) for record in (before, after))
            figures.append(FigureChange(watched.column, watched.name, base, head, change))
    return CellChange(
        cell=cell,
        emulated=before.emulated or after.emulated,
        base_status=before.status,
        head_status=after.status,
        head_error=after.error,
        latency=latency,
        figures=tuple(figures),
        doubts=(*filter(None, [latency.why_unclear]), *doubts(before, after)) if latency else (),
    )


def _worst_first(change: CellChange) -> tuple[int, float, CellKey]:
    ratio = change.latency.ratio if change.latency else 1.0
    return SEVERITY.index(change.verdict), -abs(np.log(ratio)), change.cell
