"""Two real libraries of one network, measured again beside each other."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mobilebench.bench.build.artifact import Artifact
from mobilebench.bench.config.effort import Effort
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.regression import remeasure as second_look
from mobilebench.bench.regression.remeasure import remeasure
from mobilebench.reports.history.outcomes import outcomes_of
from mobilebench.reports.history.suspects import Library, LibraryPair
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.devices.farm import Farm
from mobilebench.targets.devices.own_name import own_device_name
from mobilebench.targets.errors import BenchError
from mobilebench.targets.rpc.tracker import Tracker
from tests.bench.regression.conftest import VARIANT

HERE = own_device_name()
CELL = CellKey("native", HERE, 1, "float32", "latency", VARIANT, "random(seed 0)", "tvm")
BRIEF = Effort("brief", warm_up_s=0.0, min_samples=12, min_duration_s=0.0, rounds=4)


@pytest.fixture
def config(cache_dir: Path) -> MeasurementConfig:
    return MeasurementConfig(find_target("native"), 1, 120, cache_dir, effort=BRIEF)


def test_both_libraries_are_measured_in_turns(
    config: MeasurementConfig, libraries: tuple[Artifact, Artifact]
) -> None:
    base, head = (Library(run, one.key) for run, one in zip(("old", "new"), libraries, strict=True))
    gone = Library("older", "gone-from-the-cache")
    found = remeasure(config, LibraryPair(CELL, (gone, base), head))
    assert (found.run_id, found.base_run_id) == ("new", "old")
    assert found.cell == CELL
    for rounds in (found.base_rounds_ms, found.head_rounds_ms):
        assert [len(one) for one in rounds] == [3] * 4
        assert all(sample > 0 for one in rounds for sample in one)
    (outcome,) = outcomes_of([found]).values()
    assert outcome.base_run_id == "old"
    assert 0 < outcome.low <= outcome.ratio <= outcome.high


class FakeBoard:
    """A session that remembers that it was ended."""

    closed = False

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(("wanted", "got"), [("pi-2", 1), ("pi-9", 2)])
def test_the_cell_s_own_board_is_used_and_others_are_released(
    config: MeasurementConfig, monkeypatch: pytest.MonkeyPatch, wanted: str, got: int
) -> None:
    boards = [FakeBoard() for _ in range(3)]
    granted = iter(zip(boards, ("pi-1", "pi-2", "pi-3"), strict=True))

    def open_device(_config: MeasurementConfig) -> tuple[FakeBoard, SimpleNamespace]:
        board, name = next(granted)
        return board, SimpleNamespace(name=name)

    monkeypatch.setattr(second_look, "open_device", open_device)
    monkeypatch.setattr(second_look, "boards_of", lambda _tracker, _key: ("a", "b", "c"))
    farm = replace(config, farm=Farm(Tracker("127.0.0.1", 1)))
    device: Any = second_look._device_of(farm, wanted)
    assert device is boards[got]
    assert [board.closed for board in boards] == [number < got for number in range(3)]


@pytest.mark.parametrize("gone", ["head", "base"])
def test_a_missing_library_is_reported_in_one_line(
    config: MeasurementConfig, libraries: tuple[Artifact, Artifact], gone: str
) -> None:
    there, missing = Library("there", libraries[0].key), Library("missing", "no-such-library")
    pair = LibraryPair(CELL, (there,), missing)
    if gone == "base":
        pair = LibraryPair(CELL, (missing,), there)
    with pytest.raises(BenchError, match=r"^the library of run missing is no longer in the cache$"):
        remeasure(config, pair)


def test_a_crashing_library_is_reported_in_one_line(
    config: MeasurementConfig, libraries: tuple[Artifact, Artifact], tmp_path: Path
) -> None:
    library = Library("there", libraries[0].key)
    cell = replace(CELL, variant="mobilenet_v2_0.35_64_t1")  # another shape of input
    with pytest.raises(BenchError) as refusal:
        remeasure(config, LibraryPair(cell, (library,), library))
    assert "\n" not in str(refusal.value)
