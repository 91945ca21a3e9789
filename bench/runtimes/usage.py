"""The memory of a process that runs a model."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Usage:
    """Memory of the process, in bytes; None where unknown."""

    base_rss_bytes: int | None  # resident when fresh, before the model was loaded
    peak_rss_bytes: int | None
    heap_bytes: int | None  # taken from malloc now
