"""Inferences before those that count."""

import statistics
import time
from collections.abc import Callable


def warm_up(time_samples: Callable[[int], list[float]], seconds: float) -> float:
    """Take samples for about so long, three at least; return the last median in milliseconds."""
    end = time.perf_counter() + seconds
    samples = time_samples(3)
    while time.perf_counter() < end:
        samples = time_samples(3)
    return statistics.median(samples)
