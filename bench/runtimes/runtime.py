"""The interface of runtimes, and the list of all runtimes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mobilebench.bench.models.heads import outputs_of
from mobilebench.bench.models.input_type import FLOATS, input_shape
from mobilebench.bench.models.onnx_network import Network, Shape, of_batch
from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.runtimes.model_files import ModelFiles
from mobilebench.bench.runtimes.stretch import Stretch
from mobilebench.bench.runtimes.usage import Usage
from mobilebench.schedules.precision import FLOAT16, FLOAT32, INT8
from mobilebench.targets.errors import unknown

if TYPE_CHECKING:
    from mobilebench.bench.quantization.calibration import Calibration


@dataclass(frozen=True)
class Workload:
    """One network in every form that a runtime may want it in."""

    variant: Network
    weights: Weights
    onnx_path: Path  # at int8 the quantised graph
    library: Path | None = None  # of the artifact; for TVM
    params_path: Path | None = None  # its external weights, if it has any
    converted: Path | None = None  # directory of the model in the runtime's own form
    precision: str = FLOAT32
    batch: int = 1  # images of an inference
    input_type: str = FLOATS  # that the library takes; one of INPUT_TYPES
    # At int8, for runtimes that quantise by themselves:
    float_onnx_path: Path | None = None
    calibration: "Calibration | None" = None
    saturates: bool = False  # the device's CPU, in sums of products of bytes (`saturation.py`)

    @property
    def input_shape(self) -> Shape:
        """The shape of what the library takes."""
        return of_batch(input_shape(self.variant, self.input_type), self.batch)

    @property
    def preprocessing(self) -> Preprocessing:
        """How images become inputs."""
        return self.weights.preprocessing(self.variant)

    @property
    def files(self) -> ModelFiles:
        """The files of the network, and what a program has to know of it."""
        outputs = outputs_of(self.variant).items()
        return ModelFiles(
            self.onnx_path,
            self.converted,
            of_batch(self.variant.input_shape, self.batch),
            {name: of_batch(shape, self.batch) for name, shape in outputs},
        )

    def calibration_inputs(self) -> "Iterator[Floats]":
        """Yield the calibration's inputs, as many at once as a batch has.

        Those that are left over are left out, unless there are fewer than a batch.
        """
        assert self.calibration
        inputs = list(self.calibration.inputs(self.variant, self.preprocessing))
        given = inputs * -(-self.batch // len(inputs))
        for first in range(0, len(given) - self.batch + 1, self.batch):
            yield np.concatenate(given[first : first + self.batch])


class Runtime(Protocol):
    """One way of running a model, alone in its process.

    Methods are called in this order; `load` once.
    """

    def load(self, workload: Workload, threads: int) -> float:
        """Make the model ready to run on that many threads; return the milliseconds it took.

        They are counted inside the process, from files to a model that is ready for an input.
        """
        ...

    def first_inference_ms(self) -> float:
        """Return the milliseconds that one inference takes on the input in place, the first one."""
        ...

    def infer(self, inputs: Floats) -> Outputs:
        """Return outputs (N, ...) for inputs (N, 3, H, W), a batch at a time."""
        ...

    def warm_up(self, seconds: float) -> float:
        """Run for about so long, three times at least; return the last median in milliseconds."""
        ...

    def time(self, samples: int) -> list[float]:
        """Return the times of single inferences, in milliseconds."""
        ...

    def sustain(self, inferences: int, frames_per_s: float) -> Stretch:
        """Run under load: one inference after the other, or each when a frame comes (above 0)."""
        ...

    def instructions(self) -> int | None:
        """Return how many instructions an inference executes on one thread; None if uncounted."""
        ...

    def usage(self) -> Usage:
        """Tell what memory the process took so far."""
        ...

    def notes(self) -> str:
        """Tell how the loaded model is run, for readers of the row; empty if nothing is known."""
        ...


@dataclass(frozen=True)
class RuntimeEntry:
    """Where a runtime is implemented and which package brings it."""

    name: str
    factory: str  # module:Class
    package: str  # distribution whose version the record keeps
    extra: str  # of this project; empty if always installed
    why: str
    tools: str = ""  # module with `convert` and `quantize`; empty: the factory's own
    converters: tuple[str, ...] | None = None  # what `convert` needs, if there is one
    by_default: bool = True  # measured wherever it is installed
    precisions: tuple[str, ...] = (FLOAT32,)  # that it is measured at
    takes_onnx: bool = True  # or else what PyTorch exports for it
    quantizes: bool = False  # there is `quantize`, for what it runs at int8
    on_boards: bool = False  # measured there too, in the board's own Python
    why_not_int8: str = ""  # a reason, where people may expect it
    why_not_batched: str = ""  # a reason, if it takes one image at a time

    def version(self) -> str | None:
        """Return the installed version; None if it, or its converter, is not installed."""
        try:
            versions = [version(package) for package in (self.package, *(self.converters or ()))]
        except PackageNotFoundError:
            return None
        return versions[0]


TVM = "tvm"
ENTRY = "main"  # of its libraries
_HERE = __package__
_ENTRIES = (
    RuntimeEntry(
        TVM,
        f"{_HERE}.tvm_rpc:TvmRuntime",
        "apache-tvm",
        "",
        "what this is about",
        precisions=(FLOAT32, FLOAT16, INT8),
    ),
    RuntimeEntry(
        "torch",
        f"{_HERE}.pytorch:TorchRuntime",
        "torch",
        "",
        "PyTorch eager, the reference",
    ),
    RuntimeEntry(
        "inductor",
        f"{_HERE}.inductor:Inductor",
        "torch",
        "",
        "PyTorch compiled by TorchInductor; a minute a model",
        by_default=False,
    ),
    RuntimeEntry(
        "onnxruntime",
        f"{_HERE}.onnx_runtime:OnnxRuntime",
        "onnxruntime",
        "baselines",
        "ONNX Runtime's CPU provider",
        precisions=(FLOAT32, INT8),
        quantizes=True,
        tools=f"{_HERE}.onnxruntime_tools",
        on_boards=True,
    ),
    RuntimeEntry(
        "openvino",
        f"{_HERE}.openvino_cpu:OpenVino",
        "openvino",
        "baselines",
        "OpenVINO's CPU plug-in",
        precisions=(FLOAT32, INT8),
        quantizes=True,
    ),
    RuntimeEntry(
        "ncnn",
        f"{_HERE}.ncnn_cpu:Ncnn",
        "ncnn",
        "baselines",
        "ncnn, converted by pnnx",
        converters=("pnnx",),
        why_not_batched="its blobs have no axis for several images",
        why_not_int8="its Python package has no quantiser, and it knows no QuantizeLinear",
        tools=f"{_HERE}.ncnn_tools",
        on_boards=True,
    ),
    RuntimeEntry(
        "mnn",
        f"{_HERE}.mnn_cpu:Mnn",
        "MNN",
        "baselines",
        "MNN",
        converters=(),
        precisions=(FLOAT32, INT8),
        quantizes=True,
        tools=f"{_HERE}.mnn_tools",
        on_boards=True,
    ),
    RuntimeEntry(
        "litert",
        f"{_HERE}.litert_cpu:LiteRt",
        "ai-edge-litert",
        "litert",
        "LiteRT (TensorFlow Lite) with XNNPACK",
        takes_onnx=False,
        converters=(),
        precisions=(FLOAT32, INT8),
        quantizes=True,
        tools=f"{_HERE}.litert_tools",
        on_boards=True,
    ),
)
RUNTIMES = {entry.name: entry for entry in _ENTRIES}


def find_runtime(name: str) -> RuntimeEntry:
    """Return a runtime by name; raises BenchError for an unknown one."""
    if name not in RUNTIMES:
        raise unknown("runtime", name, RUNTIMES)
    return RUNTIMES[name]


def default_runtimes(precisions: Iterable[str]) -> Iterable[str]:
    """Return the runtimes that are measured here when none is named.

    These are the installed ones that have one of the precisions.
    """
    asked = set(precisions)
    return [
        name
        for name, entry in RUNTIMES.items()
        if entry.by_default and asked.intersection(entry.precisions) and entry.version()
    ]
