"""A network as a plain sequence of kernels."""

from dataclasses import dataclass
from typing import Any

from tvm import relax
from tvm.ir import GenericConst, Op


@dataclass(frozen=True)
class KernelSequence:
    """The calls of kernels in their order, by the variable that each defines."""

    calls: dict[Any, relax.Call]
    outputs: list[Any]  # the variables that `main` returns

    def is_output(self, variable: Any) -> bool:
        """Whether `main` returns it."""
        return any(variable.same_as(output) for output in self.outputs)


def kernel_sequence_of(main: relax.Function) -> KernelSequence | None:
    """Return the steps of a network; None if there is more to it than calls of kernels."""
    calls: dict[Any, relax.Call] = {}
    others: dict[Any, Any] = {}
    for block in main.body.blocks:
        for binding in block.bindings:
            value = binding.value
            if isinstance(value, relax.Call) and value.op == Op.get("relax.call_tir"):
                calls[binding.var] = value
            elif isinstance(value, (relax.Var, relax.Tuple)):
                others[binding.var] = value
            else:
                return None
    outputs = _resolve(main.body.body, others)
    known = {main.params[0], *calls}
    arguments = [argument for call in calls.values() for argument in call.args[1]]
    plain = all(is_constant(argument) or argument in known for argument in arguments)
    whole = len(main.params) == 1 and all(output in calls for output in outputs)
    return KernelSequence(calls, outputs) if plain and whole and calls else None


def return_value(outputs: list[Any]) -> Any:
    """Return the expression of one output, or of several."""
    return outputs[0] if len(outputs) == 1 else relax.Tuple(outputs)


def is_constant(expr: Any) -> bool:
    """Whether an expression is a constant tensor."""
    return isinstance(expr, GenericConst)


def _resolve(expr: Any, others: dict[Any, Any]) -> list[Any]:
    """Return the variables that an expression of variables and tuples is made of."""
    if isinstance(expr, relax.Tuple):
        return [variable for field in expr.fields for variable in _resolve(field, others)]
    return _resolve(others[expr], others) if expr in others else [expr]
