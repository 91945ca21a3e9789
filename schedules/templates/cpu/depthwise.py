"""Depthwise 3x3 convolutions, without a padded copy.

Tile: `rows` by `columns` output pixels by one vector of channels. All nine taps are unrolled, so
that an input vector is loaded once for all outputs that it touches, and the nine vectors of weights
stay in registers. Padding is a condition on the loads.
"""

from dataclasses import dataclass

from tvm import s_tir

from mobilebench.schedules.machine import Machine
from mobilebench.schedules.operators.depthwise import COLUMNS, CORE
from mobilebench.schedules.templates.annotations import BORDERS
from mobilebench.schedules.templates.block import (
    finish,
    has_block,
    inline_neighbours,
    lanes_for,
    reads_bytes,
    vectorize,
)
from mobilebench.schedules.templates.cpu.chunks import row_span, share_chunks, shares_rows

_JOINING = 6  # instructions that make words of the bytes of a column


@dataclass(frozen=True)
class Tile:
    """Output pixels that stay in registers, for one vector of channels."""

    rows: int
    columns: int


def tiles(schedule: s_tir.Schedule, machine: Machine) -> list[Tile]:
    """Return the tiles worth trying, the default first."""
    loops = schedule.get_loops(schedule.get_sblock(CORE))
    _, height, width, *_ = (int(schedule.get(loop).extent) for loop in loops)
    taps = int(schedule.get(loops[-2]).extent) * int(schedule.get(loops[-1]).extent)
    found = []
    of_bytes = has_block(schedule, COLUMNS)
    channels = int(schedule.get(loops[3]).extent)
    vectors = lanes_for(channels, _widest(machine)) / machine.vector_floats if of_bytes else None
    for rows in (rows for rows in range(1, 5) if height % rows == 0):
        for columns in range(1, min(width, 8) + 1):
            tile = Tile(rows, columns)
            cost = _cost(height, width, taps, tile, machine, byte_vectors=vectors)
            found.append((cost, -columns, tile))
    return [tile for _, _, tile in sorted(found, key=lambda entry: entry[:2])[:16]]


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Machine) -> None:
    """Schedule a fused depthwise convolution."""
    of_bytes = has_block(schedule, COLUMNS)
    core, output = inline_neighbours(schedule, CORE)
    widest = _widest(machine) if reads_bytes(schedule, core) else machine.vector_floats
    height, width = (int(schedule.get(loop).extent) for loop in schedule.get_loops(core)[1:3])
    schedule.set_scope(core, 0, "local")
    _, y, x, channel, tap_y, tap_x = schedule.get_loops(core)
    lanes = lanes_for(int(schedule.get(channel).extent), widest)
    y_outer, y_inner = schedule.split(y, [None, tile.rows])
    x_outer, x_inner = schedule.split(x, [None, tile.columns])
    channel_outer, channel_inner = schedule.split(channel, [None, lanes])
    by_rows = shares_rows(height, machine)
    # Vectors of bytes fill a part of a cache line, so that rows are best read once for all of them.
    outer = [y_outer, channel_outer] if of_bytes and by_rows else [channel_outer, y_outer]
    schedule.reorder(*outer, x_outer, tap_y, tap_x, y_inner, x_inner, channel_inner)
    schedule.reverse_compute_at(output, x_outer)
    vectorize(schedule, [tap_y, tap_x, y_inner, x_inner, channel_inner], lanes)
    if by_rows:
        share_chunks(schedule, y_outer, row_span(schedule, core, tile.rows * width))
    else:
        share_chunks(schedule, channel_outer)
    clear = schedule.decompose_reduction(core, tap_y)
    finish(schedule, clear, output, x_outer, lanes)
    if of_bytes:  # LLVM does it for floating-point numbers
        schedule.annotate(y_outer, BORDERS, 1)
        if machine.writes_bytes:
            schedule.annotate(x_outer, BORDERS, 1)


def _widest(machine: Machine) -> int:
    """Return how many channels of bytes are read at a time: two vectors of sums, if it can be."""
    return min(machine.byte_lanes, 2 * machine.vector_floats)


def _cost(
    height: int,
    width: int,
    taps: int,
    tile: Tile,
    machine: Machine,
    *,
    byte_vectors: float | None,
) -> float:
    """Estimate cycles over all tiles, those that reach over the edge included.

    `byte_vectors` is how many vectors of sums the bytes that are read at a time make; None for
    floating-point numbers.
    """
    pixels = tile.rows * tile.columns
    steps = -(-height // tile.rows) * -(-width // tile.columns)
    loads = (tile.rows + 2) * (tile.columns + 2)
    cycles = max(taps * pixels, loads) / 2 + taps / 2  # two a cycle; weights once per tile
    # Beyond a quarter of the registers the compiler's order of loads makes accumulators spill.
    most = machine.registers // 4
    if byte_vectors:  # every column of a row is joined from the rows that its window has
        cycles = (2 * taps * pixels + _JOINING * tile.rows * (tile.columns + 2)) / 4
        most = int(machine.registers // 2 / byte_vectors)
    cycles += taps * max(0, pixels - most)
    # A tile that reaches over the right edge is computed under conditions in every row.
    ragged = (1.6 if width % tile.columns else 1.0) * (1.2 if height % tile.rows else 1.0)
    borders = 1 + 0.03 * (tile.rows - 1)  # higher tiles meet the borders more often
    return steps * cycles * ragged * borders
