"""The figures besides latency that are compared between runs, and how much change counts."""

from dataclasses import dataclass
from typing import Literal

from mobilebench.reports.records.record import Record

Change = Literal["better", "worse", "same"]


@dataclass(frozen=True)
class Watched:
    """A column of records; a change counts if it is beyond both limits."""

    column: str
    name: str  # what reports call it
    percent: float = 0.0  # of the smaller of the two values
    least: float = 0.0  # in the column's unit
    more_is_better: bool = False
    noisy: bool = False  # the same code does not give the same number


WATCHED = (
    # Counted; which blocks the allocator finds changes some hundreds of millions by some thousands.
    Watched("instructions", "instructions", percent=0.1),
    # Planned by the compiler, so the same code gives the same number.
    Watched("arena_bytes", "arena", percent=1),
    # Pages that the loader and the allocator happen to touch.
    Watched("peak_rss_bytes", "peak memory", percent=10, least=1e6, noisy=True),
    Watched("artifact_bytes", "artifact", percent=2),
    # One measurement, beside whatever else the host was doing.
    Watched("compile_s", "compile time", percent=50, least=2, noisy=True),
    Watched("top1_percent", "top-1", least=0.5, more_is_better=True),
    Watched("map_percent", "mAP", least=0.5, more_is_better=True),
    Watched("miou_percent", "mIoU", least=0.5, more_is_better=True),
)
OF_IMAGES = ("top1_percent", "map_percent", "miou_percent")


def watched_change(watched: Watched, base: Record, head: Record) -> Change | None:
    """Return how a figure changed; None where one of the two rows does not have it.

    Accuracy is comparable on the same images only.
    """
    before, after = getattr(base, watched.column), getattr(head, watched.column)
    if before is None or after is None:
        return None
    if watched.column in OF_IMAGES and (base.data, base.images) != (head.data, head.images):
        return None
    return change_of(watched, before, after, head.images)


def change_of(watched: Watched, before: float, after: float, images: int) -> Change:
    """Return how a figure changed, given the number of images: one image is no change."""
    least = watched.least
    if watched.column in OF_IMAGES:
        least = max(least, 100 / max(images, 1))
    moved = abs(after - before)
    if moved <= least or moved <= min(before, after) * watched.percent / 100:
        return "same"
    return "better" if (after > before) == watched.more_is_better else "worse"
