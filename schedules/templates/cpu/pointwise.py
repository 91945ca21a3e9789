"""1x1 convolutions: a matrix product of pixels by channels, tiled for the vector registers.

Tile: `rows` pixels by `panels` vectors of output channels, kept in registers while the input
channels go by. Each step of the inner loop loads one vector per panel and broadcasts one value per
row, for rows x panels multiply-adds; a core issues as many loads as multiply-adds in a cycle, so
the multipliers stay busy once both sides of the tile are 2 or more.

Where a vector can be multiplied by one lane of another (NEON), a row's values are loaded a vector
at a time, for as many input channels. That takes a register per row, and rows that fill the tiles.
"""

from dataclasses import dataclass, replace
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray
from tvm import s_tir

from mobilebench.schedules.machine import HALF_BYTES, PAIRS, SMULL, Machine
from mobilebench.schedules.operators.dot_product import BYTES, JOINED, WIDE
from mobilebench.schedules.operators.pointwise import CORE, TOTAL
from mobilebench.schedules.templates.block import (
    Block,
    Loop,
    flatten_pixels,
    has_block,
    inline_neighbours,
    lanes_for,
    loops_inside,
    reads_bytes,
    vectorize,
    widen_at,
)
from mobilebench.schedules.templates.cpu.chunks import Span, idle_share, share_chunks, shares_rows
from mobilebench.schedules.templates.cpu.finish_tile import finish_tile

_LATENCY = 4.0  # cycles of a multiply-add; two are issued in each
_STRIP_CYCLES = 4.0  # of a row's share of a cache line that is visited again
SLOT_CYCLES = 0.2  # of a load beside multiply-adds, on narrow cores
_LOADED_IN_PAIRS = 1024  # bytes from one load to another that LLVM makes pairs of loads for
_PAIR_REGISTERS = 3  # more for products that are yet to be added
_LANE_REGISTERS = 2  # more in half precision, whose lanes lie in the first registers only
_HALF_REGISTERS = 7  # more for halves of words, and their products
WORTH_FUSING = 1.1  # how much slower a tile may be that allows for fusing


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
    _, height, width, channels, *summed = (int(schedule.get(loop).extent) for loop in loops)
    inputs = prod(summed)
    shape = (height * width, channels // machine.vector_floats, inputs)
    dot = machine.dot if has_block(schedule, JOINED) else ""
    by_rows = shares_rows(height, machine)
    found = []
    for panels in range(1, min(shape[1], 6) + 1):
        for rows in range(1, min(machine.registers, shape[0], 28) + 1):
            values = rows if _steps(shape, rows, machine) > 1 else 1
            more = _more_registers(panels, inputs, dot, machine)
            needed = rows * panels + panels + values + more
            if needed > machine.registers or values > _most_values(machine):
                continue
            chunks = ceil(shape[0] / rows) if by_rows else ceil(shape[1] / panels)
            for pixels_outermost in (True, False):
                tile = Tile(rows, panels, pixels_outermost)
                cycles = _cycles(shape, tile, machine, dot) * idle_share(chunks, machine)
                found.append((cycles, -rows, tile))
            # Without lanes of values, so that it is no gain where those can be multiplied by.
            if by_rows and rows < width and width % rows and not machine.by_lane:
                for pixels_outermost in (True, False):
                    tile = Tile(rows, panels, pixels_outermost, in_rows=True)
                    cycles = _row_cycles(shape, width, tile, machine, dot)
                    found.append((cycles * idle_share(height, machine), 0, tile))
    found.sort(key=lambda entry: entry[:2])
    # Tiles that end where rows end may be fused into blocks.
    even = [
        entry for entry in found if entry[2].in_rows or ends_with_rows(entry[2].rows, height, width)
    ]
    if even and even[0][0] <= WORTH_FUSING * found[0][0]:
        found = even
    return [tile for _, _, tile in found[:16]]


def ends_with_rows(pixels: int, height: int, width: int) -> bool:
    """Whether tiles of some pixels end where the rows of an image end."""
    whole_rows = pixels % width == 0 and height % (pixels // width) == 0
    return whole_rows or width % pixels == 0


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Machine) -> None:
    """Schedule a fused pointwise convolution."""
    product, output = inline_neighbours(schedule, CORE, keep=[WIDE, TOTAL])
    _, height, width, channels = (
        int(schedule.get(loop).extent) for loop in schedule.get_loops(output)
    )
    schedule.set_scope(product, 0, "local")
    if tile.in_rows:
        _apply_in_rows(schedule, product, output, tile, machine)
        return
    total = schedule.get_sblock(TOTAL) if has_block(schedule, TOTAL) else None
    for block in (product, output) if total is None else (product, total, output):
        flatten_pixels(schedule, block, width)
    _flatten_sums(schedule, product, total, width)
    pixels, _, *_, inputs = (int(schedule.get(one).extent) for one in schedule.get_loops(product))
    steps = _steps((pixels, 0, inputs), tile.rows, machine)
    values = _values(schedule, product, width) if steps > 1 else None
    tiled = product if total is None else total
    pixel_outer, channel_outer, row, channel_inner, k = _tiled(schedule, tiled, tile, machine)
    outer = [pixel_outer, channel_outer] if tile.pixels_outermost else [channel_outer, pixel_outer]
    schedule.reorder(*outer, k, row, channel_inner)
    schedule.reverse_compute_at(output, outer[-1])
    # Where threads share the channels there is nothing but loops around them.
    alone = shares_rows(height, machine) or not tile.pixels_outermost
    widen_at(schedule, pixel_outer if alone else channel_outer, machine.vector_floats)
    chunk = k
    if total is not None:
        schedule.compute_at(product, chunk, preserve_unit_loops=True)  # of a single pixel, say
        vectorize(schedule, [row, channel_inner], machine.vector_floats)
        row, channel_inner, *_, k = loops_inside(schedule, product, chunk)
    k, step = schedule.split(k, [None, steps])
    schedule.reorder(k, step, row, channel_inner)
    if values is not None:
        schedule.compute_at(values, k)
        at_once = steps * (BYTES if reads_bytes(schedule, values) else 1)
        vectorize(schedule, loops_inside(schedule, values, k), at_once)
    vectorize(schedule, [step, row, channel_inner], machine.vector_floats)
    if shares_rows(height, machine):
        share_chunks(schedule, pixel_outer, Span(tile.rows))
    else:
        share_chunks(schedule, channel_outer)
    clear = schedule.decompose_reduction(product, k)
    if total is not None:
        vectorize(schedule, loops_inside(schedule, clear, chunk), machine.vector_floats)
        clear = schedule.decompose_reduction(total, chunk)
    finish_tile(schedule, clear, output, outer[-1], machine, channels)


def _flatten_sums(
    schedule: s_tir.Schedule, product: Block, total: Block | None, width: int
) -> None:
    """Let sums be (pixels, channels); those of chunks have the chunk's number too."""
    if total is None:
        schedule.transform_layout(product, ("write", 0), lambda n, y, x, c: (y * width + x, c))
        return
    schedule.set_scope(total, 0, "local")
    schedule.transform_layout(product, ("write", 0), lambda n, y, x, c, g: (y * width + x, c, g))
    schedule.transform_layout(total, ("write", 0), lambda n, y, x, c: (y * width + x, c))


def _values(schedule: s_tir.Schedule, product: Block, width: int) -> Block:
    """Return the block that loads a row's values, for several input channels at once."""
    # Global scope is the stack, from where LLVM takes it into registers.
    values = schedule.cache_read(product, 0, "global")
    flatten_pixels(schedule, values, width)
    schedule.transform_layout(values, ("write", 0), lambda n, y, x, k: (y * width + x, k))
    return values


def _tiled(
    schedule: s_tir.Schedule, block: Block, tile: Tile, machine: Machine
) -> tuple[Loop, ...]:
    """Return the loops of pixels and channels outside a tile, and inside, and that of the sum."""
    pixel, channel, k = schedule.get_loops(block)
    pixel_outer, row = schedule.split(pixel, [None, tile.rows])
    wide = tile.panels * machine.vector_floats
    channel_outer, channel_inner = schedule.split(channel, [None, wide])
    return pixel_outer, channel_outer, row, channel_inner, k


def _apply_in_rows(
    schedule: s_tir.Schedule, product: Block, output: Block, tile: Tile, machine: Machine
) -> None:
    """Schedule tiles of a row, of which the last one may be smaller."""
    _, _, width, channels = (int(schedule.get(loop).extent) for loop in schedule.get_loops(output))
    _, y, x, channel, k = schedule.get_loops(product)
    x_outer, x_inner = schedule.split(x, [None, tile.rows])
    channel_outer, channel_inner = schedule.split(
        channel, [None, tile.panels * machine.vector_floats]
    )
    outer = [y, x_outer, channel_outer] if tile.pixels_outermost else [channel_outer, y, x_outer]
    schedule.reorder(*outer, k, x_inner, channel_inner)
    schedule.reverse_compute_at(output, outer[-1])
    widen_at(schedule, x_outer, machine.vector_floats)
    vectorize(schedule, [x_inner, channel_inner], machine.vector_floats)
    share_chunks(schedule, y, Span(width))
    clear = schedule.decompose_reduction(product, k)
    finish_tile(schedule, clear, output, outer[-1], machine, channels)


def _row_cycles(
    shape: tuple[int, int, int], width: int, tile: Tile, machine: Machine, dot: str
) -> float:
    """Estimate cycles of tiles in rows: whole ones, and one of what is left of each row."""
    pixels, panels, inputs = shape
    height, whole, left = pixels // width, width // tile.rows, width % tile.rows
    rest = replace(tile, rows=left)
    return _cycles((height * whole * tile.rows, panels, inputs), tile, machine, dot) + _cycles(
        (height * left, panels, inputs), rest, machine, dot
    )


def _steps(shape: tuple[int, int, int], rows: int, machine: Machine) -> int:
    """Return for how many input channels a row's values are loaded at once."""
    pixels, _, inputs = shape
    if not machine.by_lane or pixels % rows:
        return 1
    return lanes_for(inputs, machine.vector_floats)


def _cycles(shape: tuple[int, int, int], tile: Tile, machine: Machine, dot: str) -> float:
    """Estimate cycles for pixels, panels and inputs: the slowest of arithmetic and loads."""
    pixels, panels, inputs = shape
    arithmetic = max(tile.rows * tile.panels / 2, _LATENCY)  # two multiply-adds in a cycle
    weight_bytes = machine.vector_bytes
    if dot == PAIRS:
        weight_bytes //= 2
        arithmetic = _pair_cycles(tile)
    elif dot == SMULL:
        arithmetic = _half_cycles(tile)
    values = tile.rows / _steps(shape, tile.rows, machine)
    loads = (values + tile.panels) / 2  # two loads in a cycle, from the nearest cache
    # Every iteration of the loop outside goes through the weights of the loop inside. Few enough
    # stay near; if not, they come from afar each time, and the first time from memory.
    read_again = panels if tile.pixels_outermost else tile.panels
    near = read_again * weight_bytes * inputs < machine.l1_bytes / 2
    streaming = 0.0 if near else tile.panels * weight_bytes / machine.l2_bytes_per_cycle
    if tile.pixels_outermost and not near:
        streaming *= 2
    if not tile.pixels_outermost and panels > tile.panels:
        # The input is read once per group of channels, and the output is written in strips.
        streaming += tile.rows * _STRIP_CYCLES / inputs
    cycles = max(arithmetic, loads, streaming)
    if machine.by_lane:
        cycles += SLOT_CYCLES * loads
    pixel_tiles, panel_tiles = -(-pixels // tile.rows), -(-panels // tile.panels)
    # A tile cut off at both edges is computed under conditions that cost about half of the speed.
    ragged_pixels, ragged_panels = pixels % tile.rows > 0, panels % tile.panels > 0
    ragged = 2.0 if ragged_pixels and ragged_panels else 1.25 if ragged_panels else 1.0
    if ragged_panels and machine.float_bytes == HALF_BYTES:
        ragged = 2.0  # sums of chunks leave the conditions inside the loop
    return pixel_tiles * panel_tiles * cycles * ragged


def _more_registers(panels: int, inputs: int, dot: str, machine: Machine) -> int:
    """Return how many registers are needed beside sums, values and weights.

    For products of bytes before they are added, or where not every register has lanes to multiply
    by; and on Arm for each panel's next weights, which are loaded together with those at hand
    unless panels lie too far from each other.
    """
    if dot == SMULL:
        return _HALF_REGISTERS + panels
    if dot == PAIRS:
        return _PAIR_REGISTERS
    near = machine.by_lane and panels > 1 and inputs * machine.vector_bytes < _LOADED_IN_PAIRS
    lanes = _LANE_REGISTERS if machine.float_bytes == HALF_BYTES else 0
    return lanes + panels * near


def _most_values(machine: Machine) -> int:
    """Return how many rows' values may be kept.

    Arm multiplies by a half-precision lane of the first 16 registers only.
    """
    return machine.registers // 4 if machine.float_bytes == HALF_BYTES else machine.registers


def _half_cycles(tile: Tile) -> float:
    """Estimate cycles of a step of products of halves of words, of which each can have two
    instructions.

    Two products and their sum are three, and every half of the data and second half of weights is
    one.
    """
    return (3 * tile.rows * tile.panels + 2 * tile.rows + tile.panels) / 2


def _pair_cycles(tile: Tile) -> float:
    """Estimate cycles of a step of products of pairs, of which each can have four instructions.

    A product and its sum are two instructions, and each vector of weights is widened by one. The
    data are widened 16 values at a time: once, or for every group of channels. Loads take slots.
    """
    widening = 0.0 if tile.pixels_outermost else tile.rows / 4
    loads = tile.rows + tile.panels
    return (2 * tile.rows * tile.panels + tile.panels + widening + loads / 2) / 4
