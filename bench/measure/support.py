"""Which targets and runtimes have which precision."""

from mobilebench.bench.models.onnx_network import Network, OnnxNetwork
from mobilebench.bench.runtimes.runtime import RUNTIMES, TVM, RuntimeEntry
from mobilebench.schedules.precision import FLOAT16, FLOAT32, INT8
from mobilebench.targets.catalog.platforms import is_linux
from mobilebench.targets.catalog.target import CPU, OPENCL, Target
from mobilebench.targets.devices.target_check import triple_of
from mobilebench.targets.errors import listed

_PRECISIONS = {CPU: (FLOAT32, FLOAT16, INT8), OPENCL: (FLOAT32, FLOAT16)}
_KINDS = {CPU: "a CPU", OPENCL: "an OpenCL device"}


def precisions_of(target: Target) -> tuple[str, ...]:
    """Return the precisions that networks are measured at on a target."""
    return _PRECISIONS[target.device_type]


def precision_of(network: Network, asked: str) -> str:
    """Return the precision that a network has if one is asked for: what is quantized is int8."""
    return INT8 if isinstance(network, OnnxNetwork) and network.quantized else asked


def why_unsupported(runtime: str, target: Target, precision: str) -> str:
    """Return why a runtime has no result at a precision on a target; empty if it has one."""
    if precision not in precisions_of(target):
        known = " and ".join(precisions_of(target))
        return f"target {target.name} is {_KINDS[target.device_type]}, which computes in {known}"
    entry = RUNTIMES[runtime]
    if reason := _why_not_on_board(entry, target):
        return reason
    if precision in entry.precisions:
        return ""
    reason = f": {entry.why_not_int8}" if precision == INT8 and entry.why_not_int8 else ""
    return f"{runtime} is measured at {' and '.join(entry.precisions)} only{reason}"


def _why_not_on_board(entry: RuntimeEntry, target: Target) -> str:
    """Return why a runtime is not measured on a target's boards; empty if it is."""
    if not target.tracker_key or entry.name == TVM:
        return ""
    if not is_linux(triple_of(target)):
        return (
            f"on Android only {TVM} is measured: other runtimes are run by a board's own Python, "
            "on Linux"
        )
    if not entry.on_boards:
        others = listed([name for name, one in RUNTIMES.items() if one.on_boards], "and")
        return f"{entry.name} is measured on this machine alone; on boards {TVM}, {others} are"
    return ""


def why_not_at_once(runtime: str, target: Target, batch: int, streams: int) -> str:
    """Return why a runtime has no result of several images or instances at once; else nothing."""
    if batch > 1 and target.device_type != CPU:
        return f"target {target.name} is {_KINDS[target.device_type]}; batches are for CPUs"
    if streams > 1 and (target.tracker_key or target.device_type != CPU):
        return f"target {target.name}: streams are measured on this machine's CPU alone"
    if batch > 1 and RUNTIMES[runtime].why_not_batched:
        return f"{runtime} takes one image at a time: {RUNTIMES[runtime].why_not_batched}"
    return ""


def why_not_own(runtime: str, network: Network) -> str:
    """Return why a runtime has no result of a network of the user's own; empty if it may have."""
    if not isinstance(network, OnnxNetwork):
        return ""
    if not RUNTIMES[runtime].takes_onnx:
        return f"{runtime} is given PyTorch modules here, and not ONNX files"
    entry = RUNTIMES[runtime]
    if network.quantized and entry.quantizes and entry.converters is not None:
        return f"{runtime} quantizes by itself, from a float32 network"
    if network.missing and RUNTIMES[runtime].package == "torch":
        return f"PyTorch has no form of the operator {network.missing} here"
    return ""
