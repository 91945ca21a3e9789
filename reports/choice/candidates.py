"""What can be chosen on a target: the newest good row of every cell, with all that decides."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from mobilebench.reports.choice.known_accuracy import AccuracyBook, KnownAccuracy
from mobilebench.reports.errors import ReportError
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.newest import newest_examined, newest_of_target
from mobilebench.reports.records.record import UNSUPPORTED, Record
from mobilebench.reports.records.store import Store

Kind = tuple[bool, str, str]
"""Whether devices are emulated, their CPU, and the accelerator where that is not the CPU."""


@dataclass(frozen=True)
class Wanted:
    """Which rows may be chosen; empty tuples and names allow all."""

    target: str
    task: str
    precisions: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()
    threads: tuple[int, ...] = ()
    device: str = ""

    def allows(self, row: Record) -> bool:
        """Whether a row is one of these, on whichever device."""
        return (
            row.task == self.task
            and (not self.precisions or row.precision in self.precisions)
            and (not self.runtimes or row.runtime in self.runtimes)
            and (not self.threads or row.threads in self.threads)
        )


@dataclass(frozen=True)
class Candidate:
    """A network at a precision, in a runtime, on so many threads, and what it takes."""

    cell: CellKey
    height: int  # of the input, in pixels
    width: int
    latency_ms: float
    latency_low_ms: float | None  # of the median's 95 % interval
    latency_high_ms: float | None
    memory_bytes: int | None
    memory_planned: bool  # weights and planned activations; else by how much the process grew
    accuracy: KnownAccuracy | None
    warnings: str = ""
    run_id: str = ""
    record_id: int = 0
    estimated: str = ""  # how its latency was estimated; empty if it was measured


@dataclass(frozen=True)
class NotCounted:
    """A cell without a good row, and why."""

    cell: CellKey
    status: str
    error: str


@dataclass(frozen=True)
class TargetRows:
    """What a store has of a target."""

    candidates: tuple[Candidate, ...] = ()
    not_counted: tuple[NotCounted, ...] = ()
    devices: tuple[str, ...] = ()
    emulated: bool = False
    measured: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    """The variants and precisions that have a row, good or not."""
    kind: Kind | None = None
    """Of the devices; None without a good row."""


def read_target(store: Store, wanted: Wanted) -> TargetRows:
    """Return what may be chosen on a target.

    The newest row of a cell counts, whatever older ones say. Of a cell that was measured on several
    devices of one kind the slowest counts: a budget is to hold on each of them. Raises ReportError
    if the devices are not of one kind (emulated and real ones, or different CPUs).
    """
    newest = newest_of_target(store.database, wanted.target)
    rows = [(number, row) for number, row in newest if wanted.allows(row)]
    rows = _on_device(rows, wanted)
    timed = [row for _, row in rows if is_timed(row)]
    _check_one_kind(timed, wanted.target)
    return gather(rows, AccuracyBook(newest_examined(store.database)))


def gather(rows: Sequence[tuple[int, Record]], book: AccuracyBook) -> TargetRows:
    """Return what may be chosen of the newest rows of cells on devices of one kind, numbered.

    A budget is of one image at a time: rows of batches and of several streams are left out.
    """
    rows = [(number, row) for number, row in rows if row.batch == row.streams == 1]
    timed = [row for _, row in rows if is_timed(row)]
    candidates, not_counted = [], []
    for _, alike in groupby(sorted(rows, key=_by_cell), key=_by_cell):
        own = list(alike)
        good = [(number, row) for number, row in own if is_timed(row)]
        bad = [row for _, row in own if not is_timed(row)]
        if good and not any(row.status == "wrong" for row in bad):
            slowest = max(good, key=lambda one: one[1].latency_p50_ms or 0.0)
            candidates.append(_candidate(*slowest, book))
        elif any(row.status != UNSUPPORTED for row in bad):
            worst = next((row for row in bad if row.status == "wrong"), bad[-1])
            not_counted.append(NotCounted(CellKey.of(worst), worst.status, worst.error))
    return TargetRows(
        tuple(candidates),
        tuple(not_counted),
        tuple(dict.fromkeys(row.device for row in timed)),
        any(row.emulated for row in timed),
        frozenset((row.variant, row.precision) for _, row in rows if row.status != UNSUPPORTED),
        kind_of(timed[0]) if timed else None,
    )


def is_timed(row: Record) -> bool:
    """Whether a row has a latency that may be shown as a result."""
    return row.status == "ok" and row.latency_p50_ms is not None


def kind_of(row: Record) -> Kind:
    """Return what devices must share before latencies on them may be compared."""
    return row.emulated, row.cpu_model, row.accelerator


def _by_cell(numbered: tuple[int, Record]) -> CellKey:
    return numbered[1].key


def _on_device(rows: Sequence[tuple[int, Record]], wanted: Wanted) -> list[tuple[int, Record]]:
    if not wanted.device:
        return list(rows)
    found = [(number, row) for number, row in rows if row.device == wanted.device]
    known = sorted({row.device for _, row in rows if is_timed(row)})
    if not found and known:
        raise ReportError(
            f"device {wanted.device!r}: nothing of target {wanted.target} was measured on it; "
            f"give one of {', '.join(known)}"
        )
    return found


def _check_one_kind(rows: Iterable[Record], target: str) -> None:
    """Raise ReportError if latencies are of devices that are not alike."""
    kinds: dict[Kind, list[str]] = {}
    for row in rows:
        devices = kinds.setdefault(kind_of(row), [])
        if row.device not in devices:
            devices.append(row.device)
    if len(kinds) < 2:
        return
    named = "; ".join(
        f"{', '.join(devices)}: {'emulated' if emulated else accelerator or cpu or 'unknown CPU'}"
        for (emulated, cpu, accelerator), devices in kinds.items()
    )
    what = "emulated and real devices" if len({one[0] for one in kinds}) > 1 else "unlike devices"
    raise ReportError(
        f"target {target}: its rows are of {what}, which are not compared ({named}); give one with "
        "--device"
    )


def _candidate(number: int, row: Record, book: AccuracyBook) -> Candidate:
    assert row.latency_p50_ms is not None
    planned = row.params_bytes is not None and row.arena_bytes is not None
    return Candidate(
        cell=CellKey.of(row),
        height=row.height,
        width=row.width,
        latency_ms=row.latency_p50_ms,
        latency_low_ms=row.latency_ci95_low_ms,
        latency_high_ms=row.latency_ci95_high_ms,
        memory_bytes=_memory(row),
        memory_planned=planned,
        accuracy=book.look_up(row),
        warnings=row.warnings,
        run_id=row.run_id,
        record_id=number,
    )


def _memory(row: Record) -> int | None:
    """Return weights and planned activations; what is not planned is seen in the process's size."""
    if row.params_bytes is not None and row.arena_bytes is not None:
        return row.params_bytes + row.arena_bytes
    if row.peak_rss_bytes is not None and row.base_rss_bytes is not None:
        return max(0, row.peak_rss_bytes - row.base_rss_bytes)
    return None
