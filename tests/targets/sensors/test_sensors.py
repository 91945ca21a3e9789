"""Heat and clock of a machine, read from a made-up /sys again and again."""

from pathlib import Path

import pytest

from mobilebench.targets.sensors.files import LocalFiles, number_in
from mobilebench.targets.sensors.power import Reading
from mobilebench.targets.sensors.sensors import find_sensors
from mobilebench.targets.sensors.watch import LocalWatch
from tests.targets.sensors.trees import write_tree
from tests.waiting import wait_until

ZONE = "/sys/class/thermal/thermal_zone"
CPU = "/sys/devices/system/cpu/cpufreq/policy"
BOARD = {
    f"{ZONE}0/temp": 41_000,
    f"{ZONE}7/temp": 55_500,
    "/sys/class/thermal/cooling_device0/cur_state": 1,
    f"{CPU}0/scaling_cur_freq": 600_000,
    f"{CPU}4/scaling_cur_freq": 2_400_000,
    "/proc/loadavg": "3.25 2.00 1.50 5/321 4711",
}


def test_the_hottest_zone_and_the_fastest_cpu_count_as_they_were_last(tmp_path: Path) -> None:
    write_tree(tmp_path, BOARD)
    sensors = find_sensors(LocalFiles(tmp_path))
    assert len(sensors.paths) == 5
    readings = [
        Reading(0.0, {f"{ZONE}0/temp": 90_000}),
        Reading(1.0, {f"{ZONE}0/temp": 41_000, f"{ZONE}7/temp": 55_500}),
        Reading(2.0, {f"{CPU}0/scaling_cur_freq": 600_000, f"{CPU}4/scaling_cur_freq": 1_800_000}),
    ]
    assert sensors.temperature_c(readings) == 55.5
    assert sensors.cpu_mhz(readings) == 1800.0
    assert sensors.temperature_c(readings[2:]) is None
    assert sensors.load_1m(readings) is None
    assert sensors.load_1m([Reading(3.0, {"/proc/loadavg": 3.25})]) == 3.25


def test_a_machine_that_tells_nothing_has_no_sensors(tmp_path: Path) -> None:
    (tmp_path / ZONE.lstrip("/")).parent.mkdir(parents=True)
    write_tree(tmp_path, {f"{ZONE}0/temp": "N/A"})
    sensors = find_sensors(LocalFiles(tmp_path))
    assert (sensors.paths, sensors.power, sensors.why_no_power) == ((), None, "")
    assert sensors.temperature_c([]) is None


def test_a_watch_reads_files_until_it_is_closed(tmp_path: Path) -> None:
    write_tree(tmp_path, BOARD)
    files = LocalFiles(tmp_path)
    paths = find_sensors(files).paths
    assert number_in(files, "/proc/loadavg") == 3.25
    seen: list[float] = []
    with LocalWatch(files, (*paths, "/nowhere"), 0.001) as watch:

        def has(value: float) -> bool:
            seen.extend(one.values[f"{ZONE}0/temp"] for one in watch.take())
            return value in seen

        wait_until(lambda: has(41_000), "the first value")
        temporary = tmp_path / "new"
        temporary.write_text("77000\n")
        temporary.replace(tmp_path / f"{ZONE}0/temp".lstrip("/"))  # never half written
        wait_until(lambda: has(77_000), "the value that was written later")
    watch.take()
    assert watch.take() == []
    assert seen == pytest.approx(sorted(seen))
