"""Additions in a quantized graph that can be computed with a product."""

from dataclasses import dataclass
from typing import Any

from mobilebench.schedules.ir.quantized import QuantizedGraph, is_call


@dataclass(frozen=True)
class Residual:
    """The two that an addition joins: the bytes of a product that nothing else reads, and others.

    Both are old variables.
    """

    product: Any
    other: Any


def residuals(graph: QuantizedGraph) -> dict[Any, Residual]:
    """Return the additions that can be computed with a product, by the variable of their bytes."""
    found = {}
    for variable, value in graph.definitions.items():
        added = graph.value(value.args[0]) if is_call(value, "quantize") else None
        if added is None or not is_call(added, "add") or added.args[0].same_as(added.args[1]):
            continue
        operands = [graph.bytes_of(arg) for arg in added.args]
        shapes = [[int(extent) for extent in arg.ty.shape] for arg in added.args]
        if None in operands or shapes[0] != shapes[1]:
            continue
        for one, other, read in zip(operands, operands[::-1], added.args, strict=True):
            if one and other and graph.is_read_once(read) and _is_own_product(graph, one[0]):
                found[variable] = Residual(one[0], other[0])
                break
    return found


def _is_own_product(graph: QuantizedGraph, variable: Any) -> bool:
    """Whether bytes are those of a product, and are read once."""
    call = graph.value(variable)
    of_product = is_call(call, "quantize") and graph.product(call.args[0]) is not None
    return of_product and graph.is_read_once(variable)
