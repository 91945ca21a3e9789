"""Chunks of a kernel: what threads share, and what fused blocks take strip by strip."""

from dataclasses import astuple, dataclass

from tvm import s_tir

from mobilebench.schedules.machine import Machine
from mobilebench.schedules.operators.window import WINDOW
from mobilebench.schedules.templates.block import Block, Loop

_LEAST_ROWS = 4  # of an output, for each thread


@dataclass(frozen=True)
class Span:
    """What one chunk, an iteration of a kernel's shared loop, computes, and what it reads."""

    pixels: int  # of the output, row by row
    stride: int = 1  # rows of the input from one row of the output to the next
    padding: int = 0  # rows above the input
    taps: int = 1  # rows of the input that a row of the output reads
    axis: int = 1  # of the output's rows; columns are counted along the next


SPAN = "mobilebench.span"  # annotation of a shared loop: the span's numbers


def row_span(schedule: s_tir.Schedule, core: Block, pixels: int) -> Span:
    """Return the span of a chunk that computes some rows, with what `compute` said of them."""
    return Span(pixels, *(int(number) for number in schedule.get(core).annotations[WINDOW]))


def share_chunks(schedule: s_tir.Schedule, loop: Loop, span: Span | None = None) -> None:
    """Allow the iterations of a loop, around which there are loops only, to be run as chunks.

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


def idle_share(chunks: int, machine: Machine) -> float:
    """Return how much longer a shared loop takes than if threads had equal shares, as a factor."""
    return -(-chunks // machine.threads) * machine.threads / chunks
