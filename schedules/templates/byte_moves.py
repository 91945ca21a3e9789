"""How bytes are made of other bytes without a product: joined, added, enlarged, rescaled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

import numpy as np
from tvm import relax, te

from mobilebench.schedules.ir.quantized import QuantizedGraph, Scale, is_call
from mobilebench.schedules.operators import requantize, rescale
from mobilebench.schedules.operators.resize import Enlarging

_CHANNELS = 1  # the axis, in NCHW
_PIXELS = 4  # dimensions of a tensor that has some
_ENLARGED = ("half_pixel", "pytorch_half_pixel", "align_corners")


@dataclass(frozen=True)
class ByteMoves:
    """An operator from bytes to bytes."""

    data: tuple[Any, ...]  # variables of bytes in the old graph
    compute: Callable[..., te.Tensor]  # of data, NHWC, and `numbers`
    numbers: tuple[Any, ...]  # constants
    is_joined: bool = False  # one pixel of its data may stand for all
    is_everywhere: bool = False  # all pixels are those of one

    def of_one_pixel(self) -> "ByteMoves":
        """Return it without the repetition of what is the same everywhere."""
        return replace(self, compute=partial(rescale.joined, size=(1, 1)), is_everywhere=False)


def byte_moves(graph: QuantizedGraph, expr: Any, scale: Scale) -> ByteMoves | None:
    """Return how an expression becomes bytes of a scale; None if it is nothing of the kind."""
    least, most, call = graph.bounds(expr)
    limits = [max(scale.byte(least), requantize.LEAST), min(scale.byte(most), requantize.MOST)]
    zero = scale.zero
    result = relax.const(np.array([zero, *(one - zero for one in limits)], np.float32))
    sources = _sources(graph, call)
    if sources is None:
        return None
    known = [graph.bytes_of(one) for one in sources]
    data = tuple(one[0] for one in known if one is not None)
    scales = [one[1] for one in known if one is not None]
    if len(data) < len(sources):
        return None
    zeros = relax.const(np.array([one.zero for one in scales], np.float32))
    factors = relax.const(np.array([one.step / scale.step for one in scales], np.float32))
    numbers = (zeros, factors, result)
    return _fitting(call, sources, ByteMoves(data, rescale.added, numbers))


def _fitting(call: Any, sources: Sequence[Any], moves: ByteMoves) -> ByteMoves | None:
    """Return moves with the operator that an expression is; None if its shapes do not fit."""
    before, after = _shape(sources[0]), _shape(call)
    if is_call(call, "add"):
        return moves if before == _shape(sources[1]) else None
    size = after[2:] if len(after) == _PIXELS else ()
    joined = replace(moves, compute=partial(rescale.joined, size=size), is_joined=True)
    if before[0] != 1 or len(after) not in (2, _PIXELS):
        return None
    is_vector = is_call(call, "reshape") and _is_vector(before) and _is_vector(after)
    if is_call(call, "concat") or before == after or is_vector:
        return joined
    if is_call(call, "reshape") or before[:2] != after[:2]:
        return None
    if before[2:] == (1, 1):
        return replace(joined, is_everywhere=True)
    return _enlarged(call, replace(moves, compute=rescale.enlarged))


def _sources(graph: QuantizedGraph, call: Any) -> Sequence[Any] | None:
    """Return what an operator takes bytes of; None for one that has no form for them."""
    if is_call(call, "dequantize"):
        return [call]
    if is_call(call, "add"):
        return list(call.args)
    if is_call(call, "concat"):
        parts = graph.value(call.args[0])
        fits = isinstance(parts, relax.Tuple) and int(call.attrs.axis) == _CHANNELS
        return list(parts.fields) if fits and len(_shape(call)) == _PIXELS else None
    moves = ("reshape", "broadcast_to", "image.resize2d")
    return [call.args[0]] if any(is_call(call, one) for one in moves) else None


def _enlarged(call: Any, moves: ByteMoves) -> ByteMoves | None:
    """Return a bilinear interpolation; None for another one."""
    if not is_call(call, "image.resize2d"):
        return None
    mode, before, after = (
        str(call.attrs.coordinate_transformation_mode),
        _shape(call.args[0]),
        _shape(call),
    )
    is_known = mode in _ENLARGED and str(call.attrs.method) == "linear"
    if not is_known or min(before[2:]) < 2:
        return None
    tables: list[Any] = []
    for axis in (2, 3):
        tables += Enlarging(before[axis], after[axis], mode == "align_corners").neighbours()
    return replace(moves, numbers=(*map(relax.const, tables), *moves.numbers))


def _is_vector(shape: tuple[int, ...]) -> bool:
    """Whether a tensor has channels alone, wherever its layout puts them."""
    return len(shape) in (2, _PIXELS) and prod(shape) == shape[_CHANNELS]


def _shape(expr: Any) -> tuple[int, ...]:
    return tuple(int(extent) for extent in expr.ty.shape)
