"""A second look at a suspect: what it was compared with and itself, measured again together."""

from collections.abc import Sequence
from dataclasses import dataclass

from mobilebench.reports.records.cell_key import Cell

Rounds = list[list[float]]  # milliseconds


@dataclass(frozen=True)
class Confirmation:
    """Both artifacts of a suspect, measured again in the same night, interleaved on one device.

    The base is the artifact of an earlier run, the head that of the night's own; the samples are
    milliseconds, a list per round, and round n of the one was measured beside round n of the other.
    """

    run_id: str  # the night that the suspect is of
    base_run_id: str
    variant: str
    target: str
    device: str
    runtime: str
    threads: int
    precision: str
    weights: str
    measured_at: str  # UTC, ISO 8601
    base_rounds_ms: Rounds
    head_rounds_ms: Rounds

    @staticmethod
    def of(
        cell: Cell, base_run_id: str, run_id: str, measured_at: str, rounds_ms: Sequence[Rounds]
    ) -> "Confirmation":
        """Return the confirmation of a cell; the rounds are base's and head's."""
        base_rounds_ms, head_rounds_ms = rounds_ms
        return Confirmation(
            run_id=run_id,
            base_run_id=base_run_id,
            variant=cell.variant,
            target=cell.target,
            device=cell.device,
            runtime=cell.runtime,
            threads=cell.threads,
            precision=cell.precision,
            weights=cell.weights,
            measured_at=measured_at,
            base_rounds_ms=base_rounds_ms,
            head_rounds_ms=head_rounds_ms,
        )
