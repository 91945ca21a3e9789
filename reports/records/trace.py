"""How a network's latency went under load, second by second, with the device's state."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TracePoint:
    """About a second of a load; None where the device does not tell."""

    time_s: float  # since the load began, at the end of this second
    latency_ms: float  # median
    inferences: int  # that were timed
    temperature_c: float | None = None  # of the hottest zone
    cpu_mhz: float | None = None  # of the fastest CPU
    power_w: float | None = None  # mean
    load_1m: float | None = None  # average over a minute of the threads that run or wait
