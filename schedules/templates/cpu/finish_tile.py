"""The end of a tile: its sums are cleared before, and its outputs written after."""

from tvm import s_tir

from mobilebench.schedules.machine import Machine
from mobilebench.schedules.templates.block import (
    Block,
    Loop,
    lanes_for,
    loops_inside,
    vectorize,
    writes_bytes,
)


def finish_tile(
    schedule: s_tir.Schedule,
    clear: Block,
    output: Block,
    loop: Loop,
    machine: Machine,
    channels: int,
) -> None:
    """Clear the sums and write the channels of an iteration of `loop`, a vector at a time.

    Vectors of bytes may be others than those of sums.
    """
    lanes = machine.vector_floats
    vectorize(schedule, loops_inside(schedule, clear, loop), lanes)
    inside = loops_inside(schedule, output, loop)
    if writes_bytes(schedule, output) and inside:
        lanes = lanes_for(int(schedule.get(inside[-1]).extent), machine.byte_lanes)
    vectorize(schedule, inside, lanes_for(channels, lanes))
