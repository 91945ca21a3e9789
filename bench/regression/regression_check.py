"""Checks a run for regressions: cells that seem to have changed are measured again."""

from collections.abc import Sequence

from mobilebench.bench.measure.progress import RunProgress
from mobilebench.bench.measure.run_context import RunContext
from mobilebench.bench.regression.confirm import seems_changed
from mobilebench.bench.regression.remeasure import remeasure_in
from mobilebench.reports.comparison.compare import compare_runs
from mobilebench.reports.errors import ReportError
from mobilebench.reports.history.figure_changes import judge_figures
from mobilebench.reports.history.finding import Finding, title_of
from mobilebench.reports.history.history import find_suspects, judge, second_pairs
from mobilebench.reports.history.outcomes import CHANGES, Outcomes, outcomes_of
from mobilebench.reports.history.screening import FEWEST
from mobilebench.reports.history.suspects import Library, LibraryPair
from mobilebench.reports.history.timeline import LATENCY, Timeline, read_timeline, recent_nights
from mobilebench.reports.records.store import Store
from mobilebench.targets.errors import BenchError


def check_regressions(context: RunContext, store: Store, progress: RunProgress) -> list[Finding]:
    """Return what has changed in a run, compared with earlier runs.

    Suspects are measured again, and the store keeps the result. If that is impossible, the check
    does not fail; the finding gives the reason.
    """
    timeline = read_timeline(store, recent_nights(store, context.run))
    outcomes = _outcomes(store, timeline)
    suspects = find_suspects(timeline, outcomes)
    first = [one.pair for one in suspects if one.pair is not None]
    young = _without_history(context, store, timeline)
    outcomes = _remeasure_all(context, store, progress, timeline, [*first, *young])
    second = second_pairs(suspects, outcomes)
    outcomes = _remeasure_all(context, store, progress, timeline, second)
    return [*judge(suspects, outcomes), *_pending(young, outcomes), *judge_figures(timeline)]


def is_checked(context: RunContext, store: Store) -> bool:
    """Whether no suspect of a run, compared with earlier runs, is left to be measured again."""
    timeline = read_timeline(store, recent_nights(store, context.run))
    outcomes = _outcomes(store, timeline)
    suspects = find_suspects(timeline, outcomes)
    pairs = [one.pair for one in suspects if one.pair is not None]
    pairs += _without_history(context, store, timeline)
    pairs += second_pairs(suspects, outcomes)
    return all((pair.head.run_id, pair.cell) in outcomes for pair in pairs)


def _outcomes(store: Store, timeline: Timeline) -> Outcomes:
    return outcomes_of(store.confirmations([run.run_id for run in timeline.nights]))


def _without_history(context: RunContext, store: Store, timeline: Timeline) -> list[LibraryPair]:
    """Return suspects from two runs alone, where the history is too short to know its scatter."""
    if len(timeline.nights) < 2:
        return []
    nights = timeline.texts("artifact_key")
    keys = dict(zip(timeline.cells, nights, strict=True))
    last, tonight = timeline.nights[-2:]
    try:
        changes = compare_runs(store, last, tonight).cells
    except ReportError:  # the two runs have no cell in common
        return []
    pairs = []
    for change in changes:
        own, latency = keys.get(change.cell), change.latency
        if own is None or latency is None or (own != "").sum() > FEWEST:
            continue
        if not seems_changed(change):
            continue
        if own[-2] and own[-1] and own[-2] != own[-1]:
            base, head = Library(last.run_id, own[-2]), Library(tonight.run_id, own[-1])
            pairs.append(LibraryPair(change.cell, (base,), head))
    return pairs


def _pending(pairs: Sequence[LibraryPair], outcomes: Outcomes) -> list[Finding]:
    """Return a finding for each repeated measurement; the next nightly run must confirm it."""
    findings = []
    for pair in pairs:
        outcome = outcomes.get((pair.head.run_id, pair.cell))
        if outcome is None or outcome.verdict not in CHANGES:
            continue
        why = f"measured beside run {outcome.base_run_id}'s library; the next run must confirm it"
        finding = Finding(
            kind="pending",
            cell=pair.cell,
            column=LATENCY,
            name="latency",
            worse=outcome.verdict == "worse",
            ratio=outcome.ratio,
            low=outcome.low,
            high=outcome.high,
            since_run_id=pair.head.run_id,
            why=why,
        )
        findings.append(finding)
    return findings


def _remeasure_all(
    context: RunContext,
    store: Store,
    progress: RunProgress,
    timeline: Timeline,
    pairs: Sequence[LibraryPair],
) -> Outcomes:
    """Measure pairs of libraries, one after the other; return all outcomes known after that.

    The worst suspects come first. Pairs that an interrupted run measured are not measured again.
    """
    known = _outcomes(store, timeline)
    for pair in pairs:
        cell = pair.cell
        if (pair.head.run_id, cell) in known:
            continue
        beside = f"measure again beside run {pair.bases[0].run_id}'s library"
        progress.stage(title_of(cell), beside)
        try:
            store.add_confirmation(remeasure_in(context, pair))
        except BenchError as error:
            progress.warn(f"{title_of(cell)}: not measured again: {error}")
        progress.step(title_of(cell), "")
    return _outcomes(store, timeline)
