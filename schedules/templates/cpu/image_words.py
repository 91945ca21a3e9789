"""The image as bytes: memory alone sets the pace.

Tile: none but the one vector of pixels that is converted at a time.
"""

from tvm import s_tir

from mobilebench.schedules.machine import Machine
from mobilebench.schedules.operators.image_words import CORE
from mobilebench.schedules.templates.annotations import BORDERS
from mobilebench.schedules.templates.block import vectorize_ragged
from mobilebench.schedules.templates.cpu.chunks import Span, share_chunks
from mobilebench.schedules.templates.cpu.one_way import Tile, tiles

__all__ = ["CORE", "Tile", "apply", "tiles"]


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Machine) -> None:
    """Schedule the conversion of an image."""
    core = schedule.get_sblock(CORE)
    pixels = schedule.get(core).reads[0].source.ty.dtype == "uint8"
    _, _, y, x = schedule.get_loops(core)
    share_chunks(schedule, y, Span(int(schedule.get(x).extent), axis=2))
    schedule.annotate(y, BORDERS, 1)
    vectors = vectorize_ragged(schedule, x, machine.vector_floats)
    if vectors is not None and pixels:  # of floats LLVM makes vectors at the borders too
        schedule.annotate(vectors, BORDERS, 1)
