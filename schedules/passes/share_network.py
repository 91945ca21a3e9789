"""Let all threads run through the network together."""

from typing import Any

import tvm
from tvm import relax, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator

from schedules.passes.plan_arena import NETWORK_IN_ARENA
from schedules.passes.rewrite import rewrite_functions

PART = "network_part"
_BARRIER = "mobilebench_barrier"


@tvm.transform.module_pass(opt_level=0, name="ShareNetwork")
class ShareNetwork:
    """Launch threads once for the whole network, and have them wait for each other between kernels.

    Every thread runs the same code, with its own number: of a kernel whose outermost loop is
    parallel it takes its share, and a kernel without such a loop is run by the first thread (a loop
    further inside must not be parallel: threads that are at work cannot be launched again). What
    launches them is `team.cc`. Runs after PlanArena; does nothing to networks for one thread.
    """

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite the network and its caller."""
        names = {name.name_hint: name for name in mod.functions}
        network = names.get(NETWORK_IN_ARENA)
        if network is None or not any(map(_is_parallel, mod[network].body.seq)):
            return mod
        functions = {name: f for name, f in mod.functions_items() if not name.same_as(network)}
        functions[tvm.ir.GlobalVar(PART)] = share(mod[network])
        shared = tvm.IRModule(functions, attrs=mod.attrs)
        return rewrite_functions(shared, _Caller(shared, network))


def is_shared(mod: tvm.IRModule) -> bool:
    """Whether a module's network needs `team.cc` linked beside it."""
    return any(name.name_hint == PART for name in mod.functions)


def share(network: tirx.PrimFunc) -> tirx.PrimFunc:
    """Return what one thread runs of flat code; three more arguments follow the network's."""
    thread, threads = tirx.Var("thread", "int32"), tirx.Var("threads", "int32")
    barrier = tirx.Var("barrier", "handle")
    body = []
    whole = network.body
    for statement in whole.seq if isinstance(whole, tirx.SeqStmt) else [whole]:
        if isinstance(statement, tirx.DeclBuffer):
            body.append(statement)
            continue
        if _is_parallel(statement):
            body.append(_share(statement, thread, threads))
        else:
            body.append(tirx.IfThenElse(thread == 0, statement, None))
        body.append(tirx.Evaluate(tirx.call_extern("int32", _BARRIER, barrier)))
    params = [*network.params, thread, threads, barrier]
    del body[-1]  # whoever launched the threads waits for all of them anyway
    sequence = tirx.SeqStmt(body) if len(body) > 1 else body[0]
    part = tirx.PrimFunc(params, sequence, attrs=network.attrs)
    return part.with_attr("global_symbol", PART)


def _is_parallel(statement: Any) -> bool:
    if isinstance(statement, tirx.AttrStmt):  # what a schedule noted about the loop inside
        return _is_parallel(statement.body)
    return isinstance(statement, tirx.For) and statement.kind == tirx.ForKind.PARALLEL


def _share(statement: Any, thread: Any, threads: Any) -> Any:
    """Return the turns of a loop that are a thread's: as many as the others', or one fewer."""
    if isinstance(statement, tirx.AttrStmt):
        body = _share(statement.body, thread, threads)
        return tirx.AttrStmt(statement.node, statement.attr_key, statement.value, body)
    kind = str(statement.loop_var.ty.dtype)
    extent = statement.extent.astype(kind)
    begin = extent * thread.astype(kind) // threads.astype(kind)
    end = extent * (thread.astype(kind) + 1) // threads.astype(kind)
    return tirx.For(statement.loop_var, begin, end - begin, tirx.ForKind.SERIAL, statement.body)


@mutator
class _Caller(PyExprMutator):
    """Calls the launcher by its name in the library."""

    def __init__(self, mod: tvm.IRModule, network: Any) -> None:
        super().__init__(mod)
        self._network = network

    def visit_call_(self, call: Any) -> Any:
        if not call.op.same_as(self._network):
            return super().visit_call_(call)
        return relax.Call(relax.ExternFunc(NETWORK_IN_ARENA), call.args, call.attrs, call.ty_args)
