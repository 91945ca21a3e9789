"""Put all weights into one piece of memory."""

from typing import Any

import numpy as np
import tvm
from tvm import relax, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator

from mobilebench.schedules.arena import ALIGNMENT
from mobilebench.schedules.ir.kernel_sequence import is_constant
from mobilebench.schedules.ir.rewrite import rewrite_functions
from mobilebench.schedules.ir.statements import statements_of
from mobilebench.schedules.passes.plan_arena import NETWORK_IN_ARENA
from mobilebench.schedules.precision import FLOAT16, FLOAT32

NETWORK_PARAMS = "network_params"  # the function of `params.cc`
_ALIGNED = ALIGNMENT // 4  # floats


@tvm.transform.module_pass(opt_level=0, name="PoolParams")
class PoolParams:
    """Hand the network one constant, in which every weight has its place.

    They lie in the order in which they are used. One pool can be mapped from a file, or be a part
    of the library that is never copied; the constants that TVM's executable keeps are read and
    copied whenever it is loaded. Runs after PlanArena.
    """

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite the network and its caller; does nothing where kernels were not merged."""
        network = {name.name_hint: name for name in mod.functions}.get(NETWORK_IN_ARENA)
        if network is None:
            return mod
        # It takes other arguments then, so it is another function of the same name.
        others = {name: f for name, f in mod.functions_items() if not name.same_as(network)}
        rest = tvm.IRModule(others, attrs=mod.attrs)
        return rewrite_functions(rest, _Pooling(rest, network, mod[network]))


def take_params(planned: tvm.IRModule) -> tuple[tvm.IRModule, bytes]:
    """Return a planned module that asks `params.cc` for its pool, and the pool.

    Where nothing was pooled the module stays as it is, and there are no bytes.
    """
    taking = _Taking(planned)
    rewritten = rewrite_functions(planned, taking)
    return rewritten, taking.pool


@mutator
class _Pooling(PyExprMutator):
    """Calls the network with a pool where it was called with constants."""

    def __init__(self, mod: tvm.IRModule, network: Any, kernel: tirx.PrimFunc) -> None:
        super().__init__(mod)
        self._network, self._kernel = network, kernel

    def visit_call_(self, call: Any) -> Any:
        if not call.op.same_as(self._network):
            return super().visit_call_(call)
        places, pool = _lay_out(call.args)
        if not places:
            network = self.builder_.add_func(self._kernel, NETWORK_IN_ARENA)
            return relax.Call(network, call.args, call.attrs, call.ty_args)
        data = _floats("params", len(pool))
        view = _floats("params_view", len(pool))
        body = [tirx.DeclBuffer(view, data=data.data)]
        for index, place in places.items():
            weight = self._kernel.params[index]
            body.append(tirx.DeclBuffer(weight, data=tirx.address_of(view[place])))
        body += statements_of(self._kernel.body)
        params = _replaced(self._kernel.params, places, data)
        pooled = tirx.PrimFunc(params, tirx.SeqStmt(body), attrs=self._kernel.attrs)
        network = self.builder_.add_func(pooled, NETWORK_IN_ARENA)
        args = _replaced(call.args, places, relax.const(pool, "float32"))
        return relax.Call(network, args, call.attrs, call.ty_args)


def _lay_out(args: Any) -> tuple[dict[int, int], np.ndarray]:
    """Return the place of every argument that is constant, and the pool."""
    places, parts, end = {}, [], 0
    for index, arg in enumerate(args):
        if _is_weight(arg):
            gap = -end % _ALIGNED
            values = _as_floats(arg.value.numpy())
            parts += [np.zeros(gap, np.float32), values]
            places[index] = end + gap
            end += gap + len(values)
    return places, np.concatenate(parts or [np.zeros(0, np.float32)])


def _as_floats(values: np.ndarray) -> np.ndarray:
    """Return the bytes of an array as float32, zeros behind them if they fill none."""
    content = values.tobytes()
    return np.frombuffer(content + bytes(-len(content) % 4), np.float32)


def _is_weight(arg: Any) -> bool:
    if not is_constant(arg) or not isinstance(arg.value, tvm.runtime.Tensor):
        return False
    words = arg.value.dtype == "int32" and len(arg.value.shape) > 1  # of bytes, not indices
    return words or arg.value.dtype in (FLOAT32, FLOAT16)


def _floats(name: str, count: int) -> Any:
    return tirx.decl_buffer((count,), "float32", name, data_alignment=ALIGNMENT)


def _replaced(values: Any, places: dict[int, int], pool: Any) -> list[Any]:
    """Return the values with one pool where the first that has a place was, without the others."""
    first = min(places)
    kept = (pool if index == first else value for index, value in enumerate(values))
    return [value for index, value in enumerate(kept) if index == first or index not in places]


@mutator
class _Taking(PyExprMutator):
    """Calls a function of the library for a pool that was a constant."""

    def __init__(self, mod: tvm.IRModule) -> None:
        super().__init__(mod)
        self.pool = b""

    def visit_call_(self, call: Any) -> Any:
        pool = next((arg for arg in call.args if _is_weight(arg)), None)
        if _callee(call) != NETWORK_IN_ARENA or pool is None:
            return super().visit_call_(call)
        self.pool = pool.value.numpy().tobytes()
        given = self.builder_.emit(
            relax.Call(relax.ExternFunc(NETWORK_PARAMS), [], None, [pool.ty])
        )
        args = [given if arg.same_as(pool) else arg for arg in call.args]
        return relax.Call(call.op, args, call.attrs, call.ty_args)


def _callee(call: Any) -> str:
    """Return the name of what is called: in this module, or (on several threads) beside it."""
    named = call.op
    return str(getattr(named, "name_hint", "") or getattr(named, "global_symbol", ""))
