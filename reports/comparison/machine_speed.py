"""Whether a change of latency may be the machine's, and not the code's."""

from mobilebench.reports.comparison.ratio import Ratio
from mobilebench.reports.records.record import Record

# With these alike, one library takes another time on another machine alone.
_SURROUNDINGS = (
    *("tvm_version", "tvm_ffi_version", "os", "cpu_model", "cpu_governor", "cpu_cores"),
    *("accelerator", "accelerator_driver"),
)


def why_unclear(before: Record, after: Record, ratio: Ratio, threshold_percent: float) -> str:
    """Return why a changed latency says nothing of the code; empty if it does.

    The code cannot have changed where both rows have the same library and everything around it
    has the same version. Else the change must be beyond the threshold even if the machine had
    changed as much as its calibration kernel, always the same code, took more (or less) time, at
    most.
    """
    slower = ratio.ratio > 1
    was = "slower" if slower else "faster"
    if _same_library(before, after):
        return f"both runs measured the same library, so that the machine was {was} in HEAD"
    machine = _machine_ratio(before, after, slower=slower)
    if machine is None or (machine > 1) is not slower:
        return ""
    most = 1 + threshold_percent / 100
    left = ratio.ratio / machine if slower else machine / ratio.ratio
    if left > most:
        return ""
    times = machine if slower else 1 / machine
    return f"the machine may have been {times:.2f} times {was} in HEAD, by its calibration kernel"


def _same_library(before: Record, after: Record) -> bool:
    return bool(before.artifact_key) and all(
        getattr(before, name) == getattr(after, name) for name in ("artifact_key", *_SURROUNDINGS)
    )


def _machine_ratio(before: Record, after: Record, *, slower: bool) -> float | None:
    """Return the calibration kernel's largest time of AFTER over BEFORE, or the smallest."""
    base, head = (
        [ms for ms in (one.calibration_before_ms, one.calibration_after_ms) if ms]
        for one in (before, after)
    )
    if not base or not head:
        return None
    return max(head) / min(base) if slower else min(head) / max(base)
