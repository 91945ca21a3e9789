"""Reading a quantized graph: scales, weights, and sums of products between them."""

from collections import Counter
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm import relax
from tvm.ir import GenericConst, Op

_SIGNED_OFFSET = 128  # from a signed byte to the unsigned one that stands for it
Array = NDArray[Any]


@dataclass(frozen=True)
class Scale:
    """What the bytes of a tensor stand for: (byte - zero) * step."""

    step: float
    zero: int  # 0 to 255

    def byte(self, value: float) -> float:
        """Return what stands for a number, before it is saturated."""
        return float(np.rint(value / self.step)) + self.zero


@dataclass(frozen=True)
class Product:
    """A convolution, or a matrix product, of bytes, with its bias and bounds."""

    call: Any  # of conv2d or matmul
    data: Any  # the variable of its bytes
    data_scale: Scale
    weight: NDArray[np.int8]  # (outputs, ...): OIHW of a convolution
    steps: NDArray[np.float64]  # of the weights, (outputs,)
    bias: NDArray[np.float64]  # (outputs,)
    least: float = -inf
    most: float = inf

    @property
    def is_bounded(self) -> bool:
        """Whether what it computes is cut off."""
        return self.least > -inf or self.most < inf


class QuantizedGraph:
    """The bindings of a function, and who reads them."""

    def __init__(self, function: relax.Function) -> None:
        self.definitions: dict[Any, Any] = {}
        self._readers: Counter[Any] = Counter()
        for block in function.body.blocks:
            for binding in block.bindings:
                self.definitions[binding.var] = binding.value
                self._count(binding.value)
        self._count(function.body.body)

    def value(self, expr: Any) -> Any:
        """Return what a variable stands for; anything else is itself."""
        return self.definitions.get(expr, expr) if isinstance(expr, relax.Var) else expr

    def is_read_once(self, variable: Any) -> bool:
        """Whether one call reads a variable, and nothing else does."""
        return self._readers[variable] == 1

    def bytes_of(self, expr: Any) -> tuple[Any, Scale] | None:
        """Return the variable and the scale of bytes that an expression dequantizes."""
        call = self.value(expr)
        if not is_call(call, "dequantize") or not isinstance(call.args[0], relax.Var):
            return None
        scale = scale_of(call)
        return None if scale is None else (call.args[0], scale)

    def product(self, expr: Any) -> Product | None:
        """Return the product of bytes that an expression is, if it is one."""
        least, most, inner = self.bounds(expr)
        bias, call = self._bias(inner)
        if not (is_call(call, "nn.conv2d") or is_call(call, "matmul")):
            return None
        data = self.bytes_of(call.args[0])
        weight = self._weight(call)
        if data is None or weight is None:
            return None
        values, steps = weight
        offsets = np.zeros(len(values)) if bias is None else bias.ravel()
        if offsets.size != len(values):
            return None
        return Product(call, *data, values, steps, offsets, least, most)

    def bounds(self, expr: Any) -> tuple[float, float, Any]:
        """Return least and most of what an expression cuts off, and the expression inside."""
        least, most = -inf, inf
        while True:
            call = self.value(expr)
            if is_call(call, "nn.relu"):
                least, expr = max(least, 0.0), call.args[0]
            elif is_call(call, "maximum") and _scalar(call.args[1]) is not None:
                least, expr = max(least, _scalar(call.args[1]) or 0.0), call.args[0]
            elif is_call(call, "minimum") and _scalar(call.args[1]) is not None:
                most, expr = min(most, _scalar(call.args[1]) or 0.0), call.args[0]
            else:
                return least, most, call

    def _bias(self, call: Any) -> tuple[Array | None, Any]:
        """Return constants that are added to each channel, and what they are added to."""
        if not is_call(call, "add"):
            return None, call
        for one, other in (call.args, call.args[::-1]):
            numbers = self._numbers(one)
            if numbers is not None and np.count_nonzero(np.array(numbers.shape) > 1) <= 1:
                return numbers, self.value(other)
        return None, call

    def _numbers(self, expr: Any) -> Array | None:
        """Return constant numbers, quantized or not, whatever shape they were given."""
        call = self.value(expr)
        if is_call(call, "reshape"):
            numbers = self._numbers(call.args[0])
            return None if numbers is None else numbers.reshape([int(one) for one in call.ty.shape])
        if is_call(call, "dequantize"):
            values, steps, zero = (constant(arg) for arg in call.args)
            if values is None or steps is None or zero is None:
                return None
            return np.asarray((values.astype(np.float64) - zero) * steps.astype(np.float64))
        plain = constant(call)
        return None if plain is None else plain.astype(np.float64)

    def _weight(self, call: Any) -> tuple[NDArray[np.int8], NDArray[np.float64]] | None:
        """Return symmetric weights (outputs, ...) of a product, and the step of each output."""
        read = self.value(call.args[1])
        transposed = is_call(read, "permute_dims")
        if is_call(call, "matmul") and transposed:
            read = self.value(read.args[0])
        if not is_call(read, "dequantize"):
            return None
        values, steps, zero = (constant(arg) for arg in read.args)
        if values is None or steps is None or zero is None or values.dtype != np.int8 or zero.any():
            return None
        if is_call(call, "matmul"):
            if values.ndim != 2:
                return None
            values = values if transposed else values.T
        outputs = len(values)
        by_output = steps.size == 1 or int(read.attrs.axis) == (
            1 if is_call(call, "matmul") and not transposed else 0
        )
        if steps.size not in (1, outputs) or not by_output:
            return None
        return values, np.broadcast_to(steps.astype(np.float64).ravel(), (outputs,))

    def _count(self, expr: Any) -> None:
        """Count the variables in an expression."""
        if isinstance(expr, relax.Var):
            self._readers[expr] += 1
        elif isinstance(expr, relax.Tuple):
            for field in expr.fields:
                self._count(field)
        elif isinstance(expr, relax.Call):
            for arg in expr.args:
                self._count(arg)
        elif isinstance(expr, relax.TupleGetItem):
            self._count(expr.tuple_value)


def is_call(expr: Any, operator: str) -> bool:
    """Whether an expression is a call of a Relax operator."""
    return isinstance(expr, relax.Call) and expr.op == Op.get(f"relax.{operator}")


def scale_of(call: Any) -> Scale | None:
    """Return the scale of a call of quantize or dequantize; None unless it is one for a tensor.

    The bytes may be signed; the scale is that of unsigned ones, 128 higher.
    """
    step, zero = (constant(arg) for arg in call.args[1:3])
    if step is None or zero is None or step.size != 1 or zero.size != 1:
        return None
    if str(zero.dtype) not in ("uint8", "int8"):
        return None
    offset = _SIGNED_OFFSET if zero.dtype == np.int8 else 0
    return Scale(float(step.item()), int(zero.item()) + offset)


def constant(expr: Any) -> Array | None:
    """Return the values of a constant."""
    if not isinstance(expr, GenericConst):
        return None
    values: Array = expr.value.numpy()
    return values


def _scalar(expr: Any) -> float | None:
    values = constant(expr)
    return float(values.item()) if values is not None and values.size == 1 else None
