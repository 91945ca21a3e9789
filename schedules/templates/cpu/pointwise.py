"""1x1 convolutions: a matrix product of pixels by channels, tiled for the vector registers.

Tile: `rows` pixels by `panels` vectors of output channels, kept in registers while the input
channels go by. Each step of the inner loop loads one vector per panel and broadcasts one value per
row, for rows x panels multiply-adds; a core issues as many loads as multiply-adds in a cycle, so
the multipliers stay busy once both sides of the tile are 2 or more.

Where a vector can be multiplied by one lane of another (NEON), a row's values are loaded a vector
at a time, for as many input channels. That takes a register per row, and rows that fill the tiles.
"""

from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray
from tvm import s_tir

from mobilebench.schedules.machine import Machine
from mobilebench.schedules.operators.pointwise import CORE
from mobilebench.schedules.templates.block import (
    Block,
    finish,
    flatten_pixels,
    inline_neighbours,
    loops_inside,
    vectorize,
)
from mobilebench.schedules.templates.cpu.chunks import Span, idle_share, share_chunks, shares_rows

_LATENCY = 4.0  # cycles of a multiply-add; two are issued in each
_STRIP_CYCLES = 4.0  # of a row's share of a cache line that is visited again
_SLOT_CYCLES = 0.2  # of a load beside multiply-adds, on narrow cores
_WORTH_FUSING = 1.1  # how much slower a tile may be that allows for fusing


@dataclass(frozen=True)
class Tile:
    """What stays in registers: pixels by vectors of output channels."""

    rows: int
    panels: int
    pixels_outermost: bool  # finish all channels of some pixels, or all pixels of some channels
    in_rows: bool = False  # begin anew with every row, and end it with a smaller tile


def pack(weight: NDArray[np.float32], machine: Machine) -> NDArray[np.float32]:
    """Lay out weights (K, N) as panels (ceil(N / vector), K, vector), padded with zeros.

    The loop over K then reads each panel as one stream of whole vectors.
    """
    inputs, outputs = weight.shape
    vector = machine.vector_floats
    panels = -(-outputs // vector)
    padded = np.zeros((inputs, panels * vector), weight.dtype)
    padded[:, :outputs] = weight
    return np.ascontiguousarray(padded.reshape(inputs, panels, vector).transpose(1, 0, 2))


def tiles(schedule: s_tir.Schedule, machine: Machine) -> list[Tile]:
    """Return the tiles worth trying, the default first."""
    loops = schedule.get_loops(schedule.get_sblock(CORE))
    _, height, width, channels, inputs = (int(schedule.get(loop).extent) for loop in loops)
    shape = (height * width, channels // machine.vector_floats, inputs)
    by_rows = shares_rows(height, machine)
    found = []
    for panels in range(1, min(shape[1], 6) + 1):
        for rows in range(1, min(machine.registers, shape[0], 28) + 1):
            values = rows if _steps(shape, rows, machine) > 1 else 1
            if rows * panels + panels + values > machine.registers:
                continue
            chunks = ceil(shape[0] / rows) if by_rows else ceil(shape[1] / panels)
            for pixels_outermost in (True, False):
                tile = Tile(rows, panels, pixels_outermost)
                cycles = _cycles(shape, tile, machine) * idle_share(chunks, machine)
                found.append((cycles, -rows, tile))
            # Without lanes of values, so that it is no gain where those can be multiplied by.
            if by_rows and rows < width and width % rows and not machine.by_lane:
                for pixels_outermost in (True, False):
                    tile = Tile(rows, panels, pixels_outermost, in_rows=True)
                    cycles = _row_cycles(shape, width, tile, machine)
                    found.append((cycles * idle_share(height, machine), 0, tile))
    found.sort(key=lambda entry: entry[:2])
    # Tiles that end where rows end may be fused into blocks.
    even = [
        entry
        for entry in found
        if entry[2].in_rows or _ends_with_rows(entry[2].rows, height, width)
    ]
    if even and even[0][0] <= _WORTH_FUSING * found[0][0]:
        found = even
    return [tile for _, _, tile in found[:16]]


def _ends_with_rows(pixels: int, height: int, width: int) -> bool:
    whole_rows = pixels % width == 0 and height % (pixels // width) == 0
    return whole_rows or width % pixels == 0


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Machine) -> None:
    """Schedule a fused pointwise convolution."""
    product, output = inline_neighbours(schedule, CORE)
    _, height, width, channels = (
        int(schedule.get(loop).extent) for loop in schedule.get_loops(output)
    )
    schedule.set_scope(product, 0, "local")
    if tile.in_rows:
        _apply_in_rows(schedule, product, output, tile, machine)
        return
    flatten_pixels(schedule, product, width)
    flatten_pixels(schedule, output, width)
    schedule.transform_layout(product, ("write", 0), lambda n, y, x, c: (y * width + x, c))
    pixels, panels, inputs = (int(schedule.get(one).extent) for one in schedule.get_loops(product))
    steps = _steps((pixels, panels // machine.vector_floats, inputs), tile.rows, machine)
    values: Block | None = None
    if steps > 1:
        # Global scope is the stack, from where LLVM takes it into registers; "local" would be
        # allocated by a call, because single values are read of it too.
        values = schedule.cache_read(product, 0, "global")
        flatten_pixels(schedule, values, width)
        schedule.transform_layout(values, ("write", 0), lambda n, y, x, k: (y * width + x, k))

    pixel, channel, k = schedule.get_loops(product)
    pixel_outer, row = schedule.split(pixel, [None, tile.rows])
    channel_outer, channel_inner = schedule.split(
        channel, [None, tile.panels * machine.vector_floats]
    )
    outer = [channel_outer, pixel_outer]
    if tile.pixels_outermost:
        outer.reverse()
    k, step = schedule.split(k, [None, steps])
    schedule.reorder(*outer, k, step, row, channel_inner)
    schedule.reverse_compute_at(output, outer[-1])
    if values is not None:
        schedule.compute_at(values, k)
        vectorize(schedule, loops_inside(schedule, values, k), steps)
    vectorize(schedule, [step, row, channel_inner], machine.vector_floats)
    if shares_rows(height, machine):
        share_chunks(schedule, pixel_outer, Span(tile.rows))
    else:
        share_chunks(schedule, channel_outer)
    clear = schedule.decompose_reduction(product, k)
    finish(schedule, clear, output, outer[-1], machine.vector_floats, channels)


def _apply_in_rows(
    schedule: s_tir.Schedule, product: Block, output: Block, tile: Tile, machine: Machine
) -> None:
    """Schedule tiles of a row; the loop over them is split where the last one is smaller."""
    _, _, width, channels = (int(schedule.get(loop).extent) for loop in schedule.get_loops(output))
    _, y, x, channel, k = schedule.get_loops(product)
    x_outer, x_inner = schedule.split(x, [None, tile.rows])
    channel_outer, channel_inner = schedule.split(
        channel, [None, tile.panels * machine.vector_floats]
    )
    outer = [y, x_outer, channel_outer] if tile.pixels_outermost else [channel_outer, y, x_outer]
    schedule.reorder(*outer, k, x_inner, channel_inner)
    schedule.reverse_compute_at(output, outer[-1])
    vectorize(schedule, [x_inner, channel_inner], machine.vector_floats)
    share_chunks(schedule, y, Span(width))
    schedule.annotate(x_outer, "pragma_loop_partition_hint", 1)
    clear = schedule.decompose_reduction(product, k)
    finish(schedule, clear, output, outer[-1], machine.vector_floats, channels)


def _row_cycles(shape: tuple[int, int, int], width: int, tile: Tile, machine: Machine) -> float:
    """Estimate cycles of tiles in rows: whole ones, and one of what is left of each row."""
    pixels, panels, inputs = shape
    height, whole, left = pixels // width, width // tile.rows, width % tile.rows
    rest = replace(tile, rows=left)
    return _cycles((height * whole * tile.rows, panels, inputs), tile, machine) + _cycles(
        (height * left, panels, inputs), rest, machine
    )


def _steps(shape: tuple[int, int, int], rows: int, machine: Machine) -> int:
    """Return for how many input channels a row's values are loaded at once."""
    pixels, _, inputs = shape
    lanes = machine.vector_floats
    whole = pixels % rows == 0 and inputs % lanes == 0
    return lanes if machine.by_lane and whole else 1


def _cycles(shape: tuple[int, int, int], tile: Tile, machine: Machine) -> float:
    """Estimate cycles for pixels, panels and inputs: the slowest of arithmetic and loads."""
    pixels, panels, inputs = shape
    arithmetic = max(tile.rows * tile.panels / 2, _LATENCY)  # two multiply-adds in a cycle
    values = tile.rows / _steps(shape, tile.rows, machine)
    loads = (values + tile.panels) / 2  # two loads in a cycle, from the nearest cache
    # Every iteration of the loop outside goes through the weights of the loop inside. Few enough
    # stay near; if not, they come from afar each time, and the first time from memory.
    read_again = panels if tile.pixels_outermost else tile.panels
    near = read_again * machine.vector_bytes * inputs < machine.l1_bytes / 2
    streaming = 0.0 if near else tile.panels * machine.vector_bytes / machine.l2_bytes_per_cycle
    if tile.pixels_outermost and not near:
        streaming *= 2
    if not tile.pixels_outermost and panels > tile.panels:
        # The input is read once per group of channels, and the output is written in strips.
        streaming += tile.rows * _STRIP_CYCLES / inputs
    cycles = max(arithmetic, loads, streaming)
    if machine.by_lane:
        cycles += _SLOT_CYCLES * loads
    pixel_tiles, panel_tiles = -(-pixels // tile.rows), -(-panels // tile.panels)
    # A tile cut off at both edges is computed under conditions that cost about half of the speed.
    ragged_pixels, ragged_panels = pixels % tile.rows > 0, panels % tile.panels > 0
    ragged = 2.0 if ragged_pixels and ragged_panels else 1.25 if ragged_panels else 1.0
    return pixel_tiles * panel_tiles * cycles * ragged
