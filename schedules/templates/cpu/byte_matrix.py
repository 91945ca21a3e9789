"""1x1 convolutions by products of byte matrices: two pixels by two channels in one instruction.

Tile: `rows` pixels by `panels` of eight output channels. A vector of sums has two channels of two
pixels, and eight input channels are one step. A step loads four vectors of weights for each panel,
and one of data for each two rows: eight bytes of either pixel. These lie side by side because the
rows of a tile are copied first, once for all output channels. At the end, sums of two vectors are
zipped to four channels of a pixel.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from tvm import s_tir

from mobilebench.schedules.ir.matrix_product import matrix_product
from mobilebench.schedules.machine import Machine
from mobilebench.schedules.operators.byte_matrix import CORE, PAIR, PAIRED, ROW
from mobilebench.schedules.operators.products import PIXELS
from mobilebench.schedules.templates.block import (
    flatten_pixels,
    inline_neighbours,
    lanes_for,
    loops_inside,
)
from mobilebench.schedules.templates.cpu import pointwise
from mobilebench.schedules.templates.cpu.chunks import Span, idle_share, share_chunks, shares_rows
from mobilebench.schedules.templates.cpu.finish_tile import finish_tile

FAMILY = "pointwise"  # of kernels, for people
PANEL = 8  # output channels of a panel
_VECTORS = PANEL // PAIR  # of weights, a step, or of sums of two pixels
_LEAST_OUTPUTS = 16  # for fewer, copies of the data cost as much as products save
_STEPS = (2, 3)  # of an iteration, whichever divides them
_OF_SUMS, _OF_BYTES = 6, 3  # instructions from a vector of sums to bytes, and of bytes to memory
_LOADED_PAIRS = 3  # whose data LLVM has in registers at the same time


@dataclass(frozen=True)
class Tile:
    """What stays in registers: an even number of pixels, by panels of output channels."""

    rows: int
    panels: int


def fits(pixels: int, inputs: int, outputs: int, machine: Machine) -> bool:
    """Whether a 1x1 convolution is computed so; words of four bytes are as fast for any other."""
    whole = inputs % ROW == 0 and outputs % PANEL == 0
    return machine.byte_matrices and whole and outputs >= _LEAST_OUTPUTS and pixels > 1


def pack(rows: NDArray[np.int64]) -> NDArray[np.int8]:
    """Lay out rows (K / 8, N), N a multiple of 8, as panels (N / 8, K / 8, 8, 8)."""
    steps, outputs = rows.shape
    panels = rows.reshape(steps, outputs // PANEL, PANEL).transpose(1, 0, 2)
    return np.ascontiguousarray(panels).view(np.int8).reshape(*panels.shape, ROW)


def whole_pairs(pixels: int, inputs: int, outputs: int, machine: Machine) -> int:
    """Return how many pairs of pixels are computed: those of the tiles that cost least.

    A few pixels too many cost less than tiles that fill no registers.
    """
    pairs, shape = ceil(pixels / PAIR), (inputs // ROW, outputs // PANEL)
    found = []
    for size in _sizes(shape[1], machine):
        along = ceil(pairs / size[0])
        found.append((along * _slots(size, shape, 1, machine), along * size[0]))
    return min(found)[1]


def _sizes(panels: int, machine: Machine) -> list[tuple[int, int]]:
    """Return the sizes of tiles that registers have room for: pairs of pixels, and panels."""
    room = (machine.registers - _LOADED_PAIRS) // _VECTORS  # for weights, and sums of every pair
    return [
        (pairs, wide)
        for wide in range(1, room // 2 + 1)
        for pairs in range(1, room // wide)
        if panels % wide == 0
    ]


def _slots(size: tuple[int, int], shape: tuple[int, int], parts: int, machine: Machine) -> float:
    """Estimate the operations of all channels of a tile's pixels, given steps and panels.

    A step has products and loads. Every part copies the pixels, by a load and a store of half a
    vector. Outputs are made of vectors of sums, and of bytes as wide as fits.
    """
    (pairs, wide), (steps, panels) = size, shape
    sums = _VECTORS * pairs * wide
    step = sums + pairs + _VECTORS * wide
    lanes = lanes_for(wide * PANEL, machine.byte_lanes)
    outputs = sums * (_OF_SUMS + _OF_BYTES * machine.vector_floats / lanes)
    return panels // wide * (steps * step + outputs) + parts * steps * PAIR * pairs


def tiles(schedule: s_tir.Schedule, machine: Machine) -> list[Tile]:
    """Return the tiles worth trying, the default first."""
    core = schedule.get(schedule.get_sblock(CORE))
    pairs, _, _, _, steps, _ = (int(axis.dom.extent) for axis in core.iter_vars)
    _, height, width, channels = (int(extent) for extent in core.annotations[PIXELS])
    panels = channels // PANEL
    by_rows = shares_rows(height, machine)
    found = []
    for of_tile, wide in _sizes(panels, machine):
        along = pairs // of_tile
        if pairs % of_tile == 0:
            parts = _parts(panels // wide, by_rows, machine)
            idle = idle_share(along if by_rows else parts, machine)
            slots = along * _slots((of_tile, wide), (steps, panels), parts, machine)
            found.append((slots * idle, Tile(PAIR * of_tile, wide)))
    found.sort(key=lambda entry: entry[0])
    if height * width * max(steps * ROW, channels) > machine.l2_bytes // 2:  # else never fused
        even = [entry for entry in found if pointwise.ends_with_rows(entry[1].rows, height, width)]
        if even and even[0][0] <= pointwise.WORTH_FUSING * found[0][0]:
            found = even
    return [tile for _, tile in found[:16]]


def _parts(tiles_across: int, by_rows: bool, machine: Machine) -> int:
    """Return in how many parts threads share the channels, if they do: the fewest equal ones."""
    if by_rows:
        return 1
    equal = (part for part in range(1, tiles_across) if tiles_across % part == 0)
    return next((part for part in equal if part >= machine.threads), tiles_across)


def _steps(steps: int) -> int:
    """Return how many steps an iteration of the loop over input channels takes."""
    return next((few for few in _STEPS if steps % few == 0), 1)


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Machine) -> None:
    """Schedule a fused 1x1 convolution of bytes."""
    product, output = inline_neighbours(schedule, CORE, keep=[PAIRED])
    _, height, width, channels = (
        int(schedule.get(loop).extent) for loop in schedule.get_loops(output)
    )
    paired, pairs = schedule.get_sblock(PAIRED), tile.rows // PAIR
    schedule.transform_layout(
        paired, ("write", 0), lambda p, k, one, byte: (p // pairs, k, p % pairs, one, byte)
    )
    flatten_pixels(schedule, output, width)
    pair, vector, one, other, step, byte = schedule.get_loops(product)
    pair_outer, pair_inner = schedule.split(pair, [None, pairs])
    step, next_step = schedule.split(step, [None, _steps(int(schedule.get(step).extent))])
    by_rows, wide = shares_rows(height, machine), tile.panels * _VECTORS
    parts = _parts(channels // PAIR // wide, by_rows, machine)
    part, vector_outer, vector_inner = schedule.split(vector, [parts, None, wide])
    order = (pair_outer, part) if by_rows else (part, pair_outer)
    inside = (step, next_step, pair_inner, vector_inner, one, other, byte)
    schedule.reorder(*order, vector_outer, *inside)
    schedule.reverse_compute_at(output, vector_outer)
    schedule.compute_at(paired, order[-1], preserve_unit_loops=True)
    _, _, copied, copied_byte = loops_inside(schedule, paired, order[-1])
    schedule.unroll(copied)
    schedule.vectorize(copied_byte)
    if by_rows:
        share_chunks(schedule, pair_outer, Span(tile.rows))
    else:
        share_chunks(schedule, part)
    clear = schedule.decompose_reduction(product, step)
    for loop in (next_step, pair_inner, vector_inner):
        schedule.unroll(loop)
    schedule.tensorize(one, matrix_product())
    schedule.fuse(*loops_inside(schedule, clear, vector_outer)[-2:])
    finish_tile(schedule, clear, output, vector_outer, machine, channels)
