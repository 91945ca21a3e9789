"""The image as bytes: memory alone sets the pace.

Tile: none but the one vector of pixels that is converted at a time.
"""

from tvm import s_tir

from mobilebench.schedules.machine import Machine
from mobilebench.schedules.operators.image_words import COLUMNS, CORE
from mobilebench.schedules.templates.annotations import BORDERS
from mobilebench.schedules.templates.block import vectorize_ragged
from mobilebench.schedules.templates.cpu.chunks import Span, share_chunks
from mobilebench.schedules.templates.cpu.one_way import Tile, tiles

__all__ = ["CORE", "Tile", "apply", "tiles"]


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Machine) -> None:
    """Schedule the conversion of an image."""
    core = schedule.get_sblock(CORE)
    _, group, y, x = schedule.get_loops(core)
    width = int(schedule.get(x).extent)
    left, inside = (int(count) for count in schedule.get(core).annotations[COLUMNS])
    schedule.reorder(y, group, x)
    schedule.unroll(group)
    share_chunks(schedule, y, Span(width, axis=2))
    schedule.annotate(y, BORDERS, 1)
    if left:
        _, x = schedule.loop_partition(x, [left, None])
    if inside < width - left:
        x, _ = schedule.loop_partition(x, [inside, None])
    vectorize_ragged(schedule, x, machine.vector_floats)
