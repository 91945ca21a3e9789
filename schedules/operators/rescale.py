"""Bytes of one scale or several as bytes of another: joined, added, or enlarged.

All round like the operators that they stand for: bytes become numbers, and numbers bytes again,
halves to even before the zero point is added.
"""

from typing import Any

from tvm import te, tirx

from mobilebench.schedules.operators import requantize
from mobilebench.schedules.operators.stored_bytes import UNSIGNED, byte_of, stored_byte

CORE = "rescaled"
ENDS = "mobilebench.channel_ends"  # annotation of the core block: where each part's channels end

# Of the numbers (3,) that a result has: what stands for 0, and the least and most above it. It is
# cut off before it is an integer, since a large factor makes more of a byte than 32 bits hold.
ZERO, LEAST, MOST = range(3)


def joined(*tensors: te.Tensor, size: tuple[int, ...], kind: str = UNSIGNED) -> te.Tensor:
    """Return the channels of some parts one after the other, (1, *size, C).

    `size` is height and width, or nothing for a vector. `tensors` are the parts, (1, H, W,
    channels) or (1, channels), each whole or of one pixel that stands for all; then what stands for
    0 in each part, (parts,); its factor, (parts,); and the result's numbers, (3,).
    """
    *parts, zeros, factors, result = tensors
    ends, total = [], 0
    for part in parts:
        total += int(part.shape[-1])
        ends.append(total)

    def read(part: te.Tensor, number: int, pixel: list[Any], channel: Any) -> Any:
        own = [int(extent) for extent in part.shape[1:-1]]
        at = [0] * len(own) if all(extent == 1 for extent in own) else pixel
        return _number(part, (0, *at, channel), zeros[number]) * factors[number]

    def write(_n: Any, *at: Any) -> Any:
        *pixel, c = at
        found = None
        for number in reversed(range(len(parts))):
            begin = ends[number - 1] if number else 0
            here = read(parts[number], number, pixel, c - begin)
            found = here if found is None else tirx.if_then_else(c < ends[number], here, found)
        return _byte(found, result, kind)

    return te.compute((1, *size, total), write, name=CORE, attrs={ENDS: ends})


def added(
    one: te.Tensor,
    other: te.Tensor,
    zeros: te.Tensor,
    factors: te.Tensor,
    result: te.Tensor,
    *,
    kind: str = UNSIGNED,
) -> te.Tensor:
    """Return the sum of two tensors of the same shape; see `joined` for the numbers."""

    def write(*at: Any) -> Any:
        second = _number(other, at, zeros[1]) * factors[1]
        first = _number(one, at, zeros[0])
        return _byte(requantize.multiply_add(first, factors[0], second), result, kind)

    return te.compute(one.shape, write, name=CORE)


def enlarged(data: te.Tensor, *numbers: te.Tensor, kind: str = UNSIGNED) -> te.Tensor:
    """Return data (1, H, W, C) interpolated between neighbours, (1, H', W', C).

    `numbers` are the first of two neighbours of each row of the result, (H',), and the share of the
    second one, (H',); the same of each column, (W',); and then those of `joined`.
    """
    rows, row_shares, columns, column_shares, zeros, factors, result = numbers
    height, width, channels = rows.shape[0], columns.shape[0], data.shape[3]

    def between(first: Any, second: Any, share: Any) -> Any:
        return first + share * (second - first)

    def write(_n: Any, y: Any, x: Any, c: Any) -> Any:
        row, column = rows[y], columns[x]
        (top, bottom) = (
            between(
                byte_of(data[0, row + below, column, c], data.dtype).astype("float32"),
                byte_of(data[0, row + below, column + 1, c], data.dtype).astype("float32"),
                column_shares[x],
            )
            for below in (0, 1)
        )
        value = between(top, bottom, row_shares[y])
        return _byte((value - zeros[0]) * factors[0], result, kind)

    return te.compute((1, height, width, channels), write, name=CORE)


def _number(tensor: te.Tensor, at: tuple[Any, ...], zero: Any) -> Any:
    return byte_of(tensor[at], tensor.dtype).astype("float32") - zero


def _byte(value: Any, result: te.Tensor, kind: str) -> Any:
    within = tirx.max(tirx.min(value, result[MOST]), result[LEAST])
    nearest = tirx.call_intrin("int32", requantize.NEAREST, within)
    return stored_byte(nearest + result[ZERO].astype("int32"), kind)
