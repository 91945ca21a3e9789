"""How fast a device was at one time, and than at another, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles

_OFTEN = 1 / 3  # of the moments; a median of samples does not see what was there more seldom


@dataclass(frozen=True)
class Calibration:
    """How long fixed kernels took at one moment before, between or after a row's rounds.

    They run on as many CPUs at once as the row has threads; the slowest counts.
    """

    arithmetic_ms: float
    caches_ms: float
    memory_ms: float
    others: int | None  # threads of other programs that ran at that moment; None if unknown


KERNELS = {"arithmetic_ms": "arithmetic", "caches_ms": "caches"}
"""What the fixed kernels that are judged by are called, by field.

That of memory is kept and not judged by: on an idle virtual machine (Zen 4) it took 0.10 to 0.30 ms
while latencies were within 1 % and both others within 0.1 %.
"""


def middle_half(calibrations: Sequence[Calibration], kernel: str) -> tuple[float, float]:
    """Return the lower and the upper quartile of a kernel's times: one odd moment moves neither.

    There must be one calibration at least.
    """
    times = [getattr(one, kernel) for one in calibrations]
    if len(times) == 1:
        return times[0], times[0]
    low, _, high = quantiles(times, n=4, method="inclusive")
    return low, high


def speed_changes(calibrations: Sequence[Calibration], least: float) -> list[str]:
    """Say of which kernels the times changed by more than a share (0.1) between the rounds."""
    found = []
    for kernel, name in KERNELS.items() if calibrations else ():
        low, high = middle_half(calibrations, kernel)
        if high >= low * (1 + least):
            found.append(f"the calibration kernel of {name} took {low:.3g} to {high:.3g} ms")
    return found


def other_programs(calibrations: Sequence[Calibration]) -> str:
    """Say that other programs ran; empty if they did at less than a third of the moments."""
    moments = [one for one in calibrations if one.others]
    if not moments or len(moments) < _OFTEN * len(calibrations):
        return ""
    return f"other programs ran at {len(moments)} of {len(calibrations)} moments between rounds"


def calibration_change(ratio: float, now: str, before: str) -> str:
    """Say how the time of the calibration kernel, which is always the same code, has changed.

    `ratio` is its time `now` over its time `before`; both are phrases, such as "in HEAD".
    """
    amount, was = ("more", "slower") if ratio > 1 else ("less", "faster")
    return (
        f"the calibration kernel took {abs(ratio - 1):.0%} {amount} time {now}: "
        f"the device was {was} than {before}"
    )
