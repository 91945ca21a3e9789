"""Pieces copied to their places: one loop for each, which reads and writes memory in order."""

from itertools import pairwise

from tvm import s_tir

from mobilebench.schedules.machine import Machine
from mobilebench.schedules.operators.concat import CORE, ENDS
from mobilebench.schedules.templates.cpu.one_way import Tile, tiles

__all__ = ["CORE", "Tile", "apply", "tiles"]


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Machine) -> None:
    """Schedule a concatenation: each piece has a loop, where it is known which one is read."""
    core = schedule.get_sblock(CORE)
    _, anchor, _ = schedule.get_loops(core)
    ends = [int(end) for end in schedule.get(core).annotations[ENDS]]
    pieces: list[int | None] = [end - begin for begin, end in pairwise([0, *ends])]
    if len(pieces) > 1:
        schedule.loop_partition(anchor, [*pieces[:-1], None])
