"""Whether a change of latency may be the machine's, and not the code's."""

from collections.abc import Sequence
from dataclasses import dataclass

from mobilebench.reports.comparison.ratio import Ratio
from mobilebench.reports.records.calibration import (
    KERNELS,
    Calibration,
    middle_half,
    other_programs,
)
from mobilebench.reports.records.record import Record

# With these alike, one library takes another time on another machine alone.
_SURROUNDINGS = (
    *("tvm_version", "tvm_ffi_version", "os", "cpu_model", "cpu_governor", "cpu_cores"),
    *("accelerator", "accelerator_driver"),
)


@dataclass(frozen=True)
class Measured:
    """A row, and how fast its device was around its rounds; of older rows nothing is known."""

    record: Record
    calibrations: Sequence[Calibration] = ()


def why_unclear(before: Measured, after: Measured, ratio: Ratio, threshold_percent: float) -> str:
    """Return why a changed latency says nothing of the code; empty if it does.

    The code cannot have changed where both rows have the same library and everything around it
    has the same version. Where other programs ran, nobody knows what they took. Else the change
    must be beyond the threshold even if the machine had changed as much as the calibration kernel
    that changed most, always the same code, took more (or less) time.
    """
    slower = ratio.ratio > 1
    was = "slower" if slower else "faster"
    if _same_library(before.record, after.record):
        return f"both runs measured the same library, so that the machine was {was} in HEAD"
    for side, own in (("BASE", before), ("HEAD", after)):
        if others := other_programs(own.calibrations):
            return f"{side}: {others}"
    machine, kernel = max(
        _machine_ratios(before, after, slower=slower),
        key=lambda one: one[0] if slower else 1 / one[0],
        default=(1.0, ""),
    )
    if machine == 1 or (machine > 1) is not slower:
        return ""
    most = 1 + threshold_percent / 100
    left = ratio.ratio / machine if slower else machine / ratio.ratio
    if left > most:
        return ""
    times = machine if slower else 1 / machine
    return f"the machine may have been {times:.2f} times {was} in HEAD, by its {kernel}"


def _same_library(before: Record, after: Record) -> bool:
    return bool(before.artifact_key) and all(
        getattr(before, name) == getattr(after, name) for name in ("artifact_key", *_SURROUNDINGS)
    )


def _machine_ratios(before: Measured, after: Measured, *, slower: bool) -> list[tuple[float, str]]:
    """Return each calibration kernel's time of AFTER over BEFORE, at most (or least), by name."""
    if before.calibrations and after.calibrations:
        found = []
        for kernel, name in KERNELS.items():
            base, head = (middle_half(one.calibrations, kernel) for one in (before, after))
            ratio = head[1] / base[0] if slower else head[0] / base[1]
            found.append((ratio, f"calibration kernel of {name}"))
        return found
    base_ms, head_ms = (
        [ms for ms in (one.calibration_before_ms, one.calibration_after_ms) if ms]
        for one in (before.record, after.record)
    )
    if not base_ms or not head_ms:
        return []
    ratio = max(head_ms) / min(base_ms) if slower else min(head_ms) / max(base_ms)
    return [(ratio, "calibration kernel")]
