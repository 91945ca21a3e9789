"""Run the kernels of a block by strips of rows, so that what lies between them is never whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import tvm
import tvm_ffi
from tvm import tirx

from mobilebench.schedules.ir.chunks import find_chunk_loop, part_of, run_chunks
from mobilebench.schedules.ir.rewrite import redirect
from mobilebench.schedules.ir.statements import body_of, statements_of
from mobilebench.schedules.machine import Machine
from mobilebench.schedules.objective import MEMORY
from mobilebench.schedules.passes.merge_kernels import NETWORK
from mobilebench.schedules.templates.cpu.chunks import SPAN, Span
from mobilebench.schedules.templates.task import tensor_bytes

_LENGTH = 3  # kernels of a block: expansion (or stem), depthwise, projection
_PLANAR = 2  # axis of the rows of an image's bytes, which may come before


@dataclass(frozen=True)
class _Stage:
    """A kernel whose chunks may be interleaved with those of its neighbours."""

    statement: Any
    instrumentation: tuple[Any, ...]  # statements that belong to it
    output: Any  # the buffer that it writes
    span: Span
    chunks: int

    @property
    def height(self) -> int:
        """Rows of the output."""
        return int(self.output.shape[self.span.axis])

    @property
    def width(self) -> int:
        """Pixels of a row of the output."""
        return int(self.output.shape[self.span.axis + 1])

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of the output."""
        return tensor_bytes(self.output) // self.height

    def aligned(self) -> bool:
        """Whether chunks begin where rows begin, or a number of them makes a row."""
        pixels, width = self.span.pixels, self.width
        whole = self.chunks * pixels == self.height * width
        return whole and (pixels % width == 0 or width % pixels == 0)

    def rows(self, begin: Any, end: Any) -> tuple[Any, Any]:
        """Return the rows that some chunks write, whole or in part."""
        pixels, width = self.span.pixels, self.width
        return begin * pixels // width, (end * pixels + width - 1) // width

    def needs(self, begin: Any, end: Any, height: int) -> tuple[Any, Any]:
        """Return the rows, of so many, that some chunks read."""
        first, last = self.rows(begin, end)
        span = self.span
        above = first * span.stride - span.padding
        below = (last - 1) * span.stride - span.padding + span.taps
        return _max(above, 0), _min(below, height)

    def chunks_for(self, first: Any, last: Any) -> tuple[Any, Any]:
        """Return the chunks that write some rows."""
        pixels, width = self.span.pixels, self.width
        return first * width // pixels, (last * width + pixels - 1) // pixels


@tvm.transform.module_pass(opt_level=0, name="FuseBlocks")
class FuseBlocks:
    """Interleave the chunks of an expansion, a depthwise convolution and a projection.

    Section 5.1 of the MobileNetV2 paper, by rows instead of channels: a strip of the projection's
    output is computed as soon as the rows that it needs are there, so the expanded tensors are as
    high as a strip and stay in a near cache. Their rows take turns in a small buffer, and no row is
    computed twice; but where the parts of two threads meet, each computes the rows that it needs.

    A block whose expanded tensor fits a core's own cache is as fast kernel by kernel; it is fused
    only if the code is optimized for memory. Strips are then as low as they can be, else as high as
    fits half of that cache. In 8 bits, where all tensors are small, half of it and strips that fit
    the nearest cache are as fast too. The bytes of an image are made strip by strip as well.

    Runs on the merged network with explicit loops.
    """

    def __init__(self, machine: Machine, optimize_for: str) -> None:
        """Take the machine, and which objective its code is made for."""
        self._parts, self._l1_bytes = machine.threads, machine.l1_bytes
        memory = optimize_for == MEMORY
        self._least_bytes = 0 if memory else machine.l2_bytes
        self._strip_bytes = 0 if memory else machine.l2_bytes // 2

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite the network; does nothing where kernels were not merged."""
        names = {name.name_hint: name for name in mod.functions}
        if NETWORK not in names:
            return mod
        network = mod[names[NETWORK]]
        statements = statements_of(network.body)
        allocations = [one for one in statements if isinstance(one, tirx.AllocBuffer)]
        kernels = _by_kernel([one for one in statements if not isinstance(one, tirx.AllocBuffer)])
        body: list[Any] = []
        while kernels:
            length, block = self._first_block(kernels)
            if block is None:
                body += kernels.pop(0)
                continue
            del kernels[:length]
            body += block.statements
            allocations = [one for one in allocations if not _among(one.buffer, block.replaced)]
            allocations += [tirx.AllocBuffer(buffer) for buffer in block.buffers]
        result = tvm.IRModule(dict(mod.functions_items()), attrs=mod.attrs)
        sequence = body_of([*allocations, *body])
        result.update_func(names[NETWORK], network.with_body(sequence))
        return result

    def _first_block(self, kernels: Sequence[list[Any]]) -> tuple[int, "_Block | None"]:
        """Return how many of the first kernels are a block, and the block; None if none are."""
        for length in (_LENGTH + 1, _LENGTH):
            block = self._block([_stage(one) for one in kernels[:length]], kernels[length:])
            if block is not None:
                return length, block
        return 0, None

    def _block(self, stages: Sequence[_Stage | None], rest: Sequence[list[Any]]) -> "_Block | None":
        """Return the block that some kernels make; None if they are none, or better left alone."""
        chain = [stage for stage in stages if stage is not None and stage.aligned()]
        if len(chain) < max(len(stages), _LENGTH) or chain[-2].span.taps == 1:
            return None
        if len(chain) > _LENGTH and chain[0].span.axis != _PLANAR:
            return None
        expanded = chain[-_LENGTH]
        of_bytes = expanded.output.dtype == "uint8"
        least_bytes = self._least_bytes // 2 if of_bytes else self._least_bytes
        if expanded.row_bytes * expanded.height <= least_bytes:
            return None
        for position, (stage, after) in enumerate(pairwise(chain)):
            others = [one.statement for one in chain[position + 2 :]]
            others += [statement for kernel in rest for statement in kernel]
            if not _reads(after.statement, stage.output):
                return None
            if any(_reads(one, stage.output) for one in others):
                return None
        strip_bytes = min(self._strip_bytes, self._l1_bytes) if of_bytes else self._strip_bytes
        return _interleaved(chain, self._parts, strip_bytes)


@dataclass(frozen=True)
class _Block:
    """A loop nest in place of some kernels, with small buffers in place of whole tensors."""

    statements: list[Any]
    buffers: list[Any]
    replaced: list[Any]


def _interleaved(chain: list[_Stage], parts: int, strip_bytes: int) -> _Block:
    chunks, depths = _strip(chain, parts, strip_bytes)
    part, strip = tirx.Var("part", "int64"), tirx.Var("strip", "int64")
    last = chain[-1]
    begin, end = part_of(tirx.const(last.chunks, "int64"), part, parts)
    first = begin + strip * chunks
    ranges = _ranges(chain, strip == 0, first, tirx.min(first + chunks, end))
    whole = [stage.output for stage in chain[:-1]]
    axes = [stage.span.axis for stage in chain[:-1]]
    buffers = [
        tirx.decl_buffer(_with(one.shape, parts, axis, depth), one.dtype, one.name)
        for one, axis, depth in zip(whole, axes, depths, strict=True)
    ]
    body: list[Any] = []
    for stage, (from_chunk, to_chunk) in zip(chain, ranges, strict=True):
        statement = run_chunks(stage.statement, from_chunk, to_chunk)
        for tensor, buffer, axis in zip(whole, buffers, axes, strict=True):
            statement = _by_strips(statement, tensor, buffer, axis, part)
        body.append(statement)
        body += [tirx.IfThenElse(part == 0, call, None) for call in stage.instrumentation]
    strips = (end - begin + chunks - 1) // chunks
    loop = tirx.For(strip, 0, strips, tirx.ForKind.SERIAL, tirx.SeqStmt(body))
    block = tirx.For(part, 0, parts, tirx.ForKind.PARALLEL, loop)
    # Waiting for the other parts counts as the last kernel's.
    statements = [block, *(chain[-1].instrumentation if parts > 1 else ())]
    return _Block(statements, buffers, whole)


def _ranges(chain: list[_Stage], is_first: Any, begin: Any, end: Any) -> list[tuple[Any, Any]]:
    """Return the chunks of each stage in a strip, given those of the last.

    A stage goes on where it was in the strip before; in the first, it begins with what is needed.
    """
    found = [(begin, end)]
    start = begin  # of the part, if this is its first strip
    done, goal = begin, end
    for stage, after in zip(chain[-2::-1], chain[:0:-1], strict=True):
        first, _ = after.needs(start, start + 1, stage.height)
        start, _ = stage.chunks_for(first, first + 1)
        done, goal = (
            stage.chunks_for(0, after.needs(0, chunk, stage.height)[1])[1] for chunk in (done, goal)
        )
        found.append((_choose(is_first, start, done), goal))
    return found[::-1]


def _strip(chain: list[_Stage], parts: int, strip_bytes: int) -> tuple[int, list[int]]:
    """Return how many chunks of the last stage make a strip, and how many rows each buffer has.

    Strips are as high as so many bytes of buffers allow, and at least as high as one row.
    """
    last = chain[-1]
    found: list[tuple[int, list[int]]] = []
    for rows in range(1, last.height + 1):
        chunks = max(1, rows * last.width // last.span.pixels)
        depths = _depths(chain, parts, chunks)
        nbytes = sum(d * s.row_bytes for d, s in zip(depths, chain[:-1], strict=True))
        if found and nbytes > strip_bytes:
            break
        found.append((chunks, depths))
    return found[-1]


def _depths(chain: list[_Stage], parts: int, chunks: int) -> list[int]:
    """Return how many rows of each buffer are needed at once: all strips are walked through."""
    depths = [0] * (len(chain) - 1)
    for part in range(parts):
        begin, end = part_of(chain[-1].chunks, part, parts)
        for first in range(begin, end, chunks):
            ranges = _ranges(chain, first == begin, first, min(first + chunks, end))
            for index, (stage, after) in enumerate(pairwise(chain)):
                written = stage.rows(*ranges[index])[1]
                oldest, _ = after.needs(*ranges[index + 1], stage.height)
                depths[index] = max(depths[index], written - oldest)
    return depths


def _by_strips(statement: Any, whole: Any, buffer: Any, axis: int, part: Any) -> Any:
    """Return a statement in which a buffer of some rows, along an axis, stands for a whole one."""
    depth = int(buffer.shape[axis])

    def to(tensor: Any, old: Sequence[Any]) -> tuple[Any, list[Any]] | None:
        if not tensor.same_as(whole):
            return None
        row = old[axis] if depth >= int(whole.shape[axis]) else tirx.floormod(old[axis], depth)
        return buffer, _with(old, part, axis, row)

    return redirect(statement, to)


def _with(old: Sequence[Any], part: Any, axis: int, row: Any) -> list[Any]:
    """Return extents or indices of a whole tensor with those of a part's rows."""
    return [part, *old[1:axis], row, *old[axis + 1 :]]


def _by_kernel(statements: Sequence[Any]) -> list[list[Any]]:
    """Return the statements of each kernel: its loops, and calls that follow."""
    kernels: list[list[Any]] = []
    for statement in statements:
        if kernels and isinstance(statement, tirx.Evaluate):
            kernels[-1].append(statement)
        else:
            kernels.append([statement])
    return kernels


def _stage(kernel: list[Any]) -> _Stage | None:
    statement, *instrumentation = kernel
    chunks = find_chunk_loop(statement)
    if chunks is None or SPAN not in chunks.annotations:
        return None
    (written,) = _written(chunks)
    span = Span(*(int(number) for number in chunks.annotations[SPAN]))
    return _Stage(statement, tuple(instrumentation), written, span, int(chunks.extent))


def _written(chunks: Any) -> list[Any]:
    """Return the buffers that a nest writes and that were not made inside it."""
    stored: list[Any] = []
    tvm_ffi.structural_walk(chunks, (tirx.BufferStore, lambda node: stored.append(node.buffer)))
    return [one for one in tirx.analysis.undefined_vars(chunks, []) if _among(one, stored)]


def _reads(statement: Any, buffer: Any) -> bool:
    return _among(buffer, tirx.analysis.undefined_vars(statement, []))


def _among(buffer: Any, others: Sequence[Any]) -> bool:
    return any(buffer.same_as(one) for one in others)


def _choose(condition: Any, value: Any, otherwise: Any) -> Any:
    if isinstance(condition, bool):
        return value if condition else otherwise
    return tirx.Select(condition, value, otherwise)


def _min(one: Any, other: int) -> Any:
    return min(one, other) if isinstance(one, int) else tirx.min(one, other)


def _max(one: Any, other: int) -> Any:
    return max(one, other) if isinstance(one, int) else tirx.max(one, other)
