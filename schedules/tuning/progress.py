"""How far a search is; light enough to be read where TVM is not loaded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SearchStep:
    """What a step of a search did."""

    kernel: str  # worked on last
    done: int  # trials
    total: int
    best_microseconds: float | None
    default_microseconds: float | None
