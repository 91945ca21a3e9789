"""What a runtime is to the suite, and which runtimes there are."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

from bench.fidelity import Floats
from bench.models.weights import Weights
from bench.variant import Variant
from targets.errors import unknown


@dataclass(frozen=True)
class Workload:
    """One network in every form that a runtime may want it in."""

    variant: Variant
    weights: Weights
    onnx_path: Path
    library: Path | None = None  # of the artifact; for TVM


@dataclass(frozen=True)
class Usage:
    """Resident memory of the process that runs the model, in bytes; None where unknown."""

    base_rss_bytes: int | None  # fresh, before the model was loaded
    peak_rss_bytes: int | None


class Runtime(Protocol):
    """One way of running a model, alone in its process.

    Methods are called in this order; `load` once.
    """

    def load(self, workload: Workload, threads: int) -> None:
        """Make the model ready to run on that many threads."""

    def infer(self, inputs: Floats) -> Floats:
        """Return outputs (N, classes) for inputs (N, 3, H, W), one at a time."""

    def warm_up(self, seconds: float) -> float:
        """Run for about so long, three times at least; return the last median in milliseconds."""

    def time(self, samples: int) -> list[float]:
        """Return the times of single inferences, in milliseconds."""

    def usage(self) -> Usage:
        """Tell what memory the process took so far."""


@dataclass(frozen=True)
class RuntimeEntry:
    """Where a runtime is implemented and which package brings it."""

    name: str
    factory: str  # module:Class
    package: str  # distribution whose version the record keeps
    extra: str  # of this project; empty if always installed
    why: str

    def version(self) -> str | None:
        """Return the installed version; None if it is not installed."""
        try:
            return version(self.package)
        except PackageNotFoundError:
            return None


TVM = "tvm"
_ENTRIES = (
    RuntimeEntry(TVM, "bench.runtimes.tvm_rpc:TvmRuntime", "apache-tvm", "", "what this is about"),
    RuntimeEntry(
        "torch", "bench.runtimes.pytorch:TorchRuntime", "torch", "", "PyTorch eager, the reference"
    ),
    RuntimeEntry(
        "onnxruntime",
        "bench.runtimes.onnx_runtime:OnnxRuntime",
        "onnxruntime",
        "baselines",
        "ONNX Runtime's CPU provider",
    ),
)
RUNTIMES = {entry.name: entry for entry in _ENTRIES}


def find_runtime(name: str) -> RuntimeEntry:
    """Return a runtime by name; raises BenchError for an unknown one."""
    if name not in RUNTIMES:
        raise unknown("runtime", name, RUNTIMES)
    return RUNTIMES[name]


def installed_runtimes() -> Iterable[str]:
    """Return the names of the runtimes that can be used here."""
    return [name for name, entry in RUNTIMES.items() if entry.version() is not None]
