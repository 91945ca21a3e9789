"""Loops of kernels that no template knows: vectors of the last axis, shared by threads.

What is computed element by element is, and so are a pool's windows, over which channels go
innermost. There is nothing to tune.
"""

from math import prod
from typing import Any

from tvm import s_tir

from mobilebench.schedules.machine import Machine
from mobilebench.schedules.templates.block import Block, lanes_for
from mobilebench.schedules.templates.cpu.chunks import share_chunks

_LEAST_ELEMENTS = 4096  # below, it does not matter


def schedule_plainly(function: Any, machine: Machine) -> s_tir.Schedule | None:
    """Return a kernel with such loops; None for a small one, and for one that has none."""
    schedule = s_tir.Schedule(function)
    blocks = schedule.get_child_blocks(schedule.get_sblock("root"))
    reductions = [block for block in blocks if _reduces(schedule, block)]
    if len(reductions) > 1 or not blocks:
        return None
    try:
        last = blocks[-1]
        for block in blocks[:-1]:
            if not _reduces(schedule, block):
                schedule.compute_inline(block)
        for block in reductions if _reduces(schedule, last) else [*reductions, last]:
            _make_vectors(schedule, block, machine)
    except RuntimeError:  # TVM's: a kernel of another form
        return None
    return schedule


def _make_vectors(schedule: s_tir.Schedule, block: Block, machine: Machine) -> None:
    axes = schedule.get(block).iter_vars
    extents = [int(axis.dom.extent) for axis in axes]
    summed = [axis.iter_type == axis.CommReduce for axis in axes]
    loops = schedule.get_loops(block)
    if len(loops) != len(extents) or prod(extents) < _LEAST_ELEMENTS:
        return
    spatial = [loop for loop, one in zip(loops, summed, strict=True) if not one]
    taps = [loop for loop, one in zip(loops, summed, strict=True) if one]
    *outer, inner = spatial
    lanes = lanes_for(int(schedule.get(inner).extent), machine.vector_floats)
    before = [loop for loop in outer if int(schedule.get(loop).extent) > 1]
    if taps:
        schedule.reorder(*outer, *taps, inner)
    if lanes > 1:
        _, vector = schedule.split(inner, [None, lanes])
        schedule.vectorize(vector)
    if before:
        share_chunks(schedule, before[0])
    if taps:
        schedule.decompose_reduction(block, taps[0])


def _reduces(schedule: s_tir.Schedule, block: Block) -> bool:
    return any(axis.iter_type == axis.CommReduce for axis in schedule.get(block).iter_vars)
