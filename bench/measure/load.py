"""A load of minutes: one runtime computes while the device's sensors are read."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Protocol

from mobilebench.bench.runtimes.stretch import Stretch
from mobilebench.reports.records.trace import TracePoint
from mobilebench.targets.sensors.power import PowerSource, Reading
from mobilebench.targets.sensors.sensors import Sensors

_STRETCH_MS = 1000.0  # a point of the trace
_ENERGY_S = 10.0  # counters and gauges tell something new every millisecond to every second
_PACE_S = 60.0
_MINUTE_S = 60.0
_LEAST_READINGS = 3
_OTHERS = 1.0  # threads that run or wait beside the runtime's


@dataclass(frozen=True)
class LoadPlan:
    """How a runtime is loaded after its latency was measured."""

    seconds: float
    frames_per_s: float = 0.0  # 0: one inference follows the other
    keeps_trace: bool = True
    wants_energy: bool = False  # somebody asked for it, and is told why there is none
    meter: str = ""  # the command of a power meter


def plan_load(
    sustained_minutes: float | None, pace_fps: float | None, energy: bool, meter: str
) -> LoadPlan | None:
    """Return the load that options ask for; None if they ask for none."""
    wants_energy = energy or bool(meter)
    if sustained_minutes is None and pace_fps is None and not wants_energy:
        return None
    seconds = _ENERGY_S if pace_fps is None else _PACE_S
    if sustained_minutes is not None:
        seconds = _MINUTE_S * sustained_minutes
    keeps_trace = sustained_minutes is not None or pace_fps is not None
    return LoadPlan(seconds, pace_fps or 0.0, keeps_trace, wants_energy, meter)


class Sensing(Protocol):
    """What a load's device tells while it computes."""

    @property
    def sensors(self) -> Sensors:
        """What is read, and what that means."""
        ...

    @property
    def source(self) -> PowerSource | None:
        """What tells the power: the device, or an external meter."""
        ...

    def take(self) -> tuple[list[Reading], list[Reading]]:
        """Return what sensors, and what the source of power, told since the last time."""
        ...


@dataclass
class Load:
    """What was measured under load."""

    seconds: float = 0.0
    executed: int = 0  # inferences
    stretches: list[Stretch] = field(default_factory=list)  # at a pace only
    trace: list[TracePoint] = field(default_factory=list)
    power: list[Reading] = field(default_factory=list)


def run_load(
    plan: LoadPlan,
    sustain: Callable[[int, float], Stretch],
    expected_ms: float,
    sensing: Sensing,
    clock_s: Callable[[], float] = time.monotonic,
) -> Load:
    """Compute for as long as the plan says, about a second at a time.

    `sustain` runs so many inferences at so many frames a second (`Runtime.sustain`), and
    `expected_ms` is what one of them takes at first.
    """
    load, inferences = Load(), 0
    sensing.take()  # what was before does not count
    began_s = clock_s()
    while load.seconds < plan.seconds:
        wanted = _inferences(expected_ms, plan.frames_per_s)
        if abs(wanted - inferences) > inferences / 4:  # for every number TVM keeps a timer
            inferences = wanted
        stretch = sustain(inferences, plan.frames_per_s)
        load.seconds = clock_s() - began_s
        load.executed += stretch.executed
        if plan.frames_per_s:
            load.stretches.append(stretch)
        expected_ms = median(stretch.latencies_ms)
        readings, power = sensing.take()
        load.power += power
        point = TracePoint(
            time_s=round(load.seconds, 3),
            latency_ms=expected_ms,
            inferences=len(stretch.latencies_ms),
            temperature_c=sensing.sensors.temperature_c(readings),
            cpu_mhz=sensing.sensors.cpu_mhz(readings),
            power_w=sensing.source.mean_watts(power) if sensing.source else None,
            load_1m=sensing.sensors.load_1m(readings),
        )
        load.trace.append(point)
    return load


def _inferences(expected_ms: float, frames_per_s: float) -> int:
    """Return how many inferences take about a second."""
    each_ms = expected_ms
    if frames_per_s:
        period_ms = 1000 / frames_per_s
        each_ms = period_ms * max(1, -(-expected_ms // period_ms))
    return max(1, round(_STRETCH_MS / max(each_ms, 1e-3)))


def doubt(trace: Sequence[TracePoint], threads: int) -> str:
    """Return a warning if other programs ran during a load of so many threads; empty if not."""
    loads = [point.load_1m for point in trace if point.load_1m is not None]
    if not loads or median(loads) <= threads + _OTHERS:
        return ""
    own = "1 of its own" if threads == 1 else f"{threads} of its own"
    return f"other programs ran during its load: {median(loads):.1f} threads ran or waited, {own}"


@dataclass(frozen=True)
class Energy:
    """What a device took under load, and when idle before."""

    per_inference_j: float
    power_w: float
    idle_power_w: float
    source: str


def energy_of(load: Load, source: PowerSource, idle: Sequence[Reading]) -> Energy | None:
    """Return the energy of a load above that of the idle device; None if too little is known."""
    if min(len(load.power), len(idle)) < _LEAST_READINGS:
        return None
    power_w, idle_power_w = source.mean_watts(load.power), source.mean_watts(idle)
    if power_w is None or idle_power_w is None or not load.executed:
        return None
    per_inference_j = (power_w - idle_power_w) * load.seconds / load.executed
    return Energy(per_inference_j, power_w, idle_power_w, source.name)
