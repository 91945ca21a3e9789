"""Depthwise 3x3 convolutions, without a padded copy.

Tile: `rows` by `columns` output pixels by one vector of channels. All nine taps are unrolled, so
that an input vector is loaded once for all outputs that it touches, and the nine vectors of weights
stay in registers. Padding is a condition on the loads; the loops over tiles are split into borders
and interior, where the condition is gone.
"""

from dataclasses import dataclass

from tvm import s_tir, te, tirx

from schedules.machine import Machine
from schedules.templates.block import inline_neighbours, lanes_for, loops_inside, vectorize

CORE = "depthwise_sum"


@dataclass(frozen=True)
class Tile:
    """Output pixels that stay in registers, for one vector of channels."""

    rows: int
    columns: int


def compute(
    data: te.Tensor,
    weight: te.Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
) -> te.Tensor:
    """Return the convolution of data (1, H, W, C) by weights (R, S, C).

    `padding` is top, left, bottom, right.
    """
    _, height, width, channels = (int(extent) for extent in data.shape)
    taps_y, taps_x = int(weight.shape[0]), int(weight.shape[1])
    top, left, bottom, right = padding
    out_height = (height + top + bottom - (taps_y - 1) * dilation[0] - 1) // stride[0] + 1
    out_width = (width + left + right - (taps_x - 1) * dilation[1] - 1) // stride[1] + 1
    padded = te.compute(
        (1, height + top + bottom, width + left + right, channels),
        lambda n, y, x, c: tirx.if_then_else(
            tirx.all(y >= top, y < height + top, x >= left, x < width + left),
            data[n, y - top, x - left, c],
            tirx.const(0.0, data.dtype),
        ),
        name="padded",
    )
    tap_y, tap_x = te.reduce_axis((0, taps_y), "tap_y"), te.reduce_axis((0, taps_x), "tap_x")
    return te.compute(
        (1, out_height, out_width, channels),
        lambda n, y, x, c: te.sum(
            padded[n, y * stride[0] + tap_y * dilation[0], x * stride[1] + tap_x * dilation[1], c]
            * weight[tap_y, tap_x, c],
            axis=[tap_y, tap_x],
        ),
        name=CORE,
    )


def tiles(schedule: s_tir.Schedule, machine: Machine) -> list[Tile]:
    """Return the tiles worth trying, the best guess first."""
    loops = schedule.get_loops(schedule.get_sblock(CORE))
    _, height, width, *_ = (int(schedule.get(loop).extent) for loop in loops)
    free = machine.registers - 9 - 1  # nine vectors of weights, one input
    found = []
    for rows in (1, 2, 3, 4):
        for columns in (1, 2, 3, 4, 5, 6, 7, 8, 14):
            if rows <= height and columns <= width and rows * columns <= max(free, 4):
                found.append((_cost(height, width, rows, columns), rows, columns))
    return [Tile(rows, columns) for _, rows, columns in sorted(found)[:12]]


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Machine) -> None:
    """Schedule a fused depthwise convolution."""
    core, output = inline_neighbours(schedule, CORE)
    schedule.set_scope(core, 0, "local")
    _, y, x, channel, tap_y, tap_x = schedule.get_loops(core)
    lanes = lanes_for(int(schedule.get(channel).extent), machine.vector_floats)
    y_outer, y_inner = schedule.split(y, [None, tile.rows])
    x_outer, x_inner = schedule.split(x, [None, tile.columns])
    channel_outer, channel_inner = schedule.split(channel, [None, lanes])
    schedule.reorder(channel_outer, y_outer, x_outer, tap_y, tap_x, y_inner, x_inner, channel_inner)
    schedule.reverse_compute_at(output, x_outer)
    vectorize(schedule, [tap_y, tap_x, y_inner, x_inner, channel_inner], lanes)
    clear = schedule.decompose_reduction(core, tap_y)
    vectorize(schedule, loops_inside(schedule, clear, x_outer), lanes)
    vectorize(schedule, loops_inside(schedule, output, x_outer), lanes)
    for loop in (y_outer, x_outer):
        schedule.annotate(loop, "pragma_loop_partition_hint", 1)


def _cost(height: int, width: int, rows: int, columns: int) -> float:
    """Estimate loads and edges: shared inputs per output, and outputs computed in vain."""
    steps = -(-height // rows) * -(-width // columns)
    return steps * ((rows + 2) * (columns + 2) + 9 * rows * columns) / 2
