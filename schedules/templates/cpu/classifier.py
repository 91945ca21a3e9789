"""The last layer: a vector by a matrix that is read once, so memory sets the pace.

Tile: `panels` vectors of classes in registers. Weights are laid out in the order in which they are
read, so the hardware prefetches one stream.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tvm import s_tir

from mobilebench.schedules.machine import Machine
from mobilebench.schedules.operators.classifier import CORE
from mobilebench.schedules.operators.dot_product import WIDE
from mobilebench.schedules.templates.block import inline_neighbours, vectorize, widen_at
from mobilebench.schedules.templates.cpu.chunks import share_chunks
from mobilebench.schedules.templates.cpu.finish_tile import finish_tile

_LEAST_PANELS, _MOST_PANELS = 7, 12  # two multiply-adds a cycle, each of four cycles' latency


@dataclass(frozen=True)
class Tile:
    """How many input features one iteration of the loop takes."""

    unroll: int


def pack(weight: NDArray[np.float32], machine: Machine) -> NDArray[np.float32]:
    """Lay out weights (K, N) as groups (ceil(N / group), K, group) of some vectors each.

    Of 7 to 12 vectors the number is chosen that leaves the fewest lanes unused.
    """
    inputs, outputs = weight.shape
    vector = machine.vector_floats
    sizes = [panels * vector for panels in range(_LEAST_PANELS, _MOST_PANELS + 1)]
    group = min(sizes, key=lambda size: -outputs % size)
    groups = -(-outputs // group)
    padded = np.zeros((inputs, groups * group), weight.dtype)
    padded[:, :outputs] = weight
    return np.ascontiguousarray(padded.reshape(inputs, groups, group).transpose(1, 0, 2))


def tiles(schedule: s_tir.Schedule, machine: Machine) -> list[Tile]:
    """Return the tiles worth trying, the default first."""
    return [Tile(unroll) for unroll in (4, 1, 2)]


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Machine) -> None:
    """Schedule a fused classifier."""
    product, output = inline_neighbours(schedule, CORE, keep=[WIDE])
    channels = int(schedule.get(schedule.get_loops(output)[-1]).extent)
    schedule.set_scope(product, 0, "local")
    _, channel, k = schedule.get_loops(product)
    weight = schedule.get(product).reads[-1].source
    group, channel_inner = schedule.split(channel, [None, int(weight.ty.shape[-1])])
    k_outer, k_inner = schedule.split(k, [None, tile.unroll])
    schedule.reorder(group, k_outer, k_inner, channel_inner)
    schedule.reverse_compute_at(output, group)
    widen_at(schedule, group, machine.vector_floats)
    vectorize(schedule, [k_inner, channel_inner], machine.vector_floats)
    share_chunks(schedule, group)
    clear = schedule.decompose_reduction(product, k_outer)
    finish_tile(schedule, clear, output, group, machine, channels)
