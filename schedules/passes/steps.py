"""A network as a plain sequence of kernels."""

from typing import Any

from tvm import relax
from tvm.ir import GenericConst, Op


def steps_of(main: relax.Function) -> dict[Any, relax.Call] | None:
    """Return the calls of kernels by the variable that each defines; None if there is more.

    The last of them must be what `main` returns.
    """
    bindings = [binding for block in main.body.blocks for binding in block.bindings]
    steps: dict[Any, relax.Call] = {}
    returned = main.body.body
    for binding in bindings:
        value = binding.value
        if isinstance(value, relax.Call) and value.op == Op.get("relax.call_tir"):
            steps[binding.var] = value
        elif binding.var.same_as(returned) and isinstance(value, relax.Var):
            returned = value
        else:
            return None
    known = {main.params[0], *steps}
    arguments = [argument for call in steps.values() for argument in call.args[1]]
    plain = all(is_constant(argument) or argument in known for argument in arguments)
    last = next(reversed(steps), None)
    one_input = len(main.params) == 1
    return steps if plain and one_input and last is not None and last.same_as(returned) else None


def is_constant(expr: Any) -> bool:
    """Whether an expression is a constant tensor."""
    return isinstance(expr, GenericConst)
