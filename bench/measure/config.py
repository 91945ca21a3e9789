"""Where and how thoroughly something is measured."""

from dataclasses import dataclass
from pathlib import Path

from mobilebench.bench.config.effort import EFFORTS, Effort
from mobilebench.bench.measure.load import LoadPlan
from mobilebench.bench.measure.session_pool import SessionPool
from mobilebench.targets.catalog.target import Target
from mobilebench.targets.devices.farm import Farm


@dataclass(frozen=True)
class MeasurementConfig:
    """Where and how thoroughly something is measured."""

    target: Target
    threads: int  # of each stream
    time_limit_s: float  # time limit of each request
    cache_dir: Path
    farm: Farm | None = None  # where the target's boards are; None: this machine is the device
    effort: Effort = EFFORTS["quick"]
    retries: int = 0  # how often, on other boards or later, after a board or a model crashed
    load: LoadPlan | None = None  # after latency was measured
    sessions: SessionPool | None = None  # its workers are used; None: a new worker each time
    streams: int = 1  # instances that run at once, on this machine alone
