"""Steps that every template takes."""

from collections.abc import Sequence
from typing import Any

from tvm import s_tir

from mobilebench.schedules.operators.dot_product import WIDE
from mobilebench.schedules.operators.stored_bytes import SIGNED, UNSIGNED

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
    if position == len(blocks) - 1:  # nothing follows, not even a bias
        return blocks[position], schedule.cache_write(blocks[position], 0, "local")
    return blocks[position], blocks[-1]


def has_block(schedule: s_tir.Schedule, name: str) -> bool:
    """Whether a kernel has a block of some name."""
    blocks = schedule.get_child_blocks(schedule.get_sblock("root"))
    return any(schedule.get(block).name_hint == name for block in blocks)


def reads_bytes(schedule: s_tir.Schedule, block: Block) -> bool:
    """Whether a block reads bytes, of either kind."""
    return any(_is_of_bytes(region) for region in schedule.get(block).reads)


def writes_bytes(schedule: s_tir.Schedule, block: Block) -> bool:
    """Whether a block writes bytes, of either kind."""
    return any(_is_of_bytes(region) for region in schedule.get(block).writes)


def _is_of_bytes(region: Any) -> bool:
    return str(region.source.ty.dtype) in (UNSIGNED, SIGNED)


def widen_at(schedule: s_tir.Schedule, loop: Loop, lanes: int) -> None:
    """Widen bytes to 16 bits where an iteration of a loop needs them, if there are such bytes."""
    if not has_block(schedule, WIDE):
        return
    wide = schedule.get_sblock(WIDE)
    schedule.compute_at(wide, loop)
    inside = loops_inside(schedule, wide, loop)
    channels = int(schedule.get(inside[-1]).extent)
    _, inner = schedule.split(inside[-1], [None, lanes_for(channels, 2 * lanes)])
    schedule.vectorize(inner)


def flatten_pixels(schedule: s_tir.Schedule, block: Block, width: int) -> None:
    """Let a block over (1, H, W, channels, ...) run over (H * W, channels, ...)."""
    flattened = {
        4: lambda n, y, x, c: (y * width + x, c),
        5: lambda n, y, x, c, k: (y * width + x, c, k),
        6: lambda n, y, x, c, g, k: (y * width + x, c, g, k),
    }
    schedule.transform_block_layout(block, flattened[len(schedule.get_loops(block))])


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


def finish(schedule: s_tir.Schedule, clear: Block, output: Block, loop: Loop, lanes: int) -> None:
    """Clear the sums and write the outputs of an iteration of `loop`, a vector at a time."""
    for one in (clear, output):
        vectorize(schedule, loops_inside(schedule, one, loop), lanes)


def lanes_for(channels: int, vector_floats: int) -> int:
    """Return the widest vector that divides a number of channels."""
    lanes = vector_floats
    while channels % lanes:
        lanes //= 2
    return lanes


def vectorize_ragged(schedule: s_tir.Schedule, loop: Loop, lanes: int) -> Loop | None:
    """Make vectors of a loop of any extent; what is left over is done one by one.

    Returns the loop over whole vectors; None if there are none.
    """
    extent = int(schedule.get(loop).extent)
    left = extent % lanes
    if left and extent > lanes:
        loop, _ = schedule.loop_partition(loop, [extent - left, None])
    if extent < lanes:
        return None
    vectors, inner = schedule.split(loop, [None, lanes])
    schedule.vectorize(inner)
    return vectors
