"""Candidates that were never measured, estimated from the kernels of those that were."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mobilebench.reports.choice.candidates import Candidate, TargetRows, Wanted, is_timed, kind_of
from mobilebench.reports.choice.estimate import (
    LEAST_NETWORKS,
    Errors,
    Estimator,
    Outline,
    Timed,
    leave_one_out,
    timed,
)
from mobilebench.reports.choice.known_accuracy import published
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.newest import newest_with_kernels
from mobilebench.reports.records.record import Record
from mobilebench.reports.records.store import Store


@dataclass(frozen=True)
class Basis:
    """Networks whose kernels were timed in one setting, and how good estimates from them are."""

    setting: Record  # a row of it
    networks: tuple[Timed, ...]
    errors: Errors

    @property
    def words(self) -> str:
        """How estimates are made, and how far they are off."""
        errors = self.errors
        off = f"{100 * errors.median:.1f} % (median), {100 * errors.p90:.1f} % (90th percentile)"
        return (
            f"from the kernels of {errors.networks} measured networks, of which each, estimated "
            f"from the others, is off by {off}"
        )


def find_bases(
    store: Store, wanted: Wanted, rows: TargetRows, outlines: Mapping[str, Outline]
) -> list[Basis]:
    """Return what can be estimated from, a basis for each precision, thread count and goal.

    The newest row with kernels of each cell counts, on devices of the kind that the choice is for.
    """
    found: dict[tuple[str, int, str], list[tuple[int, Record]]] = {}
    for number, row in newest_with_kernels(store.database, wanted.target):
        alike = rows.kind is None or kind_of(row) == rows.kind
        on_device = not wanted.device or row.device == wanted.device
        if alike and on_device and wanted.allows(row) and is_timed(row) and row.variant in outlines:
            setting = (row.precision, row.threads, row.optimize_for)
            found.setdefault(setting, []).append((number, row))
    bases = []
    for numbered in found.values():
        networks = _networks(store, numbered, outlines)
        if len(networks) > LEAST_NETWORKS:
            errors = leave_one_out(networks)
            bases.append(Basis(numbered[0][1], tuple(networks), errors))
    return bases


def with_estimates(
    rows: TargetRows, bases: Sequence[Basis], outlines: Mapping[str, Outline]
) -> TargetRows:
    """Add a candidate for each published network that was not measured in the setting of a basis.

    Its accuracy is the published one.
    """
    return replace(rows, candidates=(*rows.candidates, *_candidates(rows, bases, outlines)))


def _networks(
    store: Store, numbered: Sequence[tuple[int, Record]], outlines: Mapping[str, Outline]
) -> list[Timed]:
    """Return the networks of rows, one each: of several weights or devices the newest."""
    newest = {row.variant: (number, row) for number, row in numbered}
    kernels = store.kernels_of(number for number, _ in newest.values())
    made = [
        timed(
            outlines[row.variant],
            kernels.get(number, ()),
            row.latency_p50_ms or 0.0,
            row.params_bytes,
            row.arena_bytes,
        )
        for number, row in newest.values()
    ]
    return [one for one in made if one is not None]


def _candidates(
    rows: TargetRows, bases: Sequence[Basis], outlines: Mapping[str, Outline]
) -> Iterator[Candidate]:
    for basis in bases:
        setting, estimator = basis.setting, Estimator(basis.networks)
        cells = [one.cell for one in rows.candidates] + [one.cell for one in rows.not_counted]
        alike = [cell for cell in cells if _setting(cell) == _setting(CellKey.of(setting))]
        measured = {cell.variant for cell in alike}
        for name, outline in outlines.items():
            accuracy = published(name, setting.task, setting.precision)
            if name in measured or accuracy is None:
                continue
            made = estimator.estimate(outline)
            memory = None if made.memory_bytes is None else round(made.memory_bytes)
            cell = replace(CellKey.of(setting), variant=name, weights="", device="")
            share = f"{100 * made.interpolated:.0f} % of its time is of shapes never measured"
            yield Candidate(
                cell=cell,
                height=outline.height,
                width=outline.width,
                latency_ms=made.latency_ms,
                latency_low_ms=None,
                latency_high_ms=None,
                memory_bytes=memory,
                memory_planned=True,
                accuracy=accuracy,
                estimated=f"{basis.words}; {share}",
            )


def _setting(cell: CellKey) -> tuple[str, str, int, str]:
    return cell.runtime, cell.precision, cell.threads, cell.optimize_for
