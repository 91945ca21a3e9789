"""1x1 convolutions: a matrix product of pixels by channels, tiled for a work item's registers.

Tile: a work item computes `rows` pixels by `panels` vectors of output channels, and holds them in
registers while the input channels go by, four at a time. Neighbouring items take neighbouring
channels: they load one line of weights together, and the same pixels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tvm import s_tir

from mobilebench.schedules.machine import Gpu
from mobilebench.schedules.operators.half import half_input
from mobilebench.schedules.operators.pointwise import CORE
from mobilebench.schedules.templates.block import (
    finish,
    flatten_pixels,
    inline_neighbours,
    vectorize,
)
from mobilebench.schedules.templates.gpu.items import (
    STEP,
    bind,
    cheapest,
    divisors,
    fits,
    group_shape,
    in_registers,
    load_at,
    panel_vectors,
    panels_of,
    product_cost,
    vector_lanes,
)

__all__ = ["CORE", "Tile", "apply", "pack", "tiles"]

_VECTOR = 4  # floats, of the narrowest vector


@dataclass(frozen=True)
class Tile:
    """What a work item computes, and how many of them are a group."""

    rows: int
    panels: int
    across: int  # work items of a group, by channels
    along: int  # and by pixels


def pack(weight: NDArray[np.float32], machine: Gpu) -> NDArray[np.float32]:
    """Lay out weights (K, N) as panels (N / panel, K, panel), N padded to whole vectors of four.

    A panel is what the work items that run in step load together: side by side, and what they load
    next lies next. It divides N, so that it is smaller where N has no better divisor.
    """
    inputs, outputs = weight.shape
    padded = np.zeros((inputs, -(-outputs // _VECTOR) * _VECTOR), np.float32)
    padded[:, :outputs] = weight
    lanes = vector_lanes(padded.shape[1], machine)
    panel = lanes * divisors(padded.shape[1] // lanes, machine.subgroup)[-1]
    return np.ascontiguousarray(padded.reshape(inputs, -1, panel).transpose(1, 0, 2))


def tiles(schedule: s_tir.Schedule, machine: Gpu) -> list[Tile]:
    """Return the tiles worth trying, the default first."""
    loops = schedule.get_loops(schedule.get_sblock(CORE))
    _, height, width, channels, _ = (int(schedule.get(loop).extent) for loop in loops)
    lanes = vector_lanes(channels, machine)
    pixels, vectors = height * width, channels // lanes
    panel = panel_vectors(schedule, CORE, lanes)
    found = []
    for rows in divisors(pixels, 16):
        for panels in panels_of(schedule, CORE, vectors, lanes):
            if not fits(rows, panels, machine):
                continue
            # Of several panels a group takes one, whole: in a part of one TVM does not see that an
            # item's weights lie side by side.
            together = panel // panels if panels < panel < vectors else 0
            across, along = group_shape(vectors // panels, pixels // rows, machine, together)
            tile = Tile(rows, panels, across, along)
            items = pixels // rows * (vectors // panels)
            found.append((product_cost(rows, panels, items, machine), tile))
    return cheapest(found)


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Gpu) -> None:
    """Schedule a fused pointwise convolution."""
    product, output = inline_neighbours(schedule, CORE, keep=(half_input(0), half_input(1)))
    width = int(schedule.get(schedule.get_loops(output)[2]).extent)
    schedule.set_scope(product, 0, "local")
    data, weight = (in_registers(schedule, product, number) for number in (0, 1))
    for block in (data, product, output):
        flatten_pixels(schedule, block, width)
    for block in (data, product):
        schedule.transform_layout(block, ("write", 0), lambda n, y, x, c: (y * width + x, c))
    pixel, channel, k = schedule.get_loops(product)
    lanes = vector_lanes(int(schedule.get(channel).extent), machine)
    step = STEP if int(schedule.get(k).extent) % STEP == 0 else 1
    pixel_group, pixel_item, row = schedule.split(pixel, [None, tile.along, tile.rows])
    channel_group, channel_item, lane = schedule.split(
        channel, [None, tile.across, tile.panels * lanes]
    )
    k, k_inner = schedule.split(k, [None, step])
    schedule.reorder(pixel_group, channel_group, pixel_item, channel_item, k, k_inner, row, lane)
    bind(
        schedule,
        {
            "blockIdx.y": pixel_group,
            "blockIdx.x": channel_group,
            "threadIdx.y": pixel_item,
            "threadIdx.x": channel_item,
        },
    )
    schedule.reverse_compute_at(output, channel_item)
    load_at(schedule, data, k, step)
    load_at(schedule, weight, k, lanes)
    vectorize(schedule, [k_inner, row, lane], lanes)
    finish(schedule, schedule.decompose_reduction(product, k), output, channel_item, lanes)
