"""A power meter of the user's, here small programs."""

import sys
from pathlib import Path

import psutil
import pytest

from mobilebench.targets.errors import BenchError
from mobilebench.targets.sensors.meter import Meter, check_meter
from mobilebench.targets.sensors.power import Reading
from tests.waiting import wait_until, wait_until_ended


def command(tmp_path: Path, program: str) -> str:
    file = tmp_path / "meter.py"
    file.write_text(program)
    return f"{sys.executable} {file}"


def test_the_number_of_each_line_is_watts(tmp_path: Path) -> None:
    program = "import time\nprint('power 12.5 W\\nno number\\n-1e1', flush=True)\ntime.sleep(600)"
    with Meter(command(tmp_path, program)) as meter:
        readings: list[Reading] = []
        wait_until(lambda: bool(readings.extend(meter.take())) or len(readings) >= 2, "numbers")
        watts = [meter.source.mean_watts([one]) for one in readings]
    assert watts == [12.5, 10.0]
    assert meter.source.name.startswith("meter: ")


def test_joules_follow_from_its_watts(tmp_path: Path) -> None:
    source = Meter(command(tmp_path, ""))
    source.close()
    readings = [Reading(0.0, {"watts": 4.0}), Reading(2.0, {"watts": 8.0})]
    assert source.source.joules(*readings) == pytest.approx(12.0)


def test_a_meter_ends_with_all_that_it_has_started(tmp_path: Path) -> None:
    stubborn = tmp_path / "stubborn.py"
    stubborn.write_text(
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(os.getpid(), flush=True)\n"
        "time.sleep(600)\n"
    )
    program = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, {str(stubborn)!r}], check=True)"
    )
    with Meter(command(tmp_path, program)) as meter:
        readings: list[Reading] = []
        wait_until(lambda: readings.extend(meter.take()) or readings, "the program's number")
        child = psutil.Process(int(readings[0].values["watts"]))
        assert child.is_running()
    wait_until_ended(child)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("no-such-program --watts", "No such file or directory"),
        ("'unbalanced", "No closing quotation"),
        ("true", "ended without a number"),
        ("echo none", "ended without a number"),
    ],
)
def test_a_command_that_prints_no_watts_is_refused(line: str, why: str) -> None:
    with pytest.raises(BenchError) as refused:
        check_meter(line)
    assert str(refused.value) == (
        f"--power-meter {line}: {why}; give a command that prints watts, one number a line, again "
        "and again"
    )
