"""Bilinear enlarging: memory that is written sets the pace.

Each row of the output is interpolated between two rows of the input, once for all channels, and
lies in the nearest cache. From it, a vector of a plane's pixels is a few broadcast values by
constant weights: no vector is gathered.
"""

from tvm import s_tir

from mobilebench.schedules.machine import Machine
from mobilebench.schedules.operators.resize import CORE, ROWS
from mobilebench.schedules.templates.block import loops_inside, vectorize_ragged
from mobilebench.schedules.templates.cpu.chunks import share_chunks
from mobilebench.schedules.templates.cpu.one_way import Tile, tiles

__all__ = ["CORE", "Tile", "apply", "tiles"]


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Machine) -> None:
    """Schedule a resize."""
    planes, rows = schedule.get_sblock(CORE), schedule.get_sblock(ROWS)
    _, channel, y, x = schedule.get_loops(planes)
    schedule.reorder(y, channel, x)
    schedule.compute_at(rows, y)
    share_chunks(schedule, y)
    pixel_and_channel = schedule.fuse(*loops_inside(schedule, rows, y)[-2:])
    vectorize_ragged(schedule, pixel_and_channel, machine.vector_floats)
    vectorize_ragged(schedule, x, machine.vector_floats)
