"""A cell of a run before it is measured."""

from dataclasses import dataclass

from mobilebench.bench.bundle.bundle import Bundle
from mobilebench.bench.models.variant import Variant
from mobilebench.bench.models.weights import Weights
from mobilebench.schedules.precision import FLOAT32
from mobilebench.targets.catalog.target import Target


@dataclass(frozen=True)
class PlannedCell:
    """A variant on a target with a number of threads, and the runtimes still to be measured."""

    variant: Variant
    target: Target
    threads: int
    precision: str
    weights: Weights
    runtimes: tuple[str, ...]
    bundle: Bundle | None = None  # what is measured, if it was exported before

    @property
    def title(self) -> str:
        """What progress calls it."""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        half = f", {self.precision}" if self.precision != FLOAT32 else ""
        named = f", {self.weights.label}" if self.weights.sha256 else ""
        return f"{self.variant.name} on {self.target.name}, {threads}{half}{named}"

    @property
    def file_name(self) -> str:
        """What a directory of it is called; no other cell of a run has the same."""
        named = f"-{self.weights.label}" if self.weights.sha256 else ""
        built_for = f"{self.target.name}-{self.threads}-{self.precision}"
        return f"{self.variant.name}-{built_for}{named}"
