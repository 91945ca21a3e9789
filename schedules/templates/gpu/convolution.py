"""Convolutions with a window over all channels: a matrix product for each tap.

Tile: a work item computes `columns` pixels of a row by `panels` vectors of output channels, and
holds them in registers while taps and input channels go by, four at a time.
"""

from tvm import s_tir

from mobilebench.schedules.machine import Gpu
from mobilebench.schedules.operators.convolution import CORE
from mobilebench.schedules.operators.half import half_input
from mobilebench.schedules.operators.window import PADDED
from mobilebench.schedules.templates.block import finish, inline_neighbours, vectorize
from mobilebench.schedules.templates.gpu.items import (
    STEP,
    bind_pixels,
    cheapest,
    divisors,
    fits,
    group_shape,
    in_registers,
    load_at,
    panels_of,
    product_cost,
    vector_lanes,
)
from mobilebench.schedules.templates.gpu.stem import Tile, pack

SKIPS_PADDING = False  # work items in step would wait for those that skip nothing
__all__ = ["CORE", "SKIPS_PADDING", "Tile", "apply", "pack", "tiles"]


def tiles(schedule: s_tir.Schedule, machine: Gpu) -> list[Tile]:
    """Return the tiles worth trying, the default first."""
    loops = schedule.get_loops(schedule.get_sblock(CORE))
    _, height, width, channels, *_ = (int(schedule.get(loop).extent) for loop in loops)
    lanes = vector_lanes(channels, machine)
    vectors = channels // lanes
    found = []
    for columns in divisors(width, 12):
        for panels in panels_of(schedule, CORE, vectors, lanes):
            if not fits(columns, panels, machine):
                continue
            items = vectors // panels * height * (width // columns)
            across, along = group_shape(vectors // panels, width // columns, machine)
            cost = product_cost(columns, panels, items, machine)
            found.append((cost, Tile(columns, panels, across, along)))
    return cheapest(found)


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Gpu) -> None:
    """Schedule a fused convolution."""
    product, output = inline_neighbours(schedule, CORE, keep=(PADDED, half_input(1)))
    schedule.set_scope(product, 0, "local")
    data, weight = (in_registers(schedule, product, number) for number in (0, 1))
    _, y, x, channel, tap_y, tap_x, k = schedule.get_loops(product)
    lanes = vector_lanes(int(schedule.get(channel).extent), machine)
    step = STEP if int(schedule.get(k).extent) % STEP == 0 else 1
    k, k_inner = schedule.split(k, [None, step])
    item, column, lane = bind_pixels(
        schedule, [y, x, channel], tile, tile.panels * lanes, [tap_y, tap_x, k, k_inner]
    )
    schedule.reverse_compute_at(output, item)
    load_at(schedule, data, k, step)
    load_at(schedule, weight, k, lanes)
    vectorize(schedule, [k_inner, column, lane], lanes)
    finish(schedule, schedule.decompose_reduction(product, tap_y), output, item, lanes)
