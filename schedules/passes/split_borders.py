"""Compute the interior of an image without the conditions that only its borders need."""

from collections.abc import Sequence
from typing import Any

import tvm
import tvm_ffi
from tvm import tirx
from tvm.ir import Op
from tvm.ir.expr import Call

from mobilebench.schedules.ir.conditions import (
    conjuncts,
    different,
    holds_for_all,
    is_comparison,
    is_one_of,
    loops_inside,
    mentions,
)
from mobilebench.schedules.ir.rewrite import rewrite_kernels
from mobilebench.schedules.templates.annotations import BORDERS


@tvm.transform.module_pass(opt_level=0, name="SplitBorders")
class SplitBorders:
    """Ask once in each iteration of a loop over rows whether all it reads is inside the image.

    If it is, no load asks again. Runs on explicit loops; what it copies is told apart afterwards,
    by TVM's `ConvertSSA`.
    """

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite all kernels."""
        return rewrite_kernels(mod, tirx.For, _split)


def _split(loop: tirx.For) -> Any:
    if BORDERS not in loop.annotations:
        return loop
    body, conditions = loop.body, _conditions(loop)
    if conditions:
        inside = loops_inside(body)
        whole = different([holds_for_all(condition, inside) for condition in conditions])
        body = tirx.IfThenElse(tirx.all(*whole), _without(body, conditions), body)
    kept = {key: value for key, value in loop.annotations.items() if key != BORDERS}
    return tirx.For(loop.loop_var, loop.min, loop.extent, loop.kind, body, annotations=kept)


def _conditions(loop: tirx.For) -> list[Any]:
    """Return the different comparisons on which loads depend and that depend on the loop."""
    found: list[Any] = []

    def visit(call: Any) -> None:
        if call.op == Op.get("prim.if_then_else"):
            found.extend(
                one
                for one in conjuncts(call.args[0])
                if is_comparison(one) and mentions(one, loop.loop_var)
            )

    tvm_ffi.structural_walk(loop.body, (Call, visit))
    return different(found)


def _without(body: Any, conditions: Sequence[Any]) -> Any:
    """Return a copy of a body in which the conditions are known to hold."""

    def change(call: Any) -> Any:
        if call.op != Op.get("prim.if_then_else"):
            return call
        condition, inside, outside = call.args
        left = [one for one in conjuncts(condition) if not is_one_of(one, conditions)]
        return tirx.if_then_else(tirx.all(*left), inside, outside) if left else inside

    return tvm_ffi.structural_map(body, (Call, change))
