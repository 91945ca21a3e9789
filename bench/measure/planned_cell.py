"""A cell of a run before it is measured."""

from dataclasses import dataclass

from mobilebench.bench.bundle.bundle import Bundle
from mobilebench.bench.measure.support import why_not_at_once, why_not_own, why_unsupported
from mobilebench.bench.models.onnx_network import Network
from mobilebench.bench.models.weights import Weights
from mobilebench.reports.records.cell_key import in_words
from mobilebench.targets.catalog.target import Target


@dataclass(frozen=True)
class PlannedCell:
    """A variant on a target with a number of threads, and the runtimes still to be measured."""

    variant: Network
    target: Target
    threads: int
    precision: str
    weights: Weights
    runtimes: tuple[str, ...]
    bundle: Bundle | None = None  # measured instead of a new build
    batch: int = 1  # images of an inference
    streams: int = 1  # instances that run at once

    @property
    def unsupported(self) -> dict[str, str]:
        """The runtimes that have not this precision here, and why."""
        if self.bundle:
            return {}
        reasons = {
            name: why_unsupported(name, self.target, self.precision)
            or why_not_own(name, self.variant)
            or why_not_at_once(name, self.target, self.batch, self.streams)
            for name in self.runtimes
        }
        return {name: reason for name, reason in reasons.items() if reason}

    @property
    def supported(self) -> tuple[str, ...]:
        """The runtimes that can be measured."""
        return tuple(name for name in self.runtimes if name not in self.unsupported)

    @property
    def is_single(self) -> bool:
        """Whether it is about one image at a time: what kernels and memory are looked at for."""
        return self.batch == self.streams == 1

    @property
    def title(self) -> str:
        """Its name in progress messages."""
        settings = in_words(self, ("threads", "precision", "batch", "streams"))
        named = f", {self.weights.label}" if self.weights.sha256 else ""
        return f"{self.variant.name} on {self.target.name}, {settings}{named}"

    @property
    def file_name(self) -> str:
        """The name of its directory, unique among the cells of a run."""
        named = f"-{self.weights.label}" if self.weights.sha256 else ""
        built_for = f"{self.target.name}-{self.threads}-{self.precision}"
        built_for += f"-batch{self.batch}" if self.batch > 1 else ""
        return f"{self.variant.name}-{built_for}{named}"
