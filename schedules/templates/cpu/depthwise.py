"""Depthwise 3x3 convolutions, without a padded copy.

Tile: `rows` by `columns` output pixels by one vector of channels. All nine taps are unrolled, so
that an input vector is loaded once for all outputs that it touches, and the nine vectors of weights
stay in registers. Padding is a condition on the loads; the loops over tiles are split into borders
and interior, where the condition is gone.
"""

from dataclasses import dataclass

from tvm import s_tir

from mobilebench.schedules.machine import Machine
from mobilebench.schedules.operators.depthwise import CORE
from mobilebench.schedules.templates.block import finish, inline_neighbours, lanes_for, vectorize
from mobilebench.schedules.templates.cpu.chunks import row_span, share_chunks, shares_rows


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
    for rows in (rows for rows in range(1, 5) if height % rows == 0):
        for columns in range(1, min(width, 8) + 1):
            tile = Tile(rows, columns)
            found.append((_cost(height, width, taps, tile, machine), -columns, tile))
    return [tile for _, _, tile in sorted(found, key=lambda entry: entry[:2])[:16]]


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Machine) -> None:
    """Schedule a fused depthwise convolution."""
    core, output = inline_neighbours(schedule, CORE)
    height, width = (int(schedule.get(loop).extent) for loop in schedule.get_loops(core)[1:3])
    schedule.set_scope(core, 0, "local")
    _, y, x, channel, tap_y, tap_x = schedule.get_loops(core)
    lanes = lanes_for(int(schedule.get(channel).extent), machine.vector_floats)
    y_outer, y_inner = schedule.split(y, [None, tile.rows])
    x_outer, x_inner = schedule.split(x, [None, tile.columns])
    channel_outer, channel_inner = schedule.split(channel, [None, lanes])
    schedule.reorder(channel_outer, y_outer, x_outer, tap_y, tap_x, y_inner, x_inner, channel_inner)
    schedule.reverse_compute_at(output, x_outer)
    vectorize(schedule, [tap_y, tap_x, y_inner, x_inner, channel_inner], lanes)
    if shares_rows(height, machine):
        share_chunks(schedule, y_outer, row_span(schedule, core, tile.rows * width))
    else:
        share_chunks(schedule, channel_outer)
    clear = schedule.decompose_reduction(core, tap_y)
    finish(schedule, clear, output, x_outer, lanes)
    for loop in (y_outer, x_outer):
        schedule.annotate(loop, "pragma_loop_partition_hint", 1)


def _cost(height: int, width: int, taps: int, tile: Tile, machine: Machine) -> float:
    """Estimate cycles over all tiles, those that reach over the edge included."""
    pixels = tile.rows * tile.columns
    steps = -(-height // tile.rows) * -(-width // tile.columns)
    loads = (tile.rows + 2) * (tile.columns + 2)
    cycles = max(taps * pixels, loads) / 2 + taps / 2  # two a cycle; weights once per tile
    # Beyond a quarter of the registers the compiler's order of loads makes accumulators spill.
    cycles += taps * max(0, pixels - machine.registers // 4)
    # A tile that reaches over the right edge is computed under conditions in every row.
    ragged = (1.6 if width % tile.columns else 1.0) * (1.2 if height % tile.rows else 1.0)
    borders = 1 + 0.03 * (tile.rows - 1)  # higher tiles meet the borders more often
    return steps * cycles * ragged * borders
