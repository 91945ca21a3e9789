"""Let all threads run through the network together."""

from typing import Any

import tvm
from tvm import relax, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator

from mobilebench.schedules.ir.chunks import find_chunk_loop, part_of, run_chunks
from mobilebench.schedules.ir.conditions import loops_inside
from mobilebench.schedules.ir.rewrite import rewrite_functions
from mobilebench.schedules.ir.statements import body_of, statements_of
from mobilebench.schedules.machine import Machine
from mobilebench.schedules.passes.plan_arena import NETWORK_IN_ARENA
from mobilebench.schedules.passes.repeat_images import IMAGES

PART = "network_part"
_BARRIER = "mobilebench_barrier"


@tvm.transform.module_pass(opt_level=0, name="ShareNetwork")
class ShareNetwork:
    """Launch threads once for the whole network, and have them wait for each other between kernels.

    Every thread runs the same code, with its own number: it takes its part of a kernel's parallel
    loop, and a kernel without one is run by the first thread. Around the parallel loop there may
    be nothing but loops, which every thread goes through (threads that are at work cannot be
    launched again). What launches them is `team.cc`. For one thread nothing is launched, and
    there are no barriers. Runs after PlanArena.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite the network and its caller."""
        names = {name.name_hint: name for name in mod.functions}
        network = names.get(NETWORK_IN_ARENA)
        if network is None:
            return mod
        if self._machine.threads == 1:
            alone = tvm.IRModule(dict(mod.functions_items()), attrs=mod.attrs)
            alone.update_func(network, unshared(mod[network]))
            return alone
        functions = {name: f for name, f in mod.functions_items() if not name.same_as(network)}
        functions[tvm.ir.GlobalVar(PART)] = share(mod[network], self._machine.threads)
        shared = tvm.IRModule(functions, attrs=mod.attrs)
        return rewrite_functions(shared, _LaunchCaller(shared, network))


def is_shared(mod: tvm.IRModule) -> bool:
    """Whether a module's network needs `team.cc` linked beside it."""
    return any(name.name_hint == PART for name in mod.functions)


def share(network: tirx.PrimFunc, parts: int) -> tirx.PrimFunc:
    """Return what one thread runs of flat code; three more arguments follow the network's.

    Each kernel is cut into so many parts, which threads take in turn: with as many threads, each
    takes one. That the number is a constant lets TVM prove where tiles are whole.
    """
    thread, threads = tirx.Var("thread", "int32"), tirx.Var("threads", "int32")
    barrier = tirx.Var("barrier", "handle")
    body = _shared(statements_of(network.body), (thread, threads, barrier), parts)
    params = [*network.params, thread, threads, barrier]
    if isinstance(body[-1], tirx.Evaluate):
        del body[-1]  # whoever launched the threads waits for all of them anyway
    shared = tirx.PrimFunc(params, body_of(body), attrs=network.attrs)
    return shared.with_attr("global_symbol", PART)


def _shared(statements: list[Any], numbers: tuple[Any, Any, Any], parts: int) -> list[Any]:
    """Return what a thread runs of some statements, each kernel followed by a barrier."""
    thread, threads, barrier = numbers
    body = []
    for statement in statements:
        if isinstance(statement, tirx.DeclBuffer):
            body.append(statement)
            continue
        if isinstance(statement, tirx.Evaluate):  # of the instrumentation: nobody waits for it
            body.append(tirx.IfThenElse(thread == 0, statement, None))
            continue
        if isinstance(statement, tirx.For) and IMAGES in statement.annotations:
            inner = body_of(_shared(statements_of(statement.body), numbers, parts))
            body.append(
                tirx.For(statement.loop_var, 0, statement.extent, tirx.ForKind.SERIAL, inner)
            )
            continue
        chunks = find_chunk_loop(statement)
        if chunks is None:
            assert not _has_parallel_loop(statement), "threads that are at work cannot be launched"
            body.append(tirx.IfThenElse(thread == 0, statement, None))
        else:
            kind = str(chunks.loop_var.ty.dtype)
            part = tirx.Var("part", kind)
            cut = run_chunks(statement, *part_of(chunks.extent.astype(kind), part, parts))
            mine = tirx.floormod(part, threads.astype(kind)) == thread.astype(kind)
            body.append(
                tirx.For(part, 0, parts, tirx.ForKind.SERIAL, tirx.IfThenElse(mine, cut, None))
            )
        body.append(tirx.Evaluate(tirx.call_extern("int32", _BARRIER, barrier)))
    return body


def unshared(network: tirx.PrimFunc) -> tirx.PrimFunc:
    """Return flat code with every kernel's chunks run one after the other."""
    body = []
    for statement in statements_of(network.body):
        chunks = find_chunk_loop(statement)
        body.append(run_chunks(statement, 0, chunks.extent) if chunks else statement)
    return network.with_body(body_of(body))


def _has_parallel_loop(statement: Any) -> bool:
    return any(loop.kind == tirx.ForKind.PARALLEL for loop in loops_inside(statement))


@mutator
class _LaunchCaller(PyExprMutator):
    """Calls the launcher by its name in the library."""

    def __init__(self, mod: tvm.IRModule, network: Any) -> None:
        super().__init__(mod)
        self._network = network

    def visit_call_(self, call: Any) -> Any:
        if not call.op.same_as(self._network):
            return super().visit_call_(call)
        return relax.Call(relax.ExternFunc(NETWORK_IN_ARENA), call.args, call.attrs, call.ty_args)
