"""Global average pooling: the mean of every channel over all pixels.

Tile: `vectors` vectors of channels in registers while the pixels go by.
"""

from dataclasses import dataclass

from tvm import s_tir

from mobilebench.schedules.machine import Machine
from mobilebench.schedules.operators.pooling import CORE
from mobilebench.schedules.templates.block import (
    finish,
    inline_neighbours,
    lanes_for,
    reads_bytes,
    vectorize,
)
from mobilebench.schedules.templates.cpu.chunks import share_chunks


@dataclass(frozen=True)
class Tile:
    """Vectors of channels."""

    vectors: int


def tiles(schedule: s_tir.Schedule, machine: Machine) -> list[Tile]:
    """Return the tiles worth trying, the default first."""
    _, channel, *_ = schedule.get_loops(schedule.get_sblock(CORE))
    channels = int(schedule.get(channel).extent)
    lanes = lanes_for(channels, machine.vector_floats)
    return [Tile(vectors) for vectors in (4, 8, 2, 1) if channels % (vectors * lanes) == 0]


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Machine) -> None:
    """Schedule global average pooling."""
    total, output = inline_neighbours(schedule, CORE)
    schedule.set_scope(total, 0, "local")
    _, channel, y, x = schedule.get_loops(total)
    widest = machine.byte_lanes if reads_bytes(schedule, total) else machine.vector_floats
    lanes = lanes_for(int(schedule.get(channel).extent), widest)
    outer, inner = schedule.split(channel, [None, tile.vectors * lanes])
    schedule.reorder(outer, y, x, inner)
    schedule.reverse_compute_at(output, outer)
    vectorize(schedule, [inner], lanes)
    share_chunks(schedule, outer)
    clear = schedule.decompose_reduction(total, y)
    finish(schedule, clear, output, outer, lanes)
