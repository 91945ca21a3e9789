"""Inferences under load: one after the other, or each when a camera's next frame comes."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil

_MS = 1000.0
_ROUNDING = 1e-9  # of a frame


@dataclass(frozen=True)
class Stretch:
    """Some inferences of a load, in order."""

    latencies_ms: list[float]
    executed: int  # inferences, those included that are not timed
    # At a pace only, for each inference:
    frames: list[int] = field(default_factory=list)  # the number of its frame
    begun_ms: list[float] = field(default_factory=list)  # since frame 0 came


def take_frames(
    run: Callable[[], object],
    inferences: int,
    frames_per_s: float,
    clock_s: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> Stretch:
    """Run so many inferences, each begun when a frame comes.

    Frames that come while an inference runs are dropped: the next one that has not come yet is
    waited for, as by a camera's program that wants no stale picture.
    """
    found = Stretch([], inferences)
    origin_s, frame = clock_s(), 0
    for _ in range(inferences):
        wait_s = origin_s + frame / frames_per_s - clock_s()
        if wait_s > 0:
            sleep(wait_s)
        begun_s = clock_s()
        run()
        ended_s = clock_s()
        found.frames.append(frame)
        found.begun_ms.append((begun_s - origin_s) * _MS)
        found.latencies_ms.append((ended_s - begun_s) * _MS)
        frame = max(frame + 1, ceil((ended_s - origin_s) * frames_per_s - _ROUNDING))
    return found
