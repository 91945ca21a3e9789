"""Between loads a device of this machine cools down, as a made-up /sys tells."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mobilebench.bench.measure import sensing
from mobilebench.bench.measure.load import LoadPlan
from mobilebench.bench.measure.sensing import DeviceSensing
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.devices import device
from mobilebench.targets.sensors.files import LocalFiles
from tests.targets.sensors.trees import write_tree
from tests.waiting import wait_until

ZONE = "/sys/class/thermal/thermal_zone0/temp"
RAIL = "/sys/class/hwmon/hwmon0"
BOARD = {ZONE: 40_000, f"{RAIL}/name": "ina226", f"{RAIL}/power1_input": 3_000_000}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the root of a made-up machine, on which nobody waits long."""
    write_tree(tmp_path, dict(BOARD))
    monkeypatch.setattr(sensing, "LocalFiles", lambda: LocalFiles(tmp_path))
    monkeypatch.setattr(sensing, "PERIOD_S", 0.005)
    monkeypatch.setattr(sensing, "_IDLE_S", 0.2)
    monkeypatch.setattr(device, "_COOLING_POLL_S", 0.02)
    return tmp_path


def sense(meter: str = "", emulated: bool = False) -> DeviceSensing:
    plan, target = LoadPlan(1.0, meter=meter), find_target("native")
    config: Any = SimpleNamespace(farm=None, load=plan, target=target, time_limit_s=9.0)
    return DeviceSensing(config, None, emulated)


@pytest.fixture
def rested(tree: Path) -> Iterator[DeviceSensing]:
    """Return the sensing of a device that was 40 °C when idle."""
    with sense() as found:
        found.rest()
        yield found


def set_temperature(tree: Path, celsius: float, sensing: DeviceSensing) -> None:
    """Write a temperature, and wait until it was read."""
    write_tree(tree, {ZONE: round(1000 * celsius)})
    wait_until(
        lambda: sensing.sensors.temperature_c(sensing.take()[0]) == celsius, "the temperature"
    )


def test_idle_power_is_read_before_the_first_load(rested: DeviceSensing) -> None:
    assert rested.source
    assert rested.source.name == "hwmon ina226: hwmon0 power1"
    assert rested.source.mean_watts(rested.idle) == pytest.approx(3.0)
    assert rested.why_no_energy == ""


def test_a_device_as_cool_as_before_is_not_waited_for(rested: DeviceSensing) -> None:
    assert rested.cool() == ""


def test_a_warm_device_that_cools_down_begins_without_a_warning(
    rested: DeviceSensing, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_temperature(tree, 60.0, rested)
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        write_tree(tree, {ZONE: 41_000})

    monkeypatch.setattr(device.time, "sleep", nap)
    assert rested.cool() == ""
    assert naps


def test_a_device_that_stays_warm_is_loaded_all_the_same_and_the_row_says_so(
    rested: DeviceSensing, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "_LONGEST_COOLING_S", 0.1)
    set_temperature(tree, 55.0, rested)
    assert rested.cool() == "its load began at 55 °C, 15 °C above the idle device"


def test_an_emulated_board_has_no_energy(tree: Path) -> None:
    with sense(emulated=True) as found:
        found.rest()
        assert found.source is None
        assert found.why_no_energy == "what this machine takes is no energy of an emulated board"


def test_a_meter_comes_first_and_one_that_fails_meanwhile_costs_no_row(tree: Path) -> None:
    with sense("sh -c 'echo 5; sleep 600'") as found:
        assert found.source and found.source.name.startswith("meter: ")
    with sense("true") as found:
        assert found.source and found.source.name.startswith("hwmon")
        assert found.why_no_energy.startswith("--power-meter true: ended without a number")
