"""Skip the steps of a convolution that multiply nothing but padding."""

from typing import Any

import tvm
import tvm_ffi
from tvm import tirx
from tvm.ir import Op
from tvm.ir.expr import Call

from mobilebench.schedules.ir.conditions import (
    conjuncts,
    different,
    holds_for_some,
    loops_inside,
    mentions,
)
from mobilebench.schedules.ir.rewrite import rewrite_kernels
from mobilebench.schedules.templates.annotations import SKIPPABLE


@tvm.transform.module_pass(opt_level=0, name="SkipPadding")
class SkipPadding:
    """Run a loop that accumulates products only where there is something to multiply.

    `sum += (inside ? value : 0) * weight` becomes `if (inside) sum += value * weight`, with the
    condition outside of the loop and of the tile in it, for which it must hold somewhere. TVM's own
    hoisting keeps the other branch, which adds zeros. Runs on explicit loops.
    """

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite all kernels."""
        return rewrite_kernels(mod, tirx.For, _guard)


def _guard(loop: tirx.For) -> Any:
    if SKIPPABLE not in loop.annotations:
        return loop
    conditions: list[Any] = []

    def plain(call: Any) -> Any:
        if call.op != Op.get("prim.if_then_else") or mentions(call.args[0], loop.loop_var):
            return call  # what an iteration by itself must not read
        conditions.extend(conjuncts(call.args[0]))
        return call.args[1]

    body = tvm_ffi.structural_map(loop.body, (Call, plain))
    kept = {k: v for k, v in loop.annotations.items() if k != SKIPPABLE}
    guarded: Any = tirx.For(loop.loop_var, loop.min, loop.extent, loop.kind, body, annotations=kept)
    tile = loops_inside(loop.body)
    for condition in different([holds_for_some(condition, tile) for condition in conditions]):
        guarded = tirx.IfThenElse(condition, guarded, None)
    return guarded
