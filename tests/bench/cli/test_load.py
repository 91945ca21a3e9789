"""Runtimes under load, here and on a board: traces, frames and energy from end to end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mobilebench.bench.measure import sensing
from mobilebench.reports.records.record import Record
from mobilebench.reports.records.store import Store
from mobilebench.targets.sensors.files import LocalFiles
from tests.bench.cli.test_board_runtimes import TARGET
from tests.farm import RealFarm
from tests.targets.sensors.trees import write_tree

VARIANT = ("--variant", "mobilenet_v2_0.35_32_t1", "--runtime", "tvm", "--runtime", "onnxruntime")
METER = "sh -c 'while :; do echo 12.5 W; sleep 0.05; done'"
BATTERY = "/sys/class/power_supply/battery"
DEVICE = {
    "/sys/class/thermal/thermal_zone0/temp": 45_000,
    f"{BATTERY}/type": "Battery",
    f"{BATTERY}/status": "Discharging",
    f"{BATTERY}/current_now": 500_000,
    f"{BATTERY}/voltage_now": 4_000_000,
}


@pytest.fixture(autouse=True)
def _short_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensing, "_IDLE_S", 1.0)


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[RealFarm]:
    """Return a tracker with a board, whose target lies in `tmp_path`."""
    (tmp_path / "board.toml").write_text(TARGET)
    directory = tmp_path / "farm"
    directory.mkdir()
    with RealFarm(directory) as farm:
        farm.add_board()
        yield farm


def rows(directory: Path) -> dict[str, tuple[Record, int]]:
    """Return each runtime's row, and how many points its trace has."""
    with Store(str(directory / "mobilebench.sqlite")) as store:
        records = store.records([store.runs()[-1].run_id])
        return {one.runtime: (one, len(store.trace(one))) for one in records}


def test_each_runtime_has_a_trace_and_energy_of_the_users_meter(
    mobilebench: Any, tmp_path: Path
) -> None:
    done = mobilebench("run", *VARIANT, "--sustained", "0.02", "--power-meter", METER)
    assert done.returncode == 0, done.stderr
    for row, points in rows(tmp_path).values():
        assert row.status == "ok", row.error
        assert row.load_s and row.load_s >= 1.2
        assert points >= 1
        assert row.power_w == row.idle_power_w == pytest.approx(12.5)
        assert row.energy_per_inference_j == pytest.approx(0)
        assert row.energy_source == f"meter: {METER}"
        assert (row.pace_fps, row.frames) == (None, None)
        assert "energy" not in row.warnings
    with Store(str(tmp_path / "mobilebench.sqlite")) as store:
        kept = store.runs()[-1].suite
    assert kept["energy"]
    assert METER not in str(kept)  # no command is executed because a store has it
    page = (tmp_path / "mobilebench-report" / "load.html").read_text()
    assert "mobilenet_v2_0.35_32_t1 under load" in page


def test_the_device_s_own_battery_tells_energy(
    mobilebench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(tmp_path / "device", DEVICE)
    monkeypatch.setattr(sensing, "LocalFiles", lambda: LocalFiles(tmp_path / "device"))
    done = mobilebench("run", *VARIANT, "--sustained", "0.02")
    assert done.returncode == 0, done.stderr
    for row, _ in rows(tmp_path).values():
        assert row.energy_source == "battery: battery"
        assert row.power_w == row.idle_power_w == pytest.approx(2.0)


@pytest.mark.parametrize("asked", [("--energy",), pytest.param((), marks=pytest.mark.slow)])
def test_without_a_source_energy_is_empty_and_the_row_says_so_if_it_was_asked_for(
    mobilebench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: tuple[str, ...]
) -> None:
    monkeypatch.setattr(sensing, "LocalFiles", lambda: LocalFiles(tmp_path / "nowhere"))
    done = mobilebench("run", *VARIANT, "--pace", "30", "--sustained", "0.02", *asked)
    assert done.returncode == 0, done.stderr
    for row, _ in rows(tmp_path).values():
        assert (row.energy_per_inference_j, row.power_w, row.energy_source) == (None, None, "")
        assert ("energy: the device does not tell its power" in row.warnings) == bool(asked)


def test_a_camera_s_pace_is_kept_on_a_board_too(
    farm: RealFarm, mobilebench: Any, tmp_path: Path
) -> None:
    done = mobilebench(
        *("run", *VARIANT, "--target", "board.toml", "--tracker", farm.tracker),
        *("--pace", "20", "--sustained", "0.02", "--power-meter", METER),
    )
    assert done.returncode == 0, done.stderr
    for row, points in rows(tmp_path).values():
        assert row.status == "ok", row.error
        assert row.pace_fps == 20
        assert row.frames and row.frames >= 20
        assert row.missed_deadlines is not None and row.dropped_frames is not None
        assert 0 <= row.dropped_frames <= row.missed_deadlines <= row.frames
        assert row.idle_share is not None and 0 < row.idle_share < 1
        assert points >= 1
        assert row.power_w == pytest.approx(12.5)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--sustained", "0"), "--sustained must be a number above 0 and at most 1440, not 0"),
        (("--pace", "1e9"), "--pace must be a number above 0 and at most 1000, not 1e9"),
        (
            ("--power-meter", "false"),
            "--power-meter false: ended without a number; give a command that prints watts, one "
            "number a line, again and again",
        ),
        (
            ("--power-meter", METER, "--target", "native", "--target", "x86-64-v3"),
            f"--power-meter {METER}: one meter tells of one device, and several targets would be "
            "measured; choose one",
        ),
    ],
)
def test_a_load_that_cannot_be_is_refused_in_one_line(
    mobilebench: Any, tmp_path: Path, arguments: tuple[str, ...], line: str
) -> None:
    done = mobilebench("run", *VARIANT, *arguments)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1] == f"mobilebench: {line}"
    store = tmp_path / "mobilebench.sqlite"
    assert not store.exists() or not Store(str(store)).runs()
