"""The last layer: a vector by a matrix that is read once, so memory sets the pace.

Tile: the input features are dealt out to `parts` work items, each of which adds up its own for some
vectors of classes; then they add up each other's, which they share in local memory, each for its
share of the vector. Without parts there were as many items as vectors of classes: few for a GPU.
"""

from dataclasses import dataclass

from tvm import s_tir

from mobilebench.schedules.machine import Gpu
from mobilebench.schedules.operators.classifier import CORE
from mobilebench.schedules.templates.block import (
    Block,
    finish,
    inline_neighbours,
    loops_inside,
    vectorize,
)
from mobilebench.schedules.templates.gpu.items import (
    GROUP,
    bind,
    cheapest,
    divisors,
    panels_of,
    vector_lanes,
)
from mobilebench.schedules.templates.gpu.pointwise import pack

__all__ = ["CORE", "Tile", "apply", "pack", "tiles"]

_FLOAT_BYTES = 4
_LATENCY = 4  # vectors, whose sums keep a work item busy that runs alone


@dataclass(frozen=True)
class Tile:
    """Work items of a group: by classes, and by parts of the sum."""

    across: int
    parts: int
    panels: int  # vectors of classes that an item adds up


def tiles(schedule: s_tir.Schedule, machine: Gpu) -> list[Tile]:
    """Return the tiles worth trying, the default first."""
    _, channel, feature = schedule.get_loops(schedule.get_sblock(CORE))
    channels, features = (int(schedule.get(loop).extent) for loop in (channel, feature))
    lanes = vector_lanes(channels, machine)
    vectors = channels // lanes
    found = []
    for parts in (parts for parts in divisors(lanes, lanes) if features % parts == 0):
        for panels in panels_of(schedule, CORE, vectors, lanes):
            for across in divisors(vectors // panels, machine.work_group // parts):
                if parts * across * panels * lanes * _FLOAT_BYTES > machine.local_bytes // 2:
                    continue
                items = parts * across
                idle = -items % machine.subgroup / items
                steps = max(panels, _LATENCY) * features // parts
                chunks = max(vectors // panels * parts, machine.busy_items)
                cost = steps * chunks * (1 + idle)
                found.append(((cost, parts, abs(items - GROUP)), Tile(across, parts, panels)))
    return cheapest(found)


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Gpu) -> None:
    """Schedule a fused classifier."""
    product, output = inline_neighbours(schedule, CORE)
    lanes = vector_lanes(int(schedule.get(schedule.get_loops(product)[1]).extent), machine)
    schedule.set_scope(product, 0, "local")
    if tile.parts == 1:
        _whole_sums(schedule, product, output, tile, lanes)
    else:
        _sums_in_parts(schedule, product, output, tile, lanes)


def _whole_sums(
    schedule: s_tir.Schedule, product: Block, output: Block, tile: Tile, lanes: int
) -> None:
    _, channel, k = schedule.get_loops(product)
    group, item, lane = schedule.split(channel, [None, tile.across, tile.panels * lanes])
    schedule.reorder(group, item, k, lane)
    bind(schedule, {"blockIdx.x": group, "threadIdx.x": item})
    schedule.reverse_compute_at(output, item)
    vectorize(schedule, [lane], lanes)
    finish(schedule, schedule.decompose_reduction(product, k), output, item, lanes)


def _sums_in_parts(
    schedule: s_tir.Schedule, product: Block, output: Block, tile: Tile, lanes: int
) -> None:
    _, _, k = schedule.get_loops(product)
    part, k = schedule.split(k, [tile.parts, None])
    partial = schedule.rfactor(part, factor_axis=1)
    # Of the sum over the parts, each item of a group takes a share.
    _, channel, part = schedule.get_loops(product)
    share_lanes = tile.panels * lanes // tile.parts
    group, item, share, lane = schedule.split(channel, [None, tile.across, tile.parts, share_lanes])
    bind(schedule, {"blockIdx.x": group, "threadIdx.x": item, "threadIdx.y": share})
    schedule.reorder(part, lane)
    schedule.reverse_compute_at(output, share)
    schedule.set_scope(partial, 0, "shared")
    handed_on = schedule.cache_write(partial, 0, "local")
    schedule.compute_at(handed_on, group)
    own_part, own_channel = loops_inside(schedule, handed_on, group)[-2:]
    own_item, own_lane = schedule.split(own_channel, [tile.across, tile.panels * lanes])
    schedule.bind(own_part, "threadIdx.y")
    schedule.bind(own_item, "threadIdx.x")
    vectorize(schedule, [own_lane], lanes)
    schedule.compute_at(partial, own_item)
    *_, own_lane, k = loops_inside(schedule, partial, own_item)
    schedule.reorder(k, own_lane)
    vectorize(schedule, [own_lane], lanes)
    share_lanes = lanes // tile.parts
    vectorize(schedule, [part, lane], share_lanes)
    clear = schedule.decompose_reduction(partial, k)
    vectorize(schedule, loops_inside(schedule, clear, own_item), lanes)
    clear = schedule.decompose_reduction(product, part)
    finish(schedule, clear, output, share, share_lanes)
