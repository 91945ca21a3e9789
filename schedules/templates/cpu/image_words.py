"""The image as bytes: memory alone sets the pace.

Tile: none but the one vector of pixels that is converted at a time.
"""

from dataclasses import dataclass

from tvm import s_tir

from mobilebench.schedules.machine import Machine
from mobilebench.schedules.operators.image_words import CORE
from mobilebench.schedules.templates.annotations import BORDERS
from mobilebench.schedules.templates.block import vectorize_ragged
from mobilebench.schedules.templates.cpu.chunks import Span, share_chunks


@dataclass(frozen=True)
class Tile:
    """Nothing to choose."""


def tiles(schedule: s_tir.Schedule, machine: Machine) -> list[Tile]:
    """Return the tiles worth trying, the default first."""
    return [Tile()]


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Machine) -> None:
    """Schedule the conversion of an image."""
    _, _, y, x = schedule.get_loops(schedule.get_sblock(CORE))
    share_chunks(schedule, y, Span(int(schedule.get(x).extent), axis=2))
    schedule.annotate(y, BORDERS, 1)
    vectorize_ragged(schedule, x, machine.vector_floats)
