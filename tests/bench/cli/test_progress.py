"""What is shown of a run, and when no longer."""

import io
import logging
from pathlib import Path

import pytest
from rich.console import Console

from mobilebench.bench.cli import waiting
from mobilebench.bench.cli.events import EventLog
from mobilebench.bench.cli.progress import RunDisplay, TuningDisplay
from mobilebench.schedules.tuning.progress import SearchStep
from tests.waiting import wait_until


def test_a_build_that_goes_on_after_an_interruption_is_not_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="mobilebench")
    log = tmp_path / "events.jsonl"
    with EventLog(log) as events, RunDisplay(Console(file=io.StringIO()), events) as display:
        display.begin(1)
        display.stage("net on native", "quantize")
    before, told = caplog.messages.copy(), log.read_text()
    assert before == ["net on native: quantize"]
    display.stage("net on native", "compile")
    display.step("net on native", "compile")
    assert caplog.messages == before
    assert log.read_text() == told


def test_what_fails_because_a_run_was_interrupted_is_not_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = tmp_path / "events.jsonl"
    with EventLog(log) as events, RunDisplay(Console(file=io.StringIO()), events) as display:
        display.begin(1)
        display.warn("a board is missing")
        told = log.read_text()
        display.leave()
        display.warn("the process was killed")
    assert caplog.messages == ["warning: a board is missing"]
    assert log.read_text() == told


def test_a_search_tells_what_takes_long(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, logger="mobilebench")
    monkeypatch.setattr(waiting, "FIRST_S", 0.01)
    monkeypatch.setattr(waiting, "_POLL_S", 0.01)
    with TuningDisplay(Console(file=io.StringIO()), "native, 1 thread") as display:
        display.say("net: export")
        wait_until(lambda: "native, 1 thread: still waiting" in caplog.text, "a line")
        display.step(SearchStep("stem", 8, 16, 2.0, 3.0))
        wait_until(lambda: "after stem" in caplog.text, "a line")
    assert "native, 1 thread: still waiting, for 0 s, for: net: export" in caplog.messages


def test_the_time_left_of_a_search_is_never_zero_minutes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="mobilebench")
    with TuningDisplay(Console(file=io.StringIO()), "native") as display:
        display.step(SearchStep("stem", 8, 9, 2.0, 3.0))
        display._logged = 0.0
        display.step(SearchStep("stem", 9, 9, 2.0, 3.0))
    assert "0 min left" not in caplog.text
    assert "less than a minute left" in caplog.text
