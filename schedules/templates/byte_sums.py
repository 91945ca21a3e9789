"""How the sums of a product of bytes are computed: by which operator, with weights laid out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm import relax, te

from mobilebench.schedules.ir.quantized import Product, is_call
from mobilebench.schedules.machine import PAIRS as PAIR_SUMS
from mobilebench.schedules.machine import SDOT, SMULL, Machine, Processor
from mobilebench.schedules.operators import (
    byte_matrix,
    classifier,
    convolution,
    depthwise,
    pointwise,
    stem,
)
from mobilebench.schedules.operators.dot_product import halves_first, weight_words
from mobilebench.schedules.operators.products import (
    PAIRS,
    SIGNED_BYTES,
    SIGNED_WORDS,
    WORDS,
    Products,
)
from mobilebench.schedules.operators.stored_bytes import offset_of, offset_sums, plus_channels
from mobilebench.schedules.operators.window import Window, pixels_inside
from mobilebench.schedules.templates.registry import templates_of

_LEAST = -128  # of signed bytes


@dataclass(frozen=True)
class ByteSums:
    """An operator from bytes to sums of their products."""

    name: str  # of the operator
    compute: Callable[..., te.Tensor]  # of data, packed weights and `numbers`
    weight: Any  # packed; a constant
    products: Products
    numbers: tuple[Any, ...] = ()  # constants
    image_padding: tuple[int, int, int, int] | None = None  # if words of the image are its data

    def split(self, numbers: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        """Return its own numbers, and those that follow."""
        return numbers[: len(self.numbers)], numbers[len(self.numbers) :]


def byte_sums(product: Product, machine: Processor, *, from_image: bool) -> ByteSums | None:
    """Return how to compute a product's sums; None if no template can."""
    if isinstance(machine, Machine) and machine.dot == SMULL and product.weight.min() == _LEAST:
        return None  # two products by it do not fit into 16 bits
    if is_call(product.call, "matmul"):
        return _matmul(product, machine)
    return _convolution(product, machine, from_image=from_image)


def _matmul(product: Product, machine: Processor) -> ByteSums | None:
    shape = [int(extent) for extent in product.call.args[0].ty.shape]
    outputs, inputs = product.weight.shape
    if shape != [1, inputs]:
        return None
    products = _products(machine)
    words = weight_words(product.weight.T, 0, products.word)
    packed = _packed(templates_of(machine).classifier, words, machine)
    return _sums(products, classifier.compute, packed, outputs, lacking=_lacking(product, products))


_PRODUCTS = {PAIR_SUMS: PAIRS, SDOT: SIGNED_WORDS, SMULL: SIGNED_WORDS}  # by `Machine.dot`


def _products(machine: Processor) -> Products:
    return _PRODUCTS.get(machine.dot, WORDS) if isinstance(machine, Machine) else WORDS


def byte_kind(machine: Processor) -> str:
    """Return how bytes are stored for a processor; see `stored_bytes`."""
    return _products(machine).kind


def _packed(template: ModuleType, words: NDArray[Any], machine: Processor) -> NDArray[Any]:
    """Return words of weights in the order in which a template and the processor read them."""
    packed: NDArray[Any] = template.pack(words, machine)
    by_halves = isinstance(machine, Machine) and machine.dot == SMULL
    return halves_first(packed) if by_halves else packed


def _lacking(product: Product, products: Products) -> NDArray[np.int32] | None:
    """Return what sums of stored bytes lack, for each output; None if it is nothing."""
    return offset_sums(product.weight, products.kind) if offset_of(products.kind) else None


def _convolution(product: Product, machine: Processor, *, from_image: bool) -> ByteSums | None:
    attrs, templates = product.call.attrs, templates_of(machine)
    stride, dilation, padding = map(_integers, (attrs.strides, attrs.dilation, attrs.padding))
    window = Window(stride, padding, dilation)
    groups = int(attrs.groups)
    outputs, _, taps_y, taps_x = product.weight.shape
    inputs = int(product.call.args[0].ty.shape[1])
    weight = product.weight.transpose(2, 3, 1, 0)  # HWIO
    products = _products(machine)
    lacking = _lacking(product, products)
    if from_image and groups == 1 and dilation == (1, 1):
        packed = _packed(templates.stem, weight_words(weight, 2, products.word), machine)
        shape = (outputs, stride, (0, 0, 0, 0))
        found = _sums(products, stem.compute, packed, *shape, lacking=lacking, planes=inputs)
        return replace(found, image_padding=padding)
    plain = (taps_y, taps_x, *stride, *dilation) == (1, 1, 1, 1, 1, 1) and not any(padding)
    if groups == 1 and plain:
        return _pointwise(product, machine, lacking)
    beyond = product.data_scale.zero - offset_of(products.kind)
    border = [beyond] if any(padding) and beyond else []
    added: dict[str, Any] = {"border": border, "lacking": lacking}
    if groups != 1:
        is_depthwise = groups == inputs == outputs
        return _depthwise(weight[:, :, 0], machine, window, **added) if is_depthwise else None
    template = templates.convolution
    packed = _packed(template, weight_words(weight, 2, products.word), machine)
    facts = (products, convolution.compute, packed, outputs, window)
    if not template.SKIPS_PADDING:
        return _sums(*facts, **added)
    if any(padding) and (product.data_scale.zero or lacking is not None):
        return _with_border(_sums(*facts, skippable=True), product, window)
    return _sums(*facts, lacking=lacking, skippable=True)


def _pointwise(product: Product, machine: Processor, lacking: NDArray[np.int32] | None) -> ByteSums:
    """Return how to compute a 1x1 convolution: by products of matrices, or of words."""
    _, inputs, height, width = _integers(product.call.args[0].ty.shape)
    outputs, pixels = len(product.weight), height * width
    weight, templates = product.weight[:, :, 0, 0].T, templates_of(machine)
    if isinstance(machine, Machine) and templates.byte_matrix.fits(
        pixels, inputs, outputs, machine
    ):
        packed = templates.byte_matrix.pack(byte_matrix.weight_rows(weight))
        pairs = templates.byte_matrix.whole_pairs(pixels, inputs, outputs, machine)
        facts = (SIGNED_BYTES, byte_matrix.compute, packed, outputs, pairs)
        return _sums(*facts, lacking=lacking)
    products = _products(machine)
    packed = _packed(templates.pointwise, weight_words(weight, 0, products.word), machine)
    return _sums(products, pointwise.compute, packed, outputs, lacking=lacking)


def _depthwise(
    weight: NDArray[np.int8], machine: Processor, window: Window, **added: Any
) -> ByteSums:
    """Return how to convolve each channel by itself with weights (R, S, C)."""
    products = _products(machine)
    if isinstance(machine, Machine) and machine.dot == SMULL:
        return _sums(SIGNED_BYTES, depthwise.compute, weight, window, **added)
    words = np.ascontiguousarray(depthwise.row_words(weight, products.word))
    return _sums(products, depthwise.compute_bytes, words, len(weight), window, **added)


def _with_border(sums: ByteSums, product: Product, window: Window) -> ByteSums:
    """Return sums of skipped padding with what its bytes, which are not 0, would have added.

    And with what those of stored bytes lack.
    """
    _, _, height, width = _integers(product.call.args[0].ty.shape)
    places = pixels_inside((height, width), product.weight.shape[2:], window)
    (rows, rows_inside), (columns, columns_inside) = places
    weight = product.weight.sum(1, dtype=np.int64)
    inside = np.einsum("ry,cyx,sx->rsc", rows_inside, weight, columns_inside)
    beyond = product.data_scale.zero * (weight.sum((1, 2)) - inside)
    beyond += offset_of(sums.products.kind) * inside

    def compute(data: te.Tensor, weight: te.Tensor, *numbers: te.Tensor) -> te.Tensor:
        return convolution.with_border(sums.compute(data, weight), *numbers)

    tables = (beyond, rows, columns)
    numbers = tuple(relax.const(one.astype(np.int32)) for one in tables)
    return replace(sums, compute=compute, numbers=numbers)


def _integers(values: Any) -> Any:
    """Return the numbers of an attribute, which says how many there are."""
    return tuple(int(value) for value in values)


def _sums(
    products: Products,
    compute: Callable[..., te.Tensor],
    packed: Any,
    *facts: Any,
    border: Sequence[int] = (),
    lacking: NDArray[np.int32] | None = None,
    **options: Any,
) -> ByteSums:
    name = compute.__module__.rpartition(".")[2]

    def sums(data: te.Tensor, weight: te.Tensor, *numbers: te.Tensor) -> te.Tensor:
        bordered = replace(products, border=numbers[0]) if border else products
        total = compute(data, weight, *facts, products=bordered, **options)
        return total if lacking is None else plus_channels(total, numbers[-1])

    numbers = [relax.const(np.array(border, np.float32))] if border else []
    if lacking is not None:
        numbers.append(relax.const(lacking))
    constant = relax.const(np.ascontiguousarray(packed))
    return ByteSums(name, sums, constant, products, tuple(numbers))
