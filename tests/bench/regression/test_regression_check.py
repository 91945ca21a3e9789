"""What a watched run does with its suspects; measuring itself is tested in test_second_look."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from mobilebench.bench.cli.events import EventLog
from mobilebench.bench.cli.progress import RunDisplay
from mobilebench.bench.config.suite import Suite
from mobilebench.bench.measure.run_context import RunContext
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.regression import regression_check as night
from mobilebench.bench.regression.regression_check import check_regressions, is_checked
from mobilebench.reports.history.finding import format_finding
from mobilebench.reports.history.suspects import LibraryPair
from mobilebench.reports.records.confirmation import Confirmation
from mobilebench.reports.records.record import Record
from mobilebench.reports.records.store import Run, Store
from mobilebench.targets.errors import BenchError
from tests.reports.conftest import make_record  # noqa: F401  a fixture

VARIANT = "mobilenet_v2_0.35_96"


@dataclass
class Farm:
    """Nights of one cell, and how much slower each of its libraries is."""

    store: Store
    directory: Path
    make_record: Callable[..., Record]
    slow: dict[str, float] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    gone: bool = False

    def night(self, latency_ms: float, slow: float = 1.0, **others: Any) -> list[str]:
        """Go through a night; return the kinds of what was found."""
        number = len(self.store.runs())
        run = Run(f"night-{number:02}", f"2026-01-{number + 1:02}T00:00:00+00:00", {})
        key = f"library-{number}"
        self.slow[key] = slow
        record = self.make_record(
            VARIANT,
            latency_ms=latency_ms * (1 + 0.004 * (-1) ** number),
            run_id=run.run_id,
            artifact_key=key,
            **others,
        )
        self.store.begin_run(run)
        generator = np.random.default_rng(number)
        rounds = np.abs(generator.normal(record.latency_p50_ms, 0.01, (5, 10)))
        self.store.add(record, rounds.tolist())
        return self.judge(run)

    def judge(self, run: Run) -> list[str]:
        """Return the kinds of what is found in a night whose rows are there."""
        context = self.context(run)
        with RunDisplay(Console(quiet=True), EventLog(None)) as progress:
            progress.begin(1)
            self.found = check_regressions(context, self.store, progress)
        return [finding.kind for finding in self.found]

    def context(self, run: Run) -> RunContext:
        return RunContext(run, Suite(variants=(VARIANT,)), (Weights(),), self.directory)

    def is_checked(self) -> bool:
        """Whether nothing of the last night is left to be measured again."""
        return is_checked(self.context(self.store.runs()[-1]), self.store)

    def remeasure(self, _context: Any, pair: LibraryPair) -> Confirmation:
        """Stand in for the device: a library takes as long as it is slow."""
        if self.gone:
            raise BenchError("the library is no longer in the cache")
        base, head = pair.bases[0], pair.head
        self.asked.append((base.artifact_key, head.artifact_key))
        generator = np.random.default_rng(len(self.asked))
        rounds = [
            (3 * self.slow[one.artifact_key] * generator.normal(1, 0.002, (10, 13))).tolist()
            for one in (base, head)
        ]
        when = "2026-01-01T00:00:00+00:00"
        return Confirmation(head.run_id, base.run_id, pair.cell, when, *rounds)


@pytest.fixture
def farm(
    tmp_path: Path,
    make_record: Callable[..., Record],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Farm]:
    with Store(str(tmp_path / "store.sqlite")) as store:
        made = Farm(store, tmp_path, make_record)
        monkeypatch.setattr(night, "remeasure_in", made.remeasure)
        yield made


def steady(farm: Farm, nights: int) -> None:
    for _ in range(nights):
        assert farm.night(3.0) == []


def test_a_slower_library_is_called_in_its_second_night(farm: Farm) -> None:
    steady(farm, 8)
    assert farm.asked == []
    assert farm.night(3.3, slow=1.1) == ["pending"]
    assert farm.night(3.3, slow=1.1) == ["regression"]
    (finding,) = farm.found
    assert finding.worse
    assert format_finding(finding).startswith(
        f"regression: {VARIANT} on workbench, 1 thread: latency 1.1"
    )
    assert len(farm.store.confirmations(["night-09"])) == 1


def test_an_interrupted_remeasurement_is_resumed(farm: Farm) -> None:
    steady(farm, 8)
    farm.night(3.3, slow=1.1)
    measured = list(farm.asked)
    assert farm.judge(farm.store.runs()[-1]) == ["pending"]
    assert farm.asked == measured


def test_a_night_is_checked_when_no_suspect_is_left(farm: Farm) -> None:
    steady(farm, 8)
    assert farm.is_checked()
    farm.gone = True
    farm.night(3.3, slow=1.1)
    assert not farm.is_checked()
    farm.gone = False
    farm.judge(farm.store.runs()[-1])
    assert farm.is_checked()


def test_a_slower_machine_is_measured_again_and_dismissed(farm: Farm) -> None:
    steady(farm, 8)
    assert farm.night(3.3) == ["dismissed"]
    assert len(farm.asked) >= 1


def test_what_cannot_be_measured_again_is_suspected(farm: Farm) -> None:
    steady(farm, 8)
    farm.gone = True
    assert farm.night(3.6, slow=1.2) == ["suspected"]


def test_with_two_nights_a_slower_library_is_confirmed_by_the_third(
    farm: Farm,
) -> None:
    steady(farm, 1)
    assert farm.night(3.6, slow=1.2) == ["pending"]
    assert farm.asked == [("library-0", "library-1")]
    assert [one.base_run_id for one in farm.store.confirmations(["night-01"])] == ["night-00"]
    assert farm.judge(farm.store.runs()[-1]) == ["pending"]
    assert farm.night(3.6, slow=1.2) == ["regression"]
    assert farm.found[0].since_run_id == "night-01"


def test_with_two_nights_a_slower_machine_is_dismissed(farm: Farm) -> None:
    steady(farm, 1)
    assert farm.night(3.6) == []
    assert farm.night(3.6) == []


def test_a_figure_without_noise_is_not_measured_again(farm: Farm) -> None:
    steady(farm, 2)
    kinds = farm.night(3.0, arena_bytes=10**9)
    assert "regression" in kinds
    assert farm.asked == []
