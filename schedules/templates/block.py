"""Steps that every template takes."""

from collections.abc import Sequence
from typing import Any

from tvm import s_tir

Block = Any  # a block of a schedule, as TVM's random variable
Loop = Any


def inline_neighbours(
    schedule: s_tir.Schedule, core: str, keep: Sequence[str] = ()
) -> tuple[Block, Block]:
    """Leave two blocks of a fused kernel: the one named `core`, and the one that writes the output.

    What comes before (padding) is read through, but for what is to be kept; bias, activation and
    residual are computed where the output is written, from registers.
    """
    blocks = schedule.get_child_blocks(schedule.get_sblock("root"))
    names = [schedule.get(block).name_hint for block in blocks]
    position = names.index(core)
    for block in (*blocks[:position], *blocks[position + 1 : -1]):
        if schedule.get(block).name_hint not in keep:
            schedule.compute_inline(block)
    return blocks[position], blocks[-1]


def flatten_pixels(schedule: s_tir.Schedule, block: Block, width: int) -> None:
    """Let a block over (1, H, W, channels, ...) run over (H * W, channels, ...)."""
    reductions = len(schedule.get_loops(block)) - 4
    if reductions:
        schedule.transform_block_layout(block, lambda n, y, x, c, k: (y * width + x, c, k))
    else:
        schedule.transform_block_layout(block, lambda n, y, x, c: (y * width + x, c))


def loops_inside(schedule: s_tir.Schedule, block: Block, outer: Loop) -> list[Loop]:
    """Return the loops around a block inside `outer`; those of one iteration may be missing."""
    loops = schedule.get_loops(block)
    depths = [schedule.get(loop).same_as(schedule.get(outer)) for loop in loops]
    inside: list[Loop] = loops[depths.index(True) + 1 :]
    return inside


def vectorize(schedule: s_tir.Schedule, loops: list[Loop], lanes: int) -> None:
    """Unroll loops and make vectors of the innermost, whose extent is a multiple of `lanes`."""
    if not loops:
        return
    outer, inner = schedule.split(loops[-1], [None, lanes])
    for loop in (*loops[:-1], outer):
        schedule.unroll(loop)
    schedule.vectorize(inner)


def finish(
    schedule: s_tir.Schedule,
    clear: Block,
    output: Block,
    loop: Loop,
    lanes: int,
    channels: int | None = None,
) -> None:
    """Clear the sums and write the outputs of an iteration of `loop`, a vector at a time.

    The output has a number of channels; None for one that vectors fill.
    """
    vectorize(schedule, loops_inside(schedule, clear, loop), lanes)
    written = lanes if channels is None else lanes_for(channels, lanes)
    vectorize(schedule, loops_inside(schedule, output, loop), written)


def lanes_for(channels: int, vector_floats: int) -> int:
    """Return the widest vector that divides a number of channels."""
    lanes = vector_floats
    while channels % lanes:
        lanes //= 2
    return lanes


def vectorize_ragged(schedule: s_tir.Schedule, loop: Loop, lanes: int) -> None:
    """Make vectors of a loop of any extent; what is left over is done one by one."""
    extent = int(schedule.get(loop).extent)
    left = extent % lanes
    if left and extent > lanes:
        loop, _ = schedule.loop_partition(loop, [extent - left, None])
    if extent >= lanes:
        _, inner = schedule.split(loop, [None, lanes])
        schedule.vectorize(inner)
