"""Conditions on loop variables, and whether they hold in some or in all iterations of loops."""

from collections.abc import Sequence
from typing import Any

import tvm_ffi
from tvm import sym, tirx

# By the least and the largest value of the difference that a comparison compares with 0.
_HOLDS_FOR_SOME: dict[type, Any] = {
    tirx.LT: lambda least, most: least < 0,
    tirx.LE: lambda least, most: least <= 0,
    tirx.GT: lambda least, most: most > 0,
    tirx.GE: lambda least, most: most >= 0,
}
_HOLDS_FOR_ALL: dict[type, Any] = {
    tirx.LT: lambda least, most: most < 0,
    tirx.LE: lambda least, most: most <= 0,
    tirx.GT: lambda least, most: least > 0,
    tirx.GE: lambda least, most: least >= 0,
}


def conjuncts(condition: Any) -> list[Any]:
    """Return the parts of a condition all of which must hold."""
    if isinstance(condition, tirx.And):
        return [*conjuncts(condition.a), *conjuncts(condition.b)]
    return [condition]


def loops_inside(statement: Any) -> list[tirx.For]:
    """Return all loops in a statement, at any depth."""
    found: list[tirx.For] = []
    tvm_ffi.structural_walk(statement, (tirx.For, found.append))
    return found


def is_comparison(condition: Any) -> bool:
    """Whether one number is compared with another that is less or larger."""
    return type(condition) in _HOLDS_FOR_ALL


def holds_for_some(comparison: Any, loops: Sequence[tirx.For]) -> Any:
    """Return whether a comparison that is linear in the loops' variables holds at some of them."""
    return _HOLDS_FOR_SOME[type(comparison)](*_ends(comparison, loops))


def holds_for_all(comparison: Any, loops: Sequence[tirx.For]) -> Any:
    """Return whether a comparison that is linear in the loops' variables holds at all of them."""
    return _HOLDS_FOR_ALL[type(comparison)](*_ends(comparison, loops))


def different(conditions: Sequence[Any]) -> list[Any]:
    """Return the conditions without those that are there already."""
    found: list[Any] = []
    for condition in conditions:
        if not is_one_of(condition, found):
            found.append(condition)
    return found


def is_one_of(condition: Any, others: Sequence[Any]) -> bool:
    """Whether a condition is written like one of others."""
    return any(tvm_ffi.structural_equal(condition, other) for other in others)


def mentions(expression: Any, variable: Any) -> bool:
    """Whether an expression has a variable."""
    return any(one.same_as(variable) for one in tirx.analysis.undefined_vars(expression))


def at(expression: Any, variable: Any, value: Any) -> Any:
    """Return an expression or statement with a value for a variable."""
    return tvm_ffi.structural_map(
        expression, (tirx.Var, lambda one: value if one.same_as(variable) else one)
    )


def _ends(comparison: Any, loops: Sequence[tirx.For]) -> tuple[Any, Any]:
    least = most = comparison.a - comparison.b
    for loop in loops:
        ends = loop.min, loop.min + loop.extent - 1
        if mentions(least, loop.loop_var):
            least = tirx.min(*(at(least, loop.loop_var, end) for end in ends))
        if mentions(most, loop.loop_var):
            most = tirx.max(*(at(most, loop.loop_var, end) for end in ends))
    analyzer = sym.Analyzer()
    return analyzer.simplify(least), analyzer.simplify(most)
