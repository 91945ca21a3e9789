"""A network's memory plan as a text for people, read from the module that the planner has left."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import tvm
from tvm import relax, tirx
from tvm.ir import Op

from mobilebench.schedules.ir.statements import statements_of
from mobilebench.schedules.passes.plan_arena import NETWORK_IN_ARENA
from mobilebench.schedules.templates.task import tensor_bytes

_HEAD = ("piece", "offset", "bytes", "first", "last")


@dataclass(frozen=True)
class Placement:
    """Where a tensor lies, and the first and last step that touches it."""

    tensor: str
    piece: int  # of memory; on a CPU there is one
    offset: int  # bytes from the beginning of the piece
    nbytes: int
    first: int  # step: loop nests of the merged network, or calls of kernels
    last: int


def arena_table(planned: tvm.IRModule) -> str:
    """Return a line for each tensor that lies in the arena, in the order of first use.

    Of a module right after PlanArena, or after StaticPlanBlockMemory.
    """
    placements = sorted(placements_of(planned), key=lambda one: (one.first, one.piece, one.offset))
    ends: dict[int, int] = {}
    for one in placements:
        ends[one.piece] = max(ends.get(one.piece, 0), one.offset + one.nbytes)
    lines = [
        f"# Tensors that live between kernels: {len(placements)} in {sum(ends.values())} bytes.",
        "# A tensor is needed from its first to its last step; steps are kernels in their order.",
        " ".join(f"{name:>8}" for name in _HEAD) + "  tensor",
    ]
    for one in placements:
        numbers = (one.piece, one.offset, one.nbytes, one.first, one.last)
        lines.append(" ".join(f"{number:>8}" for number in numbers) + f"  {one.tensor}")
    return "\n".join(lines) + "\n"


def placements_of(planned: tvm.IRModule) -> list[Placement]:
    """Return the place of every tensor that a planner has put into memory that is used again."""
    names = {name.name_hint: name for name in planned.functions}
    if NETWORK_IN_ARENA in names:
        return _in_arena(planned[names[NETWORK_IN_ARENA]])
    return _in_storages(planned["main"])


def _in_arena(network: tirx.PrimFunc) -> list[Placement]:
    """Return the buffers that are declared at an address of the arena."""
    statements = statements_of(network.body)
    declared = [one for one in statements if isinstance(one, tirx.DeclBuffer)]
    kernels = (one for one in statements if not isinstance(one, tirx.DeclBuffer))
    steps = _steps(tirx.analysis.undefined_vars(kernel, []) for kernel in kernels)
    found = []
    for one in declared:
        if one.data.op != Op.get("tirx.address_of"):
            continue  # another view of an argument, whole
        (offset,) = one.data.args[0].indices
        uses = steps[one.buffer]
        nbytes = tensor_bytes(one.buffer)
        found.append(Placement(one.buffer.name, 0, int(offset), nbytes, uses[0], uses[-1]))
    return found


def _in_storages(main: relax.Function) -> list[Placement]:
    """Return the tensors that `main` allocates in storages."""
    bindings = [binding for block in main.body.blocks for binding in block.bindings]
    pieces: dict[Any, int] = {}
    tensors: dict[Any, tuple[int, int]] = {}  # piece and offset
    kernels = []
    for binding in bindings:
        value = binding.value
        if not isinstance(value, relax.Call):
            continue
        if value.op == Op.get("relax.memory.alloc_storage"):
            pieces[binding.var] = len(pieces)
        elif value.op == Op.get("relax.memory.alloc_tensor"):
            tensors[binding.var] = pieces[value.args[0]], int(value.args[1].value)
        elif isinstance(value.op, tvm.ir.GlobalVar):
            kernels.append(value)
    # A variable that stands for another is the same tensor.
    same = {b.var: b.value for b in bindings if isinstance(b.value, relax.Var)}
    steps = _steps([same.get(arg, arg) for arg in call.args] for call in kernels)
    return [
        Placement(
            variable.name,
            *place,
            tensor_bytes(variable.ty),
            steps[variable][0],
            steps[variable][-1],
        )
        for variable, place in tensors.items()
    ]


def _steps(touched: Iterable[Iterable[Any]]) -> dict[Any, list[int]]:
    """Return the steps that touch each variable, in order, given what each step touches."""
    found: dict[Any, list[int]] = {}
    for step, variables in enumerate(touched):
        for variable in variables:
            found.setdefault(variable, []).append(step)
    return found
