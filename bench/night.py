"""After a night's rows: who looks changed, measured again before it is called."""

from collections.abc import Sequence

from bench.latency import find_profile
from bench.on_device import Bench
from bench.plan import Context
from bench.progress import Progress
from bench.second_look import look_again
from reports.compare import compare_runs
from reports.comparison import Cell
from reports.errors import ReportError
from reports.figures import judge_figures
from reports.finding import Finding
from reports.first_look import FEWEST
from reports.history import find_suspects, judge, second_pairs
from reports.outcomes import outcomes_of
from reports.store import Store
from reports.suspects import Library, LibraryPair
from reports.timeline import Timeline, read_timeline, recent_nights
from targets.errors import BenchError
from targets.target import Target

PROFILE = "standard"  # of what is measured again: ten rounds tell more than five


def judge_night(context: Context, store: Store, progress: Progress) -> list[Finding]:
    """Say what has changed in a run, beside the nights before it.

    Suspects are measured again, and the store keeps that. What could not be measured is no reason
    to fail: the finding says so.
    """
    timeline = read_timeline(store, recent_nights(store, context.run))
    targets = {target.name: target for target in context.targets}
    outcomes = outcomes_of(store.confirmations([run.run_id for run in timeline.nights]))
    suspects = find_suspects(timeline, outcomes)
    pairs = [one.pair for one in suspects if one.pair is not None]
    pairs += _without_history(context, store, timeline)
    _look_again(context, store, progress, targets, pairs)
    outcomes = outcomes_of(store.confirmations([run.run_id for run in timeline.nights]))
    _look_again(context, store, progress, targets, second_pairs(suspects, outcomes))
    outcomes = outcomes_of(store.confirmations([run.run_id for run in timeline.nights]))
    return [*judge(suspects, outcomes), *judge_figures(timeline)]


def told(finding: Finding) -> str:
    """Return a finding as a line."""
    of = "" if finding.low is None else f" [{finding.low:.2f}, {finding.high:.2f}]"
    return (
        f"{finding.kind}: {_title(finding.cell)}: {finding.name} {finding.ratio:.2f} times what it "
        f"was{of}; {finding.why}"
    )


def _without_history(context: Context, store: Store, timeline: Timeline) -> list[LibraryPair]:
    """Return whom two nights alone make a suspect: the history is too short to know its scatter.

    Nothing is called for that; `mobilebench compare` finds the confirmation.
    """
    if len(timeline.nights) < 2:
        return []
    nights = timeline.texts("artifact_key")
    keys = dict(zip(timeline.cells, nights, strict=True))
    last, tonight = timeline.nights[-2:]
    try:
        changes = compare_runs(store, last, tonight).cells
    except ReportError:  # they have nothing in common
        return []
    pairs = []
    for change in changes:
        own, latency = keys.get(change.cell), change.latency
        if own is None or latency is None or (own != "").sum() > FEWEST:
            continue
        if latency.verdict not in ("slower", "faster") or latency.confirmed:
            continue
        if own[-2] and own[-1] and own[-2] != own[-1]:
            base, head = Library(last.run_id, own[-2]), Library(tonight.run_id, own[-1])
            pairs.append(LibraryPair(change.cell, (base,), head))
    return pairs


def _look_again(
    context: Context,
    store: Store,
    progress: Progress,
    targets: dict[str, Target],
    pairs: Sequence[LibraryPair],
) -> None:
    """Measure pairs of libraries, one after the other; the worst suspects come first."""
    for pair in pairs:
        title = _title(pair.cell)
        progress.stage(title, f"measure again beside run {pair.bases[0].run_id}'s library")
        try:
            store.add_confirmation(look_again(_bench(context, targets, pair.cell), pair))
        except BenchError as error:
            progress.warn(f"{title}: not measured again: {error}")


def _bench(context: Context, targets: dict[str, Target], cell: Cell) -> Bench:
    target = targets[cell.target]
    return Bench(
        target=target,
        threads=cell.threads,
        time_limit_s=context.suite.time_limit_s,
        cache_dir=context.cache_dir,
        farm=context.farm(target),
        profile=find_profile(PROFILE),
    )


def _title(cell: Cell) -> str:
    threads = "1 thread" if cell.threads == 1 else f"{cell.threads} threads"
    return f"{cell.variant} on {cell.device}, {threads}"
