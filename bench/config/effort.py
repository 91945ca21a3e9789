"""How thoroughly a measurement is made."""

from dataclasses import dataclass

from mobilebench.targets.errors import unknown


@dataclass(frozen=True)
class Effort:
    """How thoroughly to measure: at least so many samples and at least so many seconds."""

    name: str
    warm_up_s: float
    min_samples: int
    min_duration_s: float
    rounds: int  # how often each runtime is measured, in turn with the others


EFFORTS = {
    effort.name: effort
    for effort in (
        # TensorFlow Lite's benchmark tool: warm-up 0.5 s, at least 50 runs and 1 s.
        Effort("quick", warm_up_s=0.5, min_samples=50, min_duration_s=1.0, rounds=5),
        # MLPerf LoadGen's quick setting for a single stream: 128 queries and 10 s.
        Effort("standard", warm_up_s=1.0, min_samples=128, min_duration_s=10.0, rounds=10),
        # MLPerf mobile's single stream: 1024 queries and 60 s.
        Effort("rigorous", warm_up_s=2.0, min_samples=1024, min_duration_s=60.0, rounds=20),
    )
}


def find_effort(name: str) -> Effort:
    """Return an effort by name; raises BenchError for an unknown name."""
    if name not in EFFORTS:
        raise unknown("effort", name, EFFORTS)
    return EFFORTS[name]
