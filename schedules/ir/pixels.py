"""Reading how a graph normalises the pixels of an image that it is handed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm import relax

from mobilebench.schedules.ir.quantized import Scale, constant, is_call

_PIXEL, _NORMALISED = "uint8", "float32"
_TO_PLANES = [0, 3, 1, 2]
_AXES = 4  # of an image
_PIXELS = 256  # that there are, and bytes
_MOVED = 2.0**-12  # of a byte: some times what float32 rounds the largest by


@dataclass(frozen=True)
class NormalisedPixels:
    """Planes (1, C, H, W) of numbers: pixel * factor + addend, by channel."""

    source: Any  # the variable of the pixels, (1, H, W, C) of uint8
    factor: NDArray[np.float64]  # (C,)
    addend: NDArray[np.float64]  # (C,)


def normalised_pixels(expr: Any, value: Callable[[Any], Any]) -> NormalisedPixels | None:
    """Return the pixels that an expression normalises, channel by channel; None for any other.

    `value` returns what a variable stands for, and of a function's parameter itself.
    """
    call = value(expr)
    if not isinstance(call, relax.Call) or not _is_image(call, _NORMALISED):
        return None
    channels = int(call.ty.shape[1])
    factor, addend = np.ones(channels), np.zeros(channels)
    axes = list(range(_AXES))  # of what is looked at, where each of the planes' axes is
    while isinstance(call, relax.Call):
        inner = call.args[0]
        if is_call(call, "permute_dims"):
            if call.attrs.axes is None:
                return None
            axes = [int(call.attrs.axes[axis]) for axis in axes]
        elif not is_call(call, "astype"):
            inner, numbers = _combined(call, axes[1], channels)
            if numbers is None:
                return None
            if is_call(call, "multiply"):
                factor = factor * numbers
            elif is_call(call, "divide"):
                factor = factor / numbers
            else:
                addend = addend + factor * (-numbers if is_call(call, "subtract") else numbers)
        call = value(inner)
    found = isinstance(call, relax.Var) and _is_image(call, _PIXEL) and axes == _TO_PLANES
    return NormalisedPixels(call, factor, addend) if found else None


def _combined(call: Any, axis: int, channels: int) -> tuple[Any, NDArray[np.float64] | None]:
    """Return what is combined with constants of each channel, and these; None if there are none."""
    names = ("add", "subtract", "multiply", "divide")
    if not any(is_call(call, name) for name in names):
        return call, None
    pairs = [tuple(call.args)]
    if is_call(call, "add") or is_call(call, "multiply"):
        pairs.append(tuple(call.args[::-1]))
    for inner, other in pairs:
        numbers = constant(other)
        if numbers is None:
            continue
        shape = (1,) * (_AXES - numbers.ndim) + numbers.shape
        if all(extent == 1 or at == axis for at, extent in enumerate(shape)):
            return inner, np.broadcast_to(numbers.astype(np.float64).ravel(), (channels,))
    return call, None


def _is_image(expr: Any, kind: str) -> bool:
    shape = expr.ty.shape if isinstance(expr.ty, relax.TensorType) else None
    return shape is not None and len(shape) == _AXES and str(expr.ty.dtype) == kind


def to_bytes(found: NormalisedPixels, scale: Scale) -> NDArray[np.float32]:
    """Return factors and what is added, (2, C), from pixels to the bytes of a scale.

    Where all pixels of a channel lie halfway between two bytes, but for what the graph's numbers
    were rounded by, the addend is moved off that, to the side on which the graph has them.
    """
    pixels = np.arange(_PIXELS, dtype=np.float64)[:, None]
    exact = (pixels * found.factor + found.addend) / scale.step
    expected = np.clip(np.rint(exact) + scale.zero, 0, _PIXELS - 1)
    factor = (found.factor / scale.step).astype(np.float32)
    addend = found.addend / scale.step + scale.zero
    tried = [(addend + moved).astype(np.float32) for moved in (0.0, _MOVED, -_MOVED)]
    wrong = []
    for one in tried:
        numbers = (pixels * factor.astype(np.float64) + one).astype(np.float32)
        wrong.append((np.clip(np.rint(numbers), 0, _PIXELS - 1) != expected).sum(0))
    best = np.argmin(wrong, axis=0)
    return np.stack([factor, np.choose(best, tried)])
