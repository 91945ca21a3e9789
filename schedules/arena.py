"""Where in one piece of memory each buffer of a network may lie."""

from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 64  # bytes: a cache line, and the widest vector


@dataclass(frozen=True)
class Lifetime:
    """A buffer: its size, and the first and last step that touches it."""

    size: int  # bytes
    first: int
    last: int

    def overlaps(self, other: "Lifetime") -> bool:
        """Whether both are needed in some step."""
        return self.first <= other.last and other.first <= self.last


def plan(lifetimes: Sequence[Lifetime], shared: bool = False) -> list[int]:
    """Return each buffer's offset in bytes, aligned; buffers alive together do not overlap.

    Largest first, each in the tightest gap that fits (Pisarchyk and Lee, arXiv 2001.03288,
    "greedy by size for offset calculation"). In a shared arena, a buffer's middle lies where
    another's does if that takes no more room: threads take the first and the last part of every
    buffer, and what a thread has just had in its cache is not written by another then.
    """
    offsets: dict[int, int] = {}
    middles: list[int] = []
    top = 0
    for index in sorted(range(len(lifetimes)), key=lambda i: (-lifetimes[i].size, i)):
        buffer = lifetimes[index]
        size = aligned(buffer.size)
        taken = sorted(
            (offset, offset + aligned(lifetimes[other].size))
            for other, offset in offsets.items()
            if buffer.overlaps(lifetimes[other])
        )
        offset = _tightest_gap(taken, buffer.size)
        top = max(top, offset + size)
        for middle in middles:
            begin = middle - aligned(size // 2)
            free = all(begin + size <= start or begin >= stop for start, stop in taken)
            if free and begin >= 0 and begin + size <= top:
                offset = begin
                break
        if shared:
            middles.append(offset + aligned(size // 2))
        offsets[index] = offset
    return [offsets[index] for index in range(len(lifetimes))]


def total_bytes(lifetimes: Sequence[Lifetime], offsets: Sequence[int]) -> int:
    """Return how large the arena must be."""
    ends = (at + aligned(one.size) for one, at in zip(lifetimes, offsets, strict=True))
    return max(ends, default=0)


def _tightest_gap(taken: Sequence[tuple[int, int]], size: int) -> int:
    best, best_room, end = -1, 0, 0
    for start, stop in taken:
        room = start - end
        if room >= size and (best < 0 or room < best_room):
            best, best_room = end, room
        end = max(end, stop)
    return best if best >= 0 else end


def aligned(size: int) -> int:
    """Return the bytes that a buffer of a size takes, up to where the next one may begin."""
    return -(-size // ALIGNMENT) * ALIGNMENT
