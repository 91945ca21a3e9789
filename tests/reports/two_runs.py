"""Two made-up runs to hold against each other."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mobilebench.reports.comparison.compare import compare_runs
from mobilebench.reports.comparison.comparison import CellChange, Comparison
from mobilebench.reports.comparison.ratio import Rounds
from mobilebench.reports.records.calibration import Calibration
from mobilebench.reports.records.record import Record
from mobilebench.reports.records.store import Run, Store

BASE = Run("20260101-000000-base", "2026-01-01T00:00:00+00:00", {})
HEAD = Run("20260102-000000-head", "2026-01-02T00:00:00+00:00", {})
RecordMaker = Callable[..., Record]


def rounds_ms(
    seed: int, times: float = 1.0, round_noise: float = 0.005, rounds: int = 5, samples: int = 30
) -> list[list[float]]:
    """Return samples around 3 ms, late more than early, in rounds that differ."""
    generator = np.random.default_rng(seed)
    of_rounds = generator.normal(0, round_noise, (rounds, 1))
    of_samples = np.abs(generator.normal(0, 0.02, (rounds, samples)))
    found: list[list[float]] = (3 * times * np.exp(of_rounds + of_samples)).tolist()
    return found


class Nights:
    """A store with two runs that are filled row by row."""

    def __init__(self, store: Store, make_record: RecordMaker) -> None:
        self.store = store
        self._make_record = make_record
        for run in (BASE, HEAD):
            store.begin_run(run)

    def add(
        self,
        run: Run,
        rounds: Rounds = (),
        calibrations: Sequence[Calibration] = (),
        **others: object,
    ) -> Record:
        """Write a row; without rounds one that failed, unless a status is given."""
        if not rounds:
            others = {"status": "crashed", "latency_ms": None} | others
        record = self._make_record(**others)
        record = replace(record, run_id=run.run_id)
        self.store.add(record, rounds, calibrations=calibrations)
        return record

    def add_both(self, times: float = 1.0, seed: int = 0, **others: object) -> None:
        """Write an ok row of both runs; HEAD takes so many times as long."""
        self.add(BASE, rounds_ms(2 * seed), **others)
        self.add(HEAD, rounds_ms(2 * seed + 1, times), **others)

    def compare(self, swapped: bool = False, threshold_percent: float = 5.0) -> Comparison:
        """Hold HEAD against BASE, or BASE against HEAD."""
        runs: Sequence[Run] = (HEAD, BASE) if swapped else (BASE, HEAD)
        return compare_runs(self.store, runs[0], runs[1], threshold_percent)

    def only(self) -> CellChange:
        """Return the one cell that both have."""
        (change,) = self.compare().cells
        return change
