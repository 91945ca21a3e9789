"""What is shown of a run, and when no longer."""

import io
import logging
from pathlib import Path

import pytest
from rich.console import Console

from mobilebench.bench.cli.events import EventLog
from mobilebench.bench.cli.progress import RunDisplay


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
