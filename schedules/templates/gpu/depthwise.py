"""Depthwise convolutions, without a padded copy in memory.

Tile: a work item computes `rows` by `columns` output pixels of one vector of channels. It loads
every input pixel under them once, with zeros where that is padding, and has the taps from its
registers. Neighbouring items take neighbouring channels.
"""

from dataclasses import dataclass

from tvm import s_tir

from mobilebench.schedules.machine import Gpu
from mobilebench.schedules.operators.depthwise import CORE
from mobilebench.schedules.operators.half import half_input
from mobilebench.schedules.operators.window import PADDED, WINDOW
from mobilebench.schedules.templates.block import finish, inline_neighbours, vectorize
from mobilebench.schedules.templates.gpu.items import (
    LOAD,
    bind_pixels,
    cheapest,
    divisors,
    group_shape,
    in_registers,
    load_at,
    vector_lanes,
)

__all__ = ["CORE", "Tile", "apply", "tiles"]


@dataclass(frozen=True)
class Tile:
    """What a work item computes, and how many of them are a group."""

    rows: int
    columns: int
    across: int  # work items of a group, by channels
    along: int  # and by columns


def tiles(schedule: s_tir.Schedule, machine: Gpu) -> list[Tile]:
    """Return the tiles worth trying, the default first."""
    loops = schedule.get_loops(schedule.get_sblock(CORE))
    _, height, width, channels, *taps = (int(schedule.get(loop).extent) for loop in loops)
    vectors = channels // vector_lanes(channels, machine)
    stride = int(schedule.get(schedule.get_sblock(CORE)).annotations[WINDOW][0])
    found = []
    for rows in divisors(height, 4):
        for columns in divisors(width, 8):
            window = (stride * (rows - 1) + taps[0]) * (stride * (columns - 1) + taps[1])
            if rows * columns > 1 and rows * columns + window > machine.registers:
                continue
            items = vectors * (height // rows) * (width // columns)
            across, along = group_shape(vectors, width // columns, machine)
            work = taps[0] * taps[1] * (rows * columns + LOAD) + LOAD * window
            cost = work * max(items, machine.busy_items)
            found.append((cost, Tile(rows, columns, across, along)))
    return cheapest(found)


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Gpu) -> None:
    """Schedule a fused depthwise convolution."""
    core, output = inline_neighbours(schedule, CORE, keep=(PADDED, half_input(1)))
    schedule.set_scope(core, 0, "local")
    window, weight = (in_registers(schedule, core, number) for number in (0, 1))
    _, y, x, channel, tap_y, tap_x = schedule.get_loops(core)
    lanes = vector_lanes(int(schedule.get(channel).extent), machine)
    y, row = schedule.split(y, [None, tile.rows])
    inside = [tap_y, tap_x, row]
    item, column, lane = bind_pixels(schedule, [y, x, channel], tile, lanes, inside)
    schedule.reverse_compute_at(output, item)
    load_at(schedule, window, item, lanes)
    load_at(schedule, weight, item, lanes)
    vectorize(schedule, [*inside, column, lane], lanes)
    finish(schedule, schedule.decompose_reduction(core, tap_y), output, item, lanes)
