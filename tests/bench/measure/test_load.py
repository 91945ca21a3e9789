"""A load of minutes, on a device that is a directory tree, heats, throttles and takes power."""

from pathlib import Path

import pytest

from mobilebench.bench.measure.load import (
    Load,
    LoadPlan,
    doubt,
    energy_of,
    plan_load,
    run_load,
)
from mobilebench.bench.measure.slowdown import find_slowdown
from mobilebench.bench.runtimes.stretch import Stretch, take_frames
from mobilebench.reports.records.trace import TracePoint
from mobilebench.targets.sensors.files import LocalFiles, number_in
from mobilebench.targets.sensors.power import PowerSource, Reading
from mobilebench.targets.sensors.sensors import find_sensors
from tests.targets.sensors.trees import write_tree

TEMPERATURE = "/sys/class/thermal/thermal_zone0/temp"
CLOCK = "/sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq"
RAPL = "/sys/class/powercap/intel-rapl:0"
RANGE_UJ = 900_000_000  # so that it comes round in minutes
FAST_MS, SLOW_MS = 10.0, 16.0
IDLE_W, BUSY_W = 2.0, 7.0
COOL_C, HOT_C, PER_SECOND_C = 40.0, 85.0, 0.5  # it is hot after a minute and a half
HEATED_S = (HOT_C - COOL_C) / PER_SECOND_C


class Throttling:
    """A device in virtual time. It computes in 10 ms until it is hot, and in 16 ms from then on."""

    def __init__(self, root: Path) -> None:
        self.root, self.now_s, self.energy_j, self.celsius = root, 0.0, 860.0, COOL_C
        self.readings: list[Reading] = []
        self._write()
        self.sensors = find_sensors(LocalFiles(root))
        self.source: PowerSource | None = self.sensors.power

    @property
    def latency_ms(self) -> float:
        return SLOW_MS if self.celsius >= HOT_C else FAST_MS

    def take(self) -> tuple[list[Reading], list[Reading]]:
        taken, self.readings = self.readings, []
        return taken, taken

    def rest(self, seconds: float, watts: float = IDLE_W) -> None:
        """Let time pass; twice a second the tree is read, as a watch does it."""
        self.now_s += seconds
        self.energy_j += watts * seconds
        if self.readings and self.now_s < self.readings[-1].time_s + 0.5:
            return
        self._write()
        files, paths = LocalFiles(self.root), self.sensors.paths
        values = {path: number_in(files, path) for path in paths}
        known = {path: value for path, value in values.items() if value is not None}
        self.readings.append(Reading(self.now_s, known))

    def run(self) -> None:
        seconds = self.latency_ms / 1000
        self.celsius = min(HOT_C, self.celsius + PER_SECOND_C * seconds)
        self.rest(seconds, BUSY_W)

    def sustain(self, inferences: int, frames_per_s: float) -> Stretch:
        if frames_per_s:
            clock = lambda: self.now_s  # noqa: E731
            return take_frames(self.run, inferences, frames_per_s, clock, self.rest)
        latencies_ms = []
        for _ in range(inferences):
            latencies_ms.append(self.latency_ms)
            self.run()
        return Stretch(latencies_ms, inferences)

    def _write(self) -> None:
        throttled = self.celsius >= HOT_C
        write_tree(
            self.root,
            {
                TEMPERATURE: round(1000 * self.celsius),
                CLOCK: 1_500_000 if throttled else 2_400_000,
                f"{RAPL}/name": "package-0",
                f"{RAPL}/energy_uj": round(1e6 * self.energy_j) % RANGE_UJ,
                f"{RAPL}/max_energy_range_uj": RANGE_UJ,
            },
        )


@pytest.fixture
def device(tmp_path: Path) -> Throttling:
    """Return a cool device."""
    return Throttling(tmp_path)


def under_load(device: Throttling, plan: LoadPlan) -> Load:
    return run_load(plan, device.sustain, FAST_MS, device, lambda: device.now_s)


def test_the_time_and_the_level_of_throttling_are_found(device: Throttling) -> None:
    load = under_load(device, LoadPlan(seconds=180))
    found = find_slowdown(load.trace)
    assert found
    assert found.slows_after_s == pytest.approx(HEATED_S, abs=1.5)
    assert (found.first_minute_ms, found.steady_ms) == (FAST_MS, SLOW_MS)
    assert found.speed_left == pytest.approx(FAST_MS / SLOW_MS)
    assert load.seconds == pytest.approx(180, abs=2)


def test_the_trace_has_a_point_a_second_with_heat_clock_and_power(device: Throttling) -> None:
    load = under_load(device, LoadPlan(seconds=130))
    steps = [b.time_s - a.time_s for a, b in zip(load.trace, load.trace[1:], strict=False)]
    assert max(steps) < 2
    assert min(steps) > 0.5
    first, last = load.trace[0], load.trace[-1]
    assert first.temperature_c == pytest.approx(COOL_C, abs=0.6)
    assert (last.temperature_c, first.cpu_mhz, last.cpu_mhz) == (HOT_C, 2400, 1500)
    assert all(point.power_w == pytest.approx(BUSY_W, rel=1e-3) for point in load.trace)
    assert sum(point.inferences for point in load.trace) == load.executed


def test_energy_is_above_what_the_idle_device_takes_though_its_counter_came_round(
    device: Throttling,
) -> None:
    for _ in range(20):
        device.rest(0.5)
    _, idle = device.take()
    began_j = device.energy_j
    load = under_load(device, LoadPlan(seconds=30))
    assert began_j < 900 < device.energy_j  # the range of the counter
    assert device.source
    energy = energy_of(load, device.source, idle)
    assert energy
    assert energy.per_inference_j == pytest.approx((BUSY_W - IDLE_W) * FAST_MS / 1000, rel=1e-3)
    assert energy.power_w == pytest.approx(BUSY_W, rel=1e-3)
    assert energy.idle_power_w == pytest.approx(IDLE_W, rel=1e-3)
    assert energy.source == "RAPL: package-0"


def test_inferences_that_are_not_timed_take_energy_too(device: Throttling) -> None:
    def with_one_more(inferences: int, frames_per_s: float) -> Stretch:
        device.run()
        found = device.sustain(inferences, frames_per_s)
        return Stretch(found.latencies_ms, inferences + 1)

    for _ in range(3):
        device.rest(1)
    _, idle = device.take()
    plan = LoadPlan(seconds=5)
    load = run_load(plan, with_one_more, 1000.0, device, lambda: device.now_s)
    assert device.source
    energy = energy_of(load, device.source, idle)
    assert energy and energy.per_inference_j == pytest.approx(0.05, rel=1e-3)


def test_energy_is_unknown_of_too_few_readings(device: Throttling) -> None:
    assert device.source
    load = under_load(device, LoadPlan(seconds=5))
    assert energy_of(load, device.source, []) is None
    assert energy_of(Load(), device.source, load.power) is None


def test_a_pace_is_kept_and_the_rest_of_the_time_is_idle(device: Throttling) -> None:
    load = under_load(device, LoadPlan(seconds=20, frames_per_s=30))
    assert [one.frames for one in load.stretches] == [list(range(30))] * len(load.stretches)
    assert load.executed == 30 * len(load.stretches)
    assert {point.inferences for point in load.trace} == {30}
    share = FAST_MS / (1000 / 30)
    expected_w = BUSY_W * share + IDLE_W * (1 - share)
    assert device.source
    assert device.source.mean_watts(load.power) == pytest.approx(expected_w, rel=0.02)


def test_a_load_is_as_long_as_the_options_say() -> None:
    assert plan_load(None, None, False, "") is None
    assert plan_load(10, None, False, "") == LoadPlan(600)
    assert plan_load(None, 30, False, "") == LoadPlan(60, 30)
    assert plan_load(2, 30, True, "") == LoadPlan(120, 30, wants_energy=True)
    alone = LoadPlan(10, keeps_trace=False, wants_energy=True)
    assert plan_load(None, None, True, "") == alone
    assert plan_load(None, None, False, "watts") == LoadPlan(
        10, keeps_trace=False, wants_energy=True, meter="watts"
    )


@pytest.mark.parametrize(("threads", "loads"), [(1, [1.0, 1.9, 2.0]), (4, [4.5]), (1, [])])
def test_a_runtime_that_is_alone_is_not_doubted(threads: int, loads: list[float]) -> None:
    trace = [TracePoint(1.0, 3.0, 9, load_1m=load) for load in loads]
    assert doubt([*trace, TracePoint(2.0, 3.0, 9)], threads) == ""


def test_other_programs_that_ran_meanwhile_are_told() -> None:
    trace = [TracePoint(1.0, 3.0, 9, load_1m=load) for load in (0.5, 6.25, 7.0)]
    words = "other programs ran during its load: 6.2 threads ran or waited, 2 of its own"
    assert doubt(trace, 2) == words
