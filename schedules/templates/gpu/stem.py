"""The first convolution: planar (NCHW) input, NHWC output.

Tile: a work item computes `columns` pixels of a row by `panels` vectors of output channels. It
loads the input under them once; its neighbours, which take other channels, load the same.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tvm import s_tir

from mobilebench.schedules.machine import Gpu
from mobilebench.schedules.operators.stem import CORE
from mobilebench.schedules.operators.window import PADDED
from mobilebench.schedules.templates.block import finish, inline_neighbours, vectorize
from mobilebench.schedules.templates.gpu import pointwise
from mobilebench.schedules.templates.gpu.items import (
    LOAD,
    bind_pixels,
    cheapest,
    divisors,
    group_shape,
    in_registers,
    load_at,
    panels_of,
    vector_lanes,
)

__all__ = ["CORE", "Tile", "apply", "pack", "tiles"]


@dataclass(frozen=True)
class Tile:
    """What a work item computes, and how many of them are a group."""

    columns: int
    panels: int
    across: int  # work items of a group, by channels
    along: int  # and by columns


def pack(weight: NDArray[np.float32], machine: Gpu) -> NDArray[np.float32]:
    """Lay out weights (R, S, K, N) as panels (N / panel, R, S, K, panel); see `pointwise.pack`."""
    taps_y, taps_x, inputs, outputs = weight.shape
    packed = pointwise.pack(weight.reshape(-1, outputs), machine)
    return packed.reshape(-1, taps_y, taps_x, inputs, packed.shape[-1])


def tiles(schedule: s_tir.Schedule, machine: Gpu) -> list[Tile]:
    """Return the tiles worth trying, the default first."""
    loops = schedule.get_loops(schedule.get_sblock(CORE))
    _, height, width, channels, *taps = (int(schedule.get(loop).extent) for loop in loops)
    lanes = vector_lanes(channels, machine)
    vectors = channels // lanes
    found = []
    for columns in divisors(width, 8):
        for panels in panels_of(schedule, CORE, vectors, lanes):
            if columns * panels > machine.registers // 2:
                continue
            items = vectors // panels * height * (width // columns)
            across, along = group_shape(vectors // panels, width // columns, machine)
            window = taps[2] * taps[0] * (2 * columns + 1)
            product = taps[0] * taps[1] * taps[2] * panels
            cost = (product * (columns + LOAD) + LOAD * window) * max(items, machine.busy_items)
            found.append((cost, Tile(columns, panels, across, along)))
    return cheapest(found)


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Gpu) -> None:
    """Schedule a fused stem convolution."""
    product, output = inline_neighbours(schedule, CORE, keep=(PADDED,))
    schedule.set_scope(product, 0, "local")
    window = in_registers(schedule, product, 0)
    _, y, x, channel, tap_y, tap_x, k = schedule.get_loops(product)
    lanes = vector_lanes(int(schedule.get(channel).extent), machine)
    inside = [tap_y, tap_x, k]
    item, column, lane = bind_pixels(schedule, [y, x, channel], tile, tile.panels * lanes, inside)
    schedule.reverse_compute_at(output, item)
    load_at(schedule, window, item, 1)
    vectorize(schedule, [*inside, column, lane], lanes)
    finish(schedule, schedule.decompose_reduction(product, tap_y), output, item, lanes)
