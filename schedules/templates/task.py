"""A task: a kernel that a template schedules, the same in every variant that contains it."""

from dataclasses import asdict, dataclass
from math import prod
from types import ModuleType
from typing import Any

import tvm
import tvm_ffi
from tvm import relax, s_tir
from tvm.ir import Op

from mobilebench.schedules.kernel_names import FOREIGN
from mobilebench.schedules.machine import Processor
from mobilebench.schedules.operators.products import PIXELS, SUMMED
from mobilebench.schedules.templates.registry import template_of

_PIXELS = 4  # dimensions of a tensor that has some


@dataclass(frozen=True)
class Task:
    """A fused kernel before it is scheduled.

    Two kernels are the same task if they compute the same on the same shapes; names do not count.
    """

    title: str  # for people: family, then extents of the core's spatial and reduction loops
    digest: str  # for machines: hexadecimal structural hash
    macs: int
    function: Any  # tirx.PrimFunc
    template: ModuleType
    kind: str  # of the numbers that are multiplied

    @property
    def key(self) -> str:
        """Title and digest."""
        return f"{self.title} #{self.digest}"


def task_of(function: Any, machine: Processor) -> Task | None:
    """Return the task that a kernel is; None for one that no template knows."""
    schedule = s_tir.Schedule(function)
    template = template_of(schedule, machine)
    if template is None:
        return None
    core = schedule.get(schedule.get_sblock(template.CORE))
    spatial: list[int] = []
    reduction: list[int] = []
    for axis in core.iter_vars:
        extents = reduction if axis.iter_type == axis.CommReduce else spatial
        extents.append(int(axis.dom.extent))
    if SUMMED in core.annotations:  # in words, or in chunks, which are an axis more
        reduction = [int(extent) for extent in core.annotations[SUMMED]]
        spatial = spatial[:_PIXELS]
    if PIXELS in core.annotations:
        spatial = [int(extent) for extent in core.annotations[PIXELS]]
    family = getattr(template, "FAMILY", template.__name__.rpartition(".")[2])
    title = f"{family} {_times(spatial[1:])} over {_times(reduction)}"
    digest = tvm_ffi.structural_hash(function.without_attr("global_symbol"))
    macs = prod(spatial) * prod(reduction)
    kind = str(core.writes[0].source.ty.dtype)
    return Task(title, f"{digest:016x}", macs, function, template, kind)


def kernel_calls(main: relax.Function) -> dict[str, int]:
    """Return how often `main` calls each kernel, in the order of the first calls."""
    found: dict[str, int] = {}

    def visit(expr: Any) -> None:
        if isinstance(expr, relax.Call) and expr.op == Op.get("relax.call_tir"):
            name = expr.args[0].name_hint
            found[name] = found.get(name, 0) + 1

    relax.analysis.post_order_visit(main, visit)
    return found


@dataclass(frozen=True)
class Kernel:
    """What a kernel has to do in each call."""

    name: str  # of its task
    calls: int  # in an inference
    macs: int  # with the lanes that pad channels to whole vectors
    nbytes: int  # that it reads and writes once: input, weights, output


def tensor_bytes(tensor: Any) -> int:
    """Return the size of a TIR buffer of constant shape."""
    elements = prod(int(extent) for extent in tensor.shape)
    return elements * int(tvm.DataType(str(tensor.dtype)).itemsize)


def kernels_of(fused: Any, machine: Processor) -> list[dict[str, Any]]:
    """Return the kernels of a fused module as plain data, in the order of their first calls."""
    found = []
    for name, calls in kernel_calls(fused["main"]).items():
        function = fused[name]
        task = task_of(function, machine)
        tensors = [buffer for buffer in function.params if hasattr(buffer, "shape")]
        nbytes = sum(map(tensor_bytes, tensors))
        key, macs = (task.key, task.macs) if task else (f"{FOREIGN}{name}", 0)
        found.append(asdict(Kernel(key, calls, macs, nbytes)))
    return found


def _times(extents: list[int]) -> str:
    return "x".join(map(str, extents))
