"""Skip the steps of a convolution that multiply nothing but padding."""

from typing import Any

import tvm
import tvm_ffi
from tvm import sym, tirx
from tvm.ir import Op
from tvm.ir.expr import Call

from mobilebench.schedules.ir.rewrite import rewrite_kernels
from mobilebench.schedules.templates.annotations import SKIPPABLE

_HOLDS_FOR_SOME: dict[type, Any] = {
    # Of a difference that is linear in the lanes of a tile, by its least and its largest value.
    tirx.LT: lambda least, most: least < 0,
    tirx.LE: lambda least, most: least <= 0,
    tirx.GT: lambda least, most: most > 0,
    tirx.GE: lambda least, most: most >= 0,
}


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
        if call.op != Op.get("prim.if_then_else"):
            return call
        conditions.extend(_conjuncts(call.args[0]))
        return call.args[1]

    body = tvm_ffi.structural_map(loop.body, (Call, plain))
    kept = {k: v for k, v in loop.annotations.items() if k != SKIPPABLE}
    guarded: Any = tirx.For(loop.loop_var, loop.min, loop.extent, loop.kind, body, annotations=kept)
    tile = _loops_inside(loop)
    needed: list[Any] = []
    for condition in conditions:
        some = _for_some(condition, tile)
        if not any(tvm_ffi.structural_equal(some, other) for other in needed):
            needed.append(some)
    for condition in needed:
        guarded = tirx.IfThenElse(condition, guarded, None)
    return guarded


def _conjuncts(condition: Any) -> list[Any]:
    if isinstance(condition, tirx.And):
        return [*_conjuncts(condition.a), *_conjuncts(condition.b)]
    return [condition]


def _loops_inside(loop: tirx.For) -> list[tirx.For]:
    found: list[tirx.For] = []
    tvm_ffi.structural_walk(loop.body, (tirx.For, found.append))
    return found


def _for_some(comparison: Any, tile: list[tirx.For]) -> Any:
    """Return whether a comparison holds for some iteration of the loops of a tile."""
    difference = comparison.a - comparison.b
    least = most = difference
    for loop in tile:
        ends = loop.min, loop.min + loop.extent - 1
        least = tirx.min(*(_at(least, loop.loop_var, end) for end in ends))
        most = tirx.max(*(_at(most, loop.loop_var, end) for end in ends))
    analyzer = sym.Analyzer()
    return _HOLDS_FOR_SOME[type(comparison)](analyzer.simplify(least), analyzer.simplify(most))


def _at(expression: Any, variable: Any, value: Any) -> Any:
    """Return an expression with a value for a variable."""
    return tvm_ffi.structural_map(
        expression, (tirx.Var, lambda one: value if one.same_as(variable) else one)
    )
