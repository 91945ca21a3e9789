"""What tells a device's power, each in a made-up /sys, and the joules that follow."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from mobilebench.targets.sensors.files import LocalFiles, number_in
from mobilebench.targets.sensors.power import PowerSource, Reading, find_power
from tests.targets.sensors.trees import write_tree

RAPL, HWMON, SUPPLY = "/sys/class/powercap", "/sys/class/hwmon", "/sys/class/power_supply"
RANGE_UJ = 262_143_328_850
PACKAGE = {
    f"{RAPL}/intel-rapl/enabled": 1,
    f"{RAPL}/intel-rapl:0/name": "package-0",
    f"{RAPL}/intel-rapl:0/energy_uj": 5_000_000,
    f"{RAPL}/intel-rapl:0/max_energy_range_uj": RANGE_UJ,
}
MEMORY = {
    f"{RAPL}/intel-rapl:0:1/name": "dram",
    f"{RAPL}/intel-rapl:0:1/energy_uj": 1_000_000,
    f"{RAPL}/intel-rapl:0:1/max_energy_range_uj": 65_712_999_613,
}
PARTS = {  # of what the package counts already, or of more than the processor
    f"{RAPL}/intel-rapl:0:0/name": "core",
    f"{RAPL}/intel-rapl:0:0/energy_uj": 4_000_000,
    f"{RAPL}/intel-rapl:0:0/max_energy_range_uj": RANGE_UJ,
    f"{RAPL}/intel-rapl:1/name": "psys",
    f"{RAPL}/intel-rapl:1/energy_uj": 9_000_000,
    f"{RAPL}/intel-rapl:1/max_energy_range_uj": RANGE_UJ,
    f"{RAPL}/intel-rapl-mmio:0/name": "package-0",
    f"{RAPL}/intel-rapl-mmio:0/energy_uj": 5_000_000,
    f"{RAPL}/intel-rapl-mmio:0/max_energy_range_uj": RANGE_UJ,
}
JETSON = {
    f"{HWMON}/hwmon0/name": "thermal_fan_est",
    f"{HWMON}/hwmon3/name": "ina3221",
    f"{HWMON}/hwmon3/in1_label": "VDD_IN",
    f"{HWMON}/hwmon3/in1_input": 5000,  # mV
    f"{HWMON}/hwmon3/curr1_input": 1200,  # mA
    f"{HWMON}/hwmon3/in2_label": "VDD_CPU_GPU_CV",
    f"{HWMON}/hwmon3/in2_input": 5000,
    f"{HWMON}/hwmon3/curr2_input": 400,
    f"{HWMON}/hwmon3/in4_input": 9,  # a shunt's
    f"{HWMON}/hwmon3/curr4_input": 1600,  # the sum
}
BATTERY = {
    f"{SUPPLY}/battery/type": "Battery",
    f"{SUPPLY}/battery/status": "Discharging",
    f"{SUPPLY}/battery/current_now": -500_000,  # µA
    f"{SUPPLY}/battery/voltage_now": 4_000_000,  # µV
}


def find(root: Path, *trees: Mapping[str, object]) -> tuple[PowerSource | None, str]:
    for tree in trees:
        write_tree(root, dict(tree))
    return find_power(LocalFiles(root))


def found(root: Path, *trees: Mapping[str, object]) -> PowerSource:
    source, why_not = find(root, *trees)
    assert source and not why_not, why_not
    return source


def reading(root: Path, source: PowerSource, time_s: float) -> Reading:
    values = {path: number_in(LocalFiles(root), path) for path in source.paths}
    return Reading(time_s, {path: value for path, value in values.items() if value is not None})


def test_powercap_counts_packages_and_memory_and_no_part_twice(tmp_path: Path) -> None:
    source = found(tmp_path, PACKAGE, MEMORY, PARTS, JETSON, BATTERY)
    assert source.name == "RAPL: package-0, dram"
    before = reading(tmp_path, source, 10.0)
    write_tree(
        tmp_path,
        {
            f"{RAPL}/intel-rapl:0/energy_uj": 45_000_000,
            f"{RAPL}/intel-rapl:0:1/energy_uj": 3_500_000,
        },
    )
    after = reading(tmp_path, source, 12.0)
    assert source.joules(before, after) == pytest.approx(42.5)
    assert source.mean_watts([before, after]) == pytest.approx(21.25)


def test_a_counter_of_powercap_that_came_round_is_followed(tmp_path: Path) -> None:
    source = found(tmp_path, PACKAGE)
    counts = [RANGE_UJ - 20_000_000, 10_000_000, 40_000_000]
    readings = []
    for second, count in enumerate(counts):
        write_tree(tmp_path, {f"{RAPL}/intel-rapl:0/energy_uj": count})
        readings.append(reading(tmp_path, source, float(second)))
    assert source.joules(readings[0], readings[1]) == pytest.approx(30.0)
    assert source.mean_watts(readings) == pytest.approx(30.0)
    assert source.mean_watts(readings[:1]) is None


def test_counters_that_root_alone_may_read_are_named_and_the_next_source_is_taken(
    tmp_path: Path,
) -> None:
    closed = dict(PACKAGE)
    del closed[f"{RAPL}/intel-rapl:0/energy_uj"]
    write_tree(tmp_path, closed)
    # As root reads everything, a directory stands for what cannot be read.
    (tmp_path / RAPL.lstrip("/") / "intel-rapl:0/energy_uj").mkdir()
    source, why_not = find(tmp_path)
    assert source is None
    assert why_not == f"{RAPL}/intel-rapl:0/energy_uj can be read by root alone"
    source, why_not = find(tmp_path, JETSON)
    assert source and source.name == "hwmon ina3221: VDD_IN"
    assert why_not.startswith(RAPL)


def test_the_rail_that_feeds_a_jetson_counts_alone(tmp_path: Path) -> None:
    source = found(tmp_path, JETSON, BATTERY)
    assert source.name == "hwmon ina3221: VDD_IN"
    first = reading(tmp_path, source, 0.0)
    write_tree(tmp_path, {f"{HWMON}/hwmon3/curr1_input": 2000})
    second = reading(tmp_path, source, 3.0)
    assert source.joules(first, second) == pytest.approx((6 + 10) / 2 * 3)


def test_rails_of_all_chips_of_a_kind_are_added_where_none_feeds_the_others(
    tmp_path: Path,
) -> None:
    boards = dict(JETSON) | {
        f"{HWMON}/hwmon3/in1_label": "VDD_GPU_SOC",
        f"{HWMON}/hwmon4/name": "ina3221",
        f"{HWMON}/hwmon4/in1_input": 1000,
        f"{HWMON}/hwmon4/curr1_input": 500,
    }
    source = found(tmp_path, boards)
    assert source.name == "hwmon ina3221: VDD_GPU_SOC, VDD_CPU_GPU_CV, hwmon4 in1"
    assert source.mean_watts([reading(tmp_path, source, 0.0)]) == pytest.approx(6 + 2 + 0.5)


def test_a_chip_that_tells_power_is_taken_at_its_word(tmp_path: Path) -> None:
    chip = {
        f"{HWMON}/hwmon1/name": "ina260",
        f"{HWMON}/hwmon1/power1_input": 7_500_000,  # µW
        f"{HWMON}/hwmon1/in1_input": 5000,
        f"{HWMON}/hwmon1/curr1_input": 9999,
    }
    source = found(tmp_path, chip)
    assert source.mean_watts([reading(tmp_path, source, 0.0)]) == pytest.approx(7.5)


def test_chips_of_a_graphics_card_and_of_a_charger_are_passed_over(tmp_path: Path) -> None:
    others = {
        f"{HWMON}/hwmon1/name": "amdgpu",
        f"{HWMON}/hwmon1/power1_average": 20_000_000,
        f"{HWMON}/hwmon2/name": "BAT0",
        f"{HWMON}/hwmon2/device/type": "Battery",
        f"{HWMON}/hwmon2/in1_input": 4000,
        f"{HWMON}/hwmon2/curr1_input": 1000,
    }
    assert find(tmp_path, others) == (None, "")


@pytest.mark.parametrize("microamperes", [-500_000, 500_000])
def test_a_battery_s_current_counts_with_either_sign(tmp_path: Path, microamperes: int) -> None:
    battery = dict(BATTERY) | {f"{SUPPLY}/battery/current_now": microamperes}
    source = found(tmp_path, battery)
    assert source.name == "battery: battery"
    readings = [reading(tmp_path, source, time_s) for time_s in (0.0, 60.0)]
    assert source.joules(*readings) == pytest.approx(120.0)


def test_a_battery_that_tells_its_power_alone_is_read(tmp_path: Path) -> None:
    laptop = {
        f"{SUPPLY}/AC/type": "Mains",
        f"{SUPPLY}/BAT1/type": "Battery",
        f"{SUPPLY}/BAT1/status": "Discharging",
        f"{SUPPLY}/BAT1/power_now": 11_000_000,
        f"{SUPPLY}/mouse/type": "Battery",
        f"{SUPPLY}/mouse/scope": "Device",
        f"{SUPPLY}/mouse/status": "Discharging",
        f"{SUPPLY}/mouse/power_now": 1,
    }
    source = found(tmp_path, laptop)
    assert source.mean_watts([reading(tmp_path, source, 0.0)]) == pytest.approx(11.0)


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging"])
def test_a_battery_tells_nothing_while_the_device_is_plugged_in(
    tmp_path: Path, status: str
) -> None:
    battery = dict(BATTERY) | {f"{SUPPLY}/battery/status": status}
    source, why_not = find(tmp_path, battery)
    assert source is None
    assert why_not == (
        f"battery battery is {status.lower()}: what it gives is known only while the device is "
        "unplugged"
    )


def test_a_machine_without_any_of_them_has_no_source(tmp_path: Path) -> None:
    assert find(tmp_path) == (None, "")
    assert find(tmp_path, {f"{RAPL}/intel-rapl:0/name": "psys"}) == (None, "")


def test_readings_without_a_value_are_passed_over(tmp_path: Path) -> None:
    source = found(tmp_path, JETSON)
    whole = reading(tmp_path, source, 0.0)
    assert source.mean_watts([Reading(0.0, {}), whole, Reading(1.0, {})]) == pytest.approx(6.0)
    assert source.mean_watts([Reading(0.0, {})]) is None
