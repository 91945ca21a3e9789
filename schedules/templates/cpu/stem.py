"""The first convolution: few input channels, planar (NCHW) input, NHWC output.

Tile: `columns` output pixels of a row by all vectors of output channels, in registers. Every tap of
every input channel is one broadcast value, so the planar input is read as it comes and nothing
needs to be transposed beforehand.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tvm import s_tir

from mobilebench.schedules.machine import Machine
from mobilebench.schedules.operators.stem import CORE
from mobilebench.schedules.templates.block import inline_neighbours, vectorize
from mobilebench.schedules.templates.cpu import pointwise
from mobilebench.schedules.templates.cpu.chunks import row_span, share_chunks
from mobilebench.schedules.templates.cpu.finish_tile import finish_tile


@dataclass(frozen=True)
class Tile:
    """Output pixels of a row, by vectors of output channels."""

    columns: int
    panels: int


def pack(weight: NDArray[np.float32], machine: Machine) -> NDArray[np.float32]:
    """Lay out weights (R, S, K, N) as panels (ceil(N / vector), R, S, K, vector)."""
    taps_y, taps_x, inputs, outputs = weight.shape
    panels = pointwise.pack(weight.reshape(-1, outputs), machine)
    return panels.reshape(-1, taps_y, taps_x, inputs, machine.vector_floats)


def tiles(schedule: s_tir.Schedule, machine: Machine) -> list[Tile]:
    """Return the tiles worth trying, the default first."""
    loops = schedule.get_loops(schedule.get_sblock(CORE))
    _, _, width, channels, *_ = (int(schedule.get(loop).extent) for loop in loops)
    panels = channels // machine.vector_floats
    found = []
    for wide in range(1, min(panels, 4) + 1):
        for columns in range(2, min((machine.registers - wide - 1) // wide, width, 16) + 1):
            steps = -(-width // columns) * -(-panels // wide)
            cycles = max(columns * wide / 2, 4.0)
            if machine.by_lane:  # a narrow core
                cycles += pointwise.SLOT_CYCLES * (columns + wide) / 2
            found.append((steps * cycles, -wide, columns))
    return [Tile(columns, -wide) for _, wide, columns in sorted(found)[:12]]


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Machine) -> None:
    """Schedule a fused stem convolution."""
    product, output = inline_neighbours(schedule, CORE)
    channels = int(schedule.get(schedule.get_loops(output)[-1]).extent)
    schedule.set_scope(product, 0, "local")
    _, y, x, channel, tap_y, tap_x, k = schedule.get_loops(product)
    width = int(schedule.get(x).extent)
    x_outer, x_inner = schedule.split(x, [None, tile.columns])
    channel_outer, channel_inner = schedule.split(
        channel, [None, tile.panels * machine.vector_floats]
    )
    schedule.reorder(y, channel_outer, x_outer, tap_y, tap_x, k, x_inner, channel_inner)
    schedule.reverse_compute_at(output, x_outer)
    vectorize(schedule, [tap_y, tap_x, k, x_inner, channel_inner], machine.vector_floats)
    share_chunks(schedule, y, row_span(schedule, product, width))
    clear = schedule.decompose_reduction(product, tap_y)
    finish_tile(schedule, clear, output, x_outer, machine, channels)
