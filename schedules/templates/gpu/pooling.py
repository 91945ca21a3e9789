"""Global average pooling: the mean of every channel over all pixels.

Tile: a work item adds up one vector of channels; `across` of them are a group.
"""

from dataclasses import dataclass

from tvm import s_tir

from mobilebench.schedules.machine import Gpu
from mobilebench.schedules.operators.pooling import CORE
from mobilebench.schedules.templates.block import finish, inline_neighbours
from mobilebench.schedules.templates.gpu.items import bind, divisors, group_shape, vector_lanes

__all__ = ["CORE", "Tile", "apply", "tiles"]


@dataclass(frozen=True)
class Tile:
    """Work items of a group."""

    across: int


def tiles(schedule: s_tir.Schedule, machine: Gpu) -> list[Tile]:
    """Return the tiles worth trying, the default first."""
    channels = int(schedule.get(schedule.get_loops(schedule.get_sblock(CORE))[1]).extent)
    vectors = channels // vector_lanes(channels, machine)
    default, _ = group_shape(vectors, 1, machine)
    sizes = divisors(vectors, machine.work_group)
    return [Tile(across) for across in sorted(sizes, key=lambda size: (abs(size - default), size))]


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Gpu) -> None:
    """Schedule global average pooling."""
    total, output = inline_neighbours(schedule, CORE)
    schedule.set_scope(total, 0, "local")
    _, channel, y, x = schedule.get_loops(total)
    lanes = vector_lanes(int(schedule.get(channel).extent), machine)
    group, item, lane = schedule.split(channel, [None, tile.across, lanes])
    schedule.reorder(group, item, y, x, lane)
    bind(schedule, {"blockIdx.x": group, "threadIdx.x": item})
    schedule.reverse_compute_at(output, item)
    schedule.vectorize(lane)
    finish(schedule, schedule.decompose_reduction(total, y), output, item, lanes)
