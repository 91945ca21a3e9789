"""A step that takes long tells what is being waited for."""

import io
import json
import logging
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from mobilebench.bench.cli import run, waiting
from mobilebench.bench.cli.events import EventLog
from mobilebench.bench.cli.progress import RunDisplay
from mobilebench.bench.cli.waiting import Waiting
from tests.waiting import wait_until


def nobody(_who: str, _what: str, _seconds: float) -> None:
    raise AssertionError


def test_a_long_step_is_told_after_half_a_minute_and_then_ever_less_often() -> None:
    steps = Waiting(nobody)
    steps.begin("a", "round 1 of torch")
    now = time.monotonic()
    told = [seconds for seconds in range(1, 300) if steps.overdue(now + seconds)]
    assert told == [30, 60, 120, 240]


def test_the_next_step_of_a_cell_ends_the_one_before() -> None:
    steps = Waiting(nobody)
    for who, what in (("a", "export"), ("b", "compile"), ("a", "compile"), ("b", "")):
        steps.begin(who, what)
    (found,) = steps.overdue(time.monotonic() + 31)
    assert found[:2] == ("a", "compile")


def test_a_run_tells_what_it_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FIRST_S", 0.01)
    log, screen = tmp_path / "events.jsonl", io.StringIO()
    console = Console(file=screen, force_terminal=True, width=200)
    with RunDisplay(console, EventLog(log)) as display:
        display.begin(1)
        display.step("net on native, 1 thread", "torch to load the network")
        told = "for: torch to load the network"
        wait_until(lambda: told in screen.getvalue(), "a line")
    event = next(json.loads(line) for line in log.read_text().splitlines() if "waiting" in line)
    assert (event["cell"], event["step"]) == (
        *("net on native, 1 thread", "torch to load the network"),
    )
    assert "net on native, 1 thread: still waiting, for " in screen.getvalue()


def test_images_that_take_long_to_decode_are_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def decode(*_what: Any) -> object:
        wait_until(lambda: caplog.messages, "a line about the images")
        return object()

    caplog.set_level(logging.INFO, logger="mobilebench")
    monkeypatch.setattr(waiting, "FIRST_S", 0.01)
    monkeypatch.setattr(waiting, "_POLL_S", 0.01)
    monkeypatch.setattr(run, "read_data", decode)
    suite: Any = SimpleNamespace(variants=("mobilenet_v2_0.35_96",), weights=("a.pth",), data="p")
    run._dataset(suite, (), ())
    assert "data p: still waiting" in caplog.messages[0]
    assert caplog.messages[0].endswith("for: its images to be decoded")
