"""Steps that every template takes."""

from dataclasses import astuple, dataclass
from typing import Any

from tvm import s_tir

from schedules.machine import Machine

_LEAST_ROWS = 4  # of an output, for each thread

Block = Any  # a block of a schedule, as TVM's random variable
Loop = Any


def inline_neighbours(schedule: s_tir.Schedule, core: str) -> tuple[Block, Block]:
    """Leave two blocks of a fused kernel: the one named `core`, and the one that writes the output.

    What comes before (padding) is read through; bias, activation and residual are computed where
    the output is written, from registers.
    """
    blocks = schedule.get_child_blocks(schedule.get_sblock("root"))
    names = [schedule.get(block).name_hint for block in blocks]
    position = names.index(core)
    for block in (*blocks[:position], *blocks[position + 1 : -1]):
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
    """Return the loops around a block that lie inside `outer`; those of one turn may be missing."""
    loops = schedule.get_loops(block)
    depths = [schedule.get(loop).same_as(schedule.get(outer)) for loop in loops]
    inside: list[Loop] = loops[depths.index(True) + 1 :]
    return inside


def vectorize(schedule: s_tir.Schedule, loops: list[Loop], lanes: int) -> None:
    """Unroll loops and make vectors of the innermost, whose extent is a multiple of `lanes`."""
    outer, inner = schedule.split(loops[-1], [None, lanes])
    for loop in (*loops[:-1], outer):
        schedule.unroll(loop)
    schedule.vectorize(inner)


def lanes_for(channels: int, vector_floats: int) -> int:
    """Return the widest vector that divides a number of channels."""
    lanes = vector_floats
    while channels % lanes:
        lanes //= 2
    return lanes


@dataclass(frozen=True)
class Span:
    """What one turn of a kernel's shared loop computes, and what it reads for that."""

    pixels: int  # of the output, row by row
    stride: int = 1  # rows of the input from one row of the output to the next
    padding: int = 0  # rows above the input
    taps: int = 1  # rows of the input that a row of the output reads


WINDOW = "mobilebench.window"  # annotation of a core block: stride, padding and taps of its rows
SPAN = "mobilebench.span"  # annotation of a shared loop: the span's numbers


def row_span(schedule: s_tir.Schedule, core: Block, pixels: int) -> Span:
    """Return the span of a turn that computes some rows, with what `compute` said of them."""
    return Span(pixels, *(int(number) for number in schedule.get(core).annotations[WINDOW]))


def share_turns(schedule: s_tir.Schedule, loop: Loop, span: Span | None = None) -> None:
    """Allow that the turns of a loop, around which there are loops only, are taken apart.

    Threads share them; with a span, they may also be interleaved with those of neighbours.
    """
    if int(schedule.get(loop).extent) > 1:
        schedule.parallel(loop)
        if span is not None:
            schedule.annotate(loop, SPAN, list(astuple(span)))


def shares_rows(height: int, machine: Machine) -> bool:
    """Whether threads share the rows of an output of some height, and not its channels.

    One rule for all templates, so that a thread finds in its own caches what it reads: with rows,
    all of its input but the rows next to the border; with channels, the input of a depthwise
    convolution. With few rows, shares are uneven, and every thread would read all weights.
    """
    return height >= _LEAST_ROWS * machine.threads


def idle_share(turns: int, machine: Machine) -> float:
    """Return how much longer a shared loop takes than if threads had equal shares, as a factor."""
    return -(-turns // machine.threads) * machine.threads / turns
