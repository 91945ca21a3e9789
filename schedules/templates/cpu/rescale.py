"""Bytes that change their scale: memory sets the pace.

Rows are shared by threads, channels are vectors; of joined channels, each part has a loop of its
own.
"""

from itertools import pairwise
from math import gcd

from tvm import s_tir

from mobilebench.schedules.machine import Machine
from mobilebench.schedules.operators.rescale import CORE, ENDS
from mobilebench.schedules.templates.block import Loop, vectorize_ragged
from mobilebench.schedules.templates.cpu.chunks import share_chunks
from mobilebench.schedules.templates.cpu.one_way import Tile, tiles

__all__ = ["CORE", "Tile", "apply", "tiles"]


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Machine) -> None:
    """Schedule a change of scale."""
    core = schedule.get_sblock(CORE)
    *outer, channel = schedule.get_loops(core)
    ends = [int(end) for end in schedule.get(core).annotations.get(ENDS, [])]
    if len(outer) > 1:
        share_chunks(schedule, outer[1])
    if len(ends) > 1:
        _vectorize_parts(schedule, channel, ends, machine.vector_floats)
    else:
        vectorize_ragged(schedule, channel, machine.vector_floats)


def _vectorize_parts(schedule: s_tir.Schedule, channel: Loop, ends: list[int], lanes: int) -> None:
    """Give each part a loop, with vectors as wide as fill all parts."""
    lanes = gcd(lanes, *ends)
    outer, inner = schedule.split(channel, [None, lanes])
    steps: list[int | None] = [(end - begin) // lanes for begin, end in pairwise([0, *ends])]
    schedule.vectorize(inner)
    schedule.loop_partition(outer, [*steps[:-1], None])
