"""Which targets and runtimes have which precision."""

from mobilebench.bench.runtimes.runtime import RUNTIMES
from mobilebench.schedules.precision import FLOAT16, FLOAT32, INT8
from mobilebench.targets.catalog.target import CPU, OPENCL, Target

_PRECISIONS = {CPU: (FLOAT32, INT8), OPENCL: (FLOAT32, FLOAT16)}
_KINDS = {CPU: "a CPU", OPENCL: "an OpenCL device"}


def precisions_of(target: Target) -> tuple[str, ...]:
    """Return the precisions that networks are measured at on a target."""
    return _PRECISIONS[target.device_type]


def why_unsupported(runtime: str, target: Target, precision: str) -> str:
    """Return why a runtime has no result at a precision on a target; empty if it has one."""
    if precision not in precisions_of(target):
        known = " and ".join(precisions_of(target))
        return f"target {target.name} is {_KINDS[target.device_type]}, which computes in {known}"
    known = " and ".join(RUNTIMES[runtime].precisions)
    if precision not in RUNTIMES[runtime].precisions:
        return f"{runtime} is measured at {known} only"
    return ""
