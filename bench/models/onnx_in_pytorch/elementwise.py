"""ONNX operators that work element by element, in PyTorch."""

from collections.abc import Callable
from typing import Any

UNKNOWN = "PyTorch's reference: "  # what refusals of operators begin with
Facts = dict[str, Any]
Operator = Callable[[list[Any], Facts], Any]
"""From a node's inputs (None where it leaves one out) and attributes to its output, or outputs."""


def _clip(inputs: list[Any], facts: Facts) -> Any:
    data, *bounds = inputs
    least, most = (*bounds, None, None)[:2]
    least = facts.get("min") if least is None else least
    most = facts.get("max") if most is None else most
    return data if least is None and most is None else data.clamp(least, most)


def _leaky(inputs: list[Any], facts: Facts) -> Any:
    import torch

    return torch.nn.functional.leaky_relu(inputs[0], facts.get("alpha", 0.01))


def _prelu(inputs: list[Any], _facts: Facts) -> Any:
    data, slope = inputs
    return data.clamp(min=0) + slope * data.clamp(max=0)


def _elu(inputs: list[Any], facts: Facts) -> Any:
    import torch

    return torch.nn.functional.elu(inputs[0], facts.get("alpha", 1.0))


def _hard_sigmoid(inputs: list[Any], facts: Facts) -> Any:
    return (inputs[0] * facts.get("alpha", 0.2) + facts.get("beta", 0.5)).clamp(0, 1)


def _gelu(inputs: list[Any], facts: Facts) -> Any:
    import torch

    approximate = facts.get("approximate", b"none").decode()
    return torch.nn.functional.gelu(inputs[0], approximate=approximate)


def _divide(inputs: list[Any], _facts: Facts) -> Any:
    import torch

    data, by = inputs
    whole = not data.is_floating_point()
    return torch.div(data, by, rounding_mode="trunc") if whole else data / by


def _modulo(inputs: list[Any], facts: Facts) -> Any:
    import torch

    data, by = inputs
    return torch.fmod(data, by) if facts.get("fmod") else torch.remainder(data, by)


def _cast(inputs: list[Any], facts: Facts) -> Any:
    """Floating-point numbers stay what the graph is computed in."""
    import onnx
    import torch

    data, to = inputs[0], onnx.helper.tensor_dtype_to_np_dtype(facts["to"])
    if to.kind == "f":
        return data if data.is_floating_point() else data.to(facts["kind"])
    return data.to(getattr(torch, to.name))


def _fold(combine: Callable[[Any, Any], Any]) -> Operator:
    def all_of(inputs: list[Any], _facts: Facts) -> Any:
        found = inputs[0]
        for one in inputs[1:]:
            found = combine(found, one)
        return found

    return all_of


def _torch(name: str) -> Operator:
    def call(inputs: list[Any], _facts: Facts) -> Any:
        import torch

        return getattr(torch, name)(*inputs)

    return call


def _functional(name: str) -> Operator:
    def call(inputs: list[Any], _facts: Facts) -> Any:
        import torch

        return getattr(torch.nn.functional, name)(inputs[0])

    return call


ELEMENTWISE: dict[str, Operator] = {
    **{
        onnx: _torch(name)
        for onnx, name in {
            "Abs": "abs",
            "And": "logical_and",
            "Ceil": "ceil",
            "Cos": "cos",
            "Equal": "eq",
            "Erf": "erf",
            "Exp": "exp",
            "Floor": "floor",
            "Greater": "gt",
            "GreaterOrEqual": "ge",
            "IsNaN": "isnan",
            "Less": "lt",
            "LessOrEqual": "le",
            "Log": "log",
            "Neg": "neg",
            "Not": "logical_not",
            "Or": "logical_or",
            "Pow": "pow",
            "Reciprocal": "reciprocal",
            "Relu": "relu",
            "Round": "round",
            "Sigmoid": "sigmoid",
            "Sign": "sign",
            "Sin": "sin",
            "Sqrt": "sqrt",
            "Tanh": "tanh",
            "Where": "where",
            "Xor": "logical_xor",
        }.items()
    },
    **{
        onnx: _functional(name)
        for onnx, name in {
            "HardSwish": "hardswish",
            "Mish": "mish",
            "Softplus": "softplus",
            "Softsign": "softsign",
        }.items()
    },
    "Add": _fold(lambda one, other: one + other),
    "Cast": _cast,
    "Clip": _clip,
    "Div": _divide,
    "Elu": _elu,
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "LeakyRelu": _leaky,
    "Max": _fold(lambda one, other: one.maximum(other)),
    "Min": _fold(lambda one, other: one.minimum(other)),
    "Mod": _modulo,
    "Mul": _fold(lambda one, other: one * other),
    "PRelu": _prelu,
    "Sub": _fold(lambda one, other: one - other),
    "Sum": _fold(lambda one, other: one + other),
}
