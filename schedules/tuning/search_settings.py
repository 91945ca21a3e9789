"""What a search is to do and where; light enough to be made where TVM is not loaded."""

from dataclasses import dataclass
from pathlib import Path

from mobilebench.targets.catalog.target import Target
from mobilebench.targets.devices.farm import Farm


@dataclass(frozen=True)
class SearchSettings:
    """Which target is searched for, on which of its devices, and where the history is kept."""

    target: Target
    threads: int
    precision: str  # one of PRECISIONS
    cache_dir: Path
    history: Path  # directory; begun with the same one again, a search goes on where it was
    time_limit_s: float  # of one build, and of one batch
    farm: Farm | None = None  # None: on this machine
