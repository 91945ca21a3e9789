"""Convolutions with a window over all channels: a matrix product for each tap.

Tile: `columns` output pixels of a row by `panels` vectors of output channels, kept in registers
while taps and input channels go by. A tap that lies outside the image for the whole tile is
skipped: with the dilations of DeepLab's pyramid that is a third of all multiply-adds.
"""

from collections.abc import Sequence
from math import ceil

from tvm import s_tir

from mobilebench.schedules.machine import Machine
from mobilebench.schedules.operators.convolution import COLUMNS, CORE
from mobilebench.schedules.operators.dot_product import WIDE
from mobilebench.schedules.operators.window import PADDED
from mobilebench.schedules.templates.annotations import SKIPPABLE
from mobilebench.schedules.templates.block import (
    has_block,
    inline_neighbours,
    lanes_for,
    vectorize,
)
from mobilebench.schedules.templates.cpu.chunks import idle_share, share_chunks, shares_rows
from mobilebench.schedules.templates.cpu.finish_tile import finish_tile
from mobilebench.schedules.templates.cpu.stem import Tile, pack

__all__ = ["CORE", "SKIPS_PADDING", "Tile", "apply", "pack", "tiles"]

SKIPS_PADDING = True


def tiles(schedule: s_tir.Schedule, machine: Machine) -> list[Tile]:
    """Return the tiles worth trying, the default first."""
    core = schedule.get_sblock(CORE)
    extents = [int(schedule.get(loop).extent) for loop in schedule.get_loops(core)]
    _, height, width, channels, _, taps, _ = extents
    window = [int(number) for number in schedule.get(core).annotations[COLUMNS]]
    all_panels = channels // machine.vector_floats
    found = []
    for panels in range(1, min(all_panels, 4) + 1):
        for columns in range(1, min((machine.registers - 1) // panels - 1, width, 24) + 1):
            # Two multiply-adds in a cycle, each of four cycles' latency, and two loads.
            cycles = max(columns * panels / 2, (columns + panels) / 2, 4.0)
            groups = ceil(all_panels / panels)
            chunks = height if shares_rows(height, machine) else groups
            ragged = 1.25 if width % columns or all_panels % panels else 1.0
            steps = _steps(width, taps, columns, window) * groups
            cost = steps * cycles * ragged * idle_share(chunks, machine)
            found.append((cost, -columns, Tile(columns, panels)))
    return [tile for _, _, tile in sorted(found, key=lambda entry: entry[:2])[:16]]


def _steps(width: int, taps: int, columns: int, window: Sequence[int]) -> int:
    """Return for how many tiles of a row, and taps in it, there is something to multiply."""
    stride, left, dilation, in_width = window
    found = 0
    for first in range(0, width, columns):
        last = min(first + columns, width) - 1
        for tap in range(taps):
            offset = tap * dilation - left
            found += last * stride + offset >= 0 and first * stride + offset < in_width
    return found


def apply(schedule: s_tir.Schedule, tile: Tile, machine: Machine) -> None:
    """Schedule a fused convolution."""
    copy = WIDE if has_block(schedule, WIDE) else PADDED
    product, output = inline_neighbours(schedule, CORE, keep=[copy])
    _, height, _, channels = (int(schedule.get(loop).extent) for loop in schedule.get_loops(output))
    _copy_rows(schedule, copy, machine)
    schedule.set_scope(product, 0, "local")
    _, y, x, channel, tap_y, tap_x, k = schedule.get_loops(product)
    x_outer, x_inner = schedule.split(x, [None, tile.columns])
    lanes = machine.vector_floats
    channel_outer, channel_inner = schedule.split(channel, [None, tile.panels * lanes])
    schedule.reorder(channel_outer, y, x_outer, tap_y, tap_x, k, x_inner, channel_inner)
    schedule.reverse_compute_at(output, x_outer)
    schedule.annotate(k, SKIPPABLE, 1)
    vectorize(schedule, [x_inner, channel_inner], lanes)
    share_chunks(schedule, y if shares_rows(height, machine) else channel_outer)
    clear = schedule.decompose_reduction(product, tap_y)
    finish_tile(schedule, clear, output, x_outer, machine, channels)


def _copy_rows(schedule: s_tir.Schedule, copy: str, machine: Machine) -> None:
    """Let threads share the rows that are copied; each is copied by the thread that reads most."""
    _, y, _, k = schedule.get_loops(schedule.get_sblock(copy))
    lanes = lanes_for(int(schedule.get(k).extent), machine.vector_floats)
    _, inner = schedule.split(k, [None, lanes])
    schedule.vectorize(inner)
    share_chunks(schedule, y)
