"""Put all activations into one piece of memory."""

from typing import Any

import tvm
from tvm import relax, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator

from mobilebench.schedules.arena import ALIGNMENT, Lifetime, plan, total_bytes
from mobilebench.schedules.ir.statements import body_of, statements_of
from mobilebench.schedules.machine import Machine
from mobilebench.schedules.passes.merge_kernels import NETWORK
from mobilebench.schedules.templates.task import tensor_bytes

NETWORK_IN_ARENA = "network_in_arena"


@tvm.transform.module_pass(opt_level=0, name="PlanArena")
class PlanArena:
    """Give the buffers inside the merged network places in one tensor that `main` hands to it.

    TVM's planner reuses whole buffers, so a small tensor occupies a large one; offsets waste
    nothing. Runs after CallTIRRewrite, on the network with flat buffers: a sequence of
    declarations, allocations and loop nests, where a buffer lives from the first loop nest that
    mentions it to the last.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite the network and its caller; does nothing where kernels were not merged."""
        names = {name.name_hint: name for name in mod.functions}
        if NETWORK not in names:
            return mod
        network = names[NETWORK]
        placed, nbytes = _place_buffers(mod[network], self._machine.threads > 1)
        caller = _ArenaAllocator(mod, network, nbytes)
        caller.network_in_arena = caller.builder_.add_func(placed, NETWORK_IN_ARENA)
        caller.builder_.update_func(names["main"], caller.visit_expr(mod["main"]))
        functions = caller.builder_.get().functions_items()
        return tvm.IRModule(
            {name: function for name, function in functions if name.name_hint != NETWORK},
            attrs=mod.attrs,
        )


def _place_buffers(function: tirx.PrimFunc, shared: bool) -> tuple[tirx.PrimFunc, int]:
    """Return the function with an arena as its last argument but one, and the arena's bytes."""
    statements = statements_of(function.body)
    allocations = [one for one in statements if isinstance(one, tirx.AllocBuffer)]
    steps: dict[Any, list[int]] = {}
    for step, statement in enumerate(statements):
        if not isinstance(statement, tirx.AllocBuffer):
            for variable in tirx.analysis.undefined_vars(statement, []):
                steps.setdefault(variable, []).append(step)
    lifetimes = [
        Lifetime(tensor_bytes(one.buffer), steps[one.buffer][0], steps[one.buffer][-1])
        for one in allocations
    ]
    offsets = plan(lifetimes, shared)
    nbytes = total_bytes(lifetimes, offsets)
    arena = bytes_buffer("arena", nbytes)
    view = bytes_buffer("arena_bytes", nbytes)
    places = dict(zip((one.buffer for one in allocations), offsets, strict=True))
    body = [tirx.DeclBuffer(view, data=arena.data)]
    for statement in statements:
        if isinstance(statement, tirx.AllocBuffer):
            place = tirx.address_of(view[places[statement.buffer]])
            body.append(tirx.DeclBuffer(statement.buffer, data=place))
        else:
            body.append(statement)
    params = [*function.params[:-1], arena, function.params[-1]]
    return tirx.PrimFunc(params, body_of(body), attrs=function.attrs), nbytes


@mutator
class _ArenaAllocator(PyExprMutator):
    """Allocates the arena where the network is called."""

    network_in_arena: Any

    def __init__(self, mod: tvm.IRModule, network: Any, nbytes: int) -> None:
        super().__init__(mod)
        self._network, self._bytes = network, nbytes

    def visit_call_(self, call: Any) -> Any:
        if not call.op.same_as(self._network):
            return super().visit_call_(call)
        shape = relax.ShapeExpr([self._bytes])
        storage = self.builder_.emit(relax.op.memory.alloc_storage(shape, 0, "global", "uint8"))
        arena = self.builder_.emit(relax.op.memory.alloc_tensor(storage, 0, shape, "uint8"))
        args = [*call.args[:-1], arena, call.args[-1]]
        return relax.Call(self.network_in_arena, args, call.attrs, call.ty_args)


def bytes_buffer(name: str, nbytes: int) -> Any:
    """Return a piece of memory that tensors may lie in."""
    return tirx.decl_buffer((nbytes,), "uint8", name, data_alignment=ALIGNMENT)
