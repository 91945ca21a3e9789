"""The properties that a live OpenCL device reports."""

from dataclasses import dataclass
from typing import Any

from mobilebench.targets.catalog.target import Limits, Target
from mobilebench.targets.errors import BenchError

HALF = "cl_khr_fp16"
OPENCL_ERROR = "OpenCL: "  # the plug-in's error messages begin so
_DESCRIBE = "mobilebench.opencl.describe"  # function of the plug-in; a phone's own server lacks it
_WIDEST = 16  # OpenCL's vectors
# What a GPU runs of any kernel. Of one that needs many registers it runs fewer items than of the
# least, and tells only when the kernel is compiled: NVIDIA's driver says 1024, and then 256.
_ANY_KERNEL = 256


@dataclass(frozen=True)
class Accelerator:
    """A device beside the CPU."""

    name: str
    driver: str  # empty where it is not reported
    limits: Limits
    stores_half: bool | None  # None where it is not reported


def accelerator_of(session: Any, target: Target, where: str) -> Accelerator:
    """Return the properties of the OpenCL device that a target names, read through a session.

    Raises BenchError, which begins with `where`, if there is no such device.
    """
    device = session.device(target.device_type, target.device_index)
    try:
        describe = session.get_function(_DESCRIBE)
    except AttributeError:
        return _from_tvm(device, target, where)
    try:
        text = str(describe(target.device_index))
    except Exception as error:
        raise BenchError(f"{where}: {first_line(error)}") from error
    return _from_plugin(dict(line.split(": ", 1) for line in text.splitlines() if ": " in line))


def first_line(error: Exception) -> str:
    """Return the message of a plug-in error, without TVM's traces and most of a build log."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = next((n for n, line in enumerate(lines) if OPENCL_ERROR in line), None)
    if first is None:
        return lines[-1] if lines else type(error).__name__
    said = lines[first][lines[first].index(OPENCL_ERROR) :]
    return " ".join([said, *lines[first + 1 : first + 2]]) if said.endswith(":") else said


def _from_plugin(facts: dict[str, str]) -> Accelerator:
    processor = facts["type"] == "cpu"
    limits = Limits(
        work_group=_work_group(int(facts["work_group"]), processor),
        local_bytes=int(facts["local_bytes"]),
        # A CPU runs the work items of a group one after the other, in vectors of its own.
        subgroup=1 if processor else max(1, int(facts["subgroup"])),
        vector_floats=_vector(int(facts["vector_floats"])) if processor else Limits.vector_floats,
        compute_units=int(facts["compute_units"]),
    )
    stores_half = HALF in facts["extensions"].split()
    return Accelerator(facts["name"], facts["driver"], limits, stores_half)


def _work_group(items: int, processor: bool) -> int:
    return items if processor else min(items, _ANY_KERNEL)


def _vector(floats: int) -> int:
    return min(max(floats, Limits.vector_floats), _WIDEST)


def _from_tvm(device: Any, target: Target, where: str) -> Accelerator:
    """Ask a TVM that was built with OpenCL, which reports less."""
    if not device.exist:
        raise BenchError(
            f"{where}: its TVM has no OpenCL device {target.device_index}; a phone's server must "
            "be built with USE_OPENCL, a Linux board's must load the plug-in "
            "(docs/reference/opencl.md)"
        )
    known = target.limits or Limits()
    limits = Limits(
        work_group=_work_group(int(device.max_threads_per_block or known.work_group), False),
        local_bytes=int(device.max_shared_memory_per_block or known.local_bytes),
        subgroup=max(known.subgroup, int(device.warp_size or 1)),
        vector_floats=known.vector_floats,
        compute_units=int(device.multi_processor_count or known.compute_units),
    )
    return Accelerator(str(device.device_name or target.name), "", limits, None)
