"""What becomes of a camera's frames: in time, late, or dropped."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from mobilebench.bench.runtimes.stretch import Stretch

_ROUNDING = 1e-6  # of a frame


@dataclass(frozen=True)
class Pace:
    """Frames, counted over all stretches."""

    frames: int  # that came, from the first of each stretch to the end of its last inference
    missed: int  # whose answer was not there when the next frame came, the dropped ones included
    dropped: int  # that came while an earlier one was computed, and were never begun
    idle_share: float  # of the time in which no inference ran


def count_frames(stretches: Sequence[Stretch], frames_per_s: float) -> Pace:
    """Count what became of frames; a frame's deadline is the moment at which the next one comes."""
    period_ms = 1000 / frames_per_s
    frames = late = taken = 0
    busy_ms = 0.0
    for one in stretches:
        ended = [
            (begun + latency) / period_ms
            for begun, latency in zip(one.begun_ms, one.latencies_ms, strict=True)
        ]
        late += sum(
            end > frame + 1 + _ROUNDING for end, frame in zip(ended, one.frames, strict=True)
        )
        taken += len(one.frames)
        frames += max(one.frames[-1] + 1, ceil(ended[-1] - _ROUNDING))
        busy_ms += sum(one.latencies_ms)
    dropped = frames - taken
    return Pace(frames, late + dropped, dropped, 1 - busy_ms / (frames * period_ms))
