"""The memory of a process that runs a model."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Usage:
    """Memory of the process, in bytes; None where unknown."""

    base_rss_bytes: int | None  # resident when fresh, before the model was loaded
    peak_rss_bytes: int | None
    heap_bytes: int | None  # taken from malloc now

    def __add__(self, other: "Usage") -> "Usage":
        """Return the memory of two processes together."""
        return Usage(
            _sum(self.base_rss_bytes, other.base_rss_bytes),
            _sum(self.peak_rss_bytes, other.peak_rss_bytes),
            _sum(self.heap_bytes, other.heap_bytes),
        )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
