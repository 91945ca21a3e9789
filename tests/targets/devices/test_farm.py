import dataclasses
from pathlib import Path

import psutil
import pytest

from mobilebench.targets.catalog.target import Target, find_target
from mobilebench.targets.devices.farm import TRACKER_VARIABLE, WAIT_S, Farm, find_farm
from mobilebench.targets.emulated.running import Running, note_running, running_file
from mobilebench.targets.errors import BenchError
from mobilebench.targets.rpc.tracker import Tracker

BOARD = dataclasses.replace(find_target("native"), name="board", tracker_key="x")
EMULATED = dataclasses.replace(BOARD, emulated=True)


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TRACKER_VARIABLE, raising=False)


def started(target: Target, cache: Path, tracker: str) -> None:
    """Leave in the cache what emulated boards that run leave there; this process is one of them."""
    running_file(cache, target.name).parent.mkdir(parents=True)
    this = psutil.Process()
    note_running(cache, target.name, Running(tracker, ((this.pid, this.create_time()),)))


def test_without_a_key_this_machine_is_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRACKER_VARIABLE, "farm:9190")
    assert find_farm(find_target("native"), "farm:9190", tmp_path) is None


def test_a_tracker_that_is_given_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started(EMULATED, tmp_path, "emulated:1")
    monkeypatch.setenv(TRACKER_VARIABLE, "environment:2")
    assert find_farm(EMULATED, "given:3", tmp_path) == Farm(Tracker("given", 3), WAIT_S)


def test_a_board_that_was_started_here_comes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(EMULATED, tmp_path, "emulated:1")
    monkeypatch.setenv(TRACKER_VARIABLE, "environment:2")
    assert find_farm(EMULATED, None, tmp_path) == Farm(Tracker("emulated", 1), WAIT_S)


def test_a_board_that_has_ended_or_is_not_to_be_read_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRACKER_VARIABLE, "environment:2")
    started(EMULATED, tmp_path, "emulated:1")
    file = running_file(tmp_path, EMULATED.name)
    # Of a process with this number, but made at another time.
    note_running(tmp_path, EMULATED.name, Running("emulated:1", ((psutil.Process().pid, 1.0),)))
    assert find_farm(EMULATED, None, tmp_path) == Farm(Tracker("environment", 2), WAIT_S)
    for damage in ("", "{}", "3", '{"tracker": "emulated:1", "processes": 5}'):
        file.write_text(damage)
        assert find_farm(EMULATED, None, tmp_path) == Farm(Tracker("environment", 2), WAIT_S)


def test_another_target_s_board_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(dataclasses.replace(EMULATED, name="another"), tmp_path, "emulated:1")
    monkeypatch.setenv(TRACKER_VARIABLE, "environment:2")
    assert find_farm(EMULATED, None, tmp_path) == Farm(Tracker("environment", 2), WAIT_S)


def test_the_environment_tells_where_boards_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRACKER_VARIABLE, "environment:2")
    assert find_farm(BOARD, None, tmp_path) == Farm(Tracker("environment", 2), WAIT_S)


def test_the_caller_sets_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = find_farm(BOARD, "given:3", tmp_path, wait_s=5)
    monkeypatch.setenv(TRACKER_VARIABLE, "environment:2")
    from_environment = find_farm(BOARD, None, tmp_path, wait_s=6)
    started(EMULATED, tmp_path, "emulated:1")
    emulated = find_farm(EMULATED, None, tmp_path, wait_s=7)
    assert given is not None
    assert from_environment is not None
    assert emulated is not None
    assert (given.wait_s, from_environment.wait_s, emulated.wait_s) == (5, 6, 7)


def test_a_missing_tracker_is_reported_with_how_to_give_one(tmp_path: Path) -> None:
    with pytest.raises(BenchError) as refusal:
        find_farm(BOARD, None, tmp_path)
    assert str(refusal.value) == (
        "target board: it runs on boards of key x; give their tracker as --tracker HOST:PORT or "
        f"in {TRACKER_VARIABLE} (docs/guide/11-boards.md)"
    )


def test_a_stopped_emulated_board_is_reported_with_how_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"target board: .* `mobilebench board start board`"):
        find_farm(EMULATED, None, tmp_path)


def test_an_invalid_tracker_address_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BenchError, match="tracker 'given': give it as HOST:PORT"):
        find_farm(BOARD, "given", tmp_path)
    monkeypatch.setenv(TRACKER_VARIABLE, "environment")
    with pytest.raises(BenchError, match="tracker 'environment': give it as HOST:PORT"):
        find_farm(BOARD, None, tmp_path)
