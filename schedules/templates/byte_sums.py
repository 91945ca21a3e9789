"""How the sums of a product of bytes are computed: by which operator, with weights laid out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tvm import relax, te

from mobilebench.schedules.ir.quantized import Product, is_call
from mobilebench.schedules.machine import Processor
from mobilebench.schedules.operators import classifier, convolution, depthwise, pointwise, stem
from mobilebench.schedules.operators.dot_product import BYTES, weight_words
from mobilebench.schedules.operators.products import WORDS
from mobilebench.schedules.operators.window import Window
from mobilebench.schedules.templates.registry import templates_of


@dataclass(frozen=True)
class ByteSums:
    """An operator from bytes to sums of their products."""

    name: str  # of the operator
    compute: Callable[..., te.Tensor]  # of data, packed weights and `numbers`
    weight: Any  # packed; a constant
    numbers: tuple[Any, ...] = ()  # constants
    image_padding: tuple[int, int, int, int] | None = None  # if words of the image are its data

    def split(self, numbers: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        """Return its own numbers, and those that follow."""
        return numbers[: len(self.numbers)], numbers[len(self.numbers) :]


def byte_sums(product: Product, machine: Processor, *, from_image: bool) -> ByteSums | None:
    """Return how to compute a product's sums; None if no template can."""
    if is_call(product.call, "matmul"):
        return _matmul(product, machine)
    return _convolution(product, machine, from_image=from_image)


def _matmul(product: Product, machine: Processor) -> ByteSums | None:
    shape = [int(extent) for extent in product.call.args[0].ty.shape]
    outputs, inputs = product.weight.shape
    if shape != [1, inputs]:
        return None
    packed = templates_of(machine).classifier.pack(weight_words(product.weight.T, 0), machine)
    return _sums(classifier.compute, packed, outputs)


def _convolution(product: Product, machine: Processor, *, from_image: bool) -> ByteSums | None:
    attrs, templates = product.call.attrs, templates_of(machine)
    stride, dilation, padding = map(_integers, (attrs.strides, attrs.dilation, attrs.padding))
    window = Window(stride, padding, dilation)
    groups = int(attrs.groups)
    outputs, _, taps_y, taps_x = product.weight.shape
    inputs = int(product.call.args[0].ty.shape[1])
    weight = product.weight.transpose(2, 3, 1, 0)  # HWIO
    if from_image and groups == 1 and dilation == (1, 1):
        packed = templates.stem.pack(weight_words(weight, 2), machine)
        found = _sums(stem.compute, packed, outputs, stride, (0, 0, 0, 0))
        return replace(found, image_padding=padding)
    plain = (taps_y, taps_x, *stride, *dilation) == (1, 1, 1, 1, 1, 1) and not any(padding)
    if groups == 1 and plain:
        packed = templates.pointwise.pack(weight_words(weight[0, 0], 0), machine)
        return _sums(pointwise.compute, packed, outputs)
    border = [product.data_scale.zero] if any(padding) and product.data_scale.zero else []
    if groups == inputs == outputs:
        words = np.ascontiguousarray(_rows_as_words(weight[:, :, 0]))
        return _sums(depthwise.compute_bytes, words, taps_y, window, border=border)
    if groups == 1:
        template = templates.convolution
        packed = template.pack(weight_words(weight, 2), machine)
        skippable = template.SKIPS_PADDING and not border
        return _sums(
            convolution.compute, packed, outputs, window, border=border, skippable=skippable
        )
    return None


def _integers(values: Any) -> Any:
    """Return the numbers of an attribute, which says how many there are."""
    return tuple(int(value) for value in values)


def _rows_as_words(weight: Any) -> Any:
    """Return weights (R, S, C) as words (ceil(R / 4), S, C)."""
    rows, columns, channels = weight.shape
    groups = -(-rows // BYTES)
    padded = np.zeros((groups * BYTES, columns, channels), np.int8)
    padded[:rows] = weight
    grouped = padded.reshape(groups, BYTES, columns, channels)
    return weight_words(grouped, 1)[:, 0]


def _sums(
    compute: Callable[..., te.Tensor],
    packed: Any,
    *facts: Any,
    border: Sequence[int] = (),
    **options: Any,
) -> ByteSums:
    name = compute.__module__.rpartition(".")[2]

    def sums(data: te.Tensor, weight: te.Tensor, *numbers: te.Tensor) -> te.Tensor:
        products = replace(WORDS, border=numbers[0]) if numbers else WORDS
        return compute(data, weight, *facts, products=products, **options)

    numbers = [relax.const(np.array(border, np.float32))] if border else []
    return ByteSums(name, sums, relax.const(np.ascontiguousarray(packed)), tuple(numbers))
