"""MNN on its own form of the ONNX file."""

from pathlib import Path
from typing import Any

import MNN
import numpy as np

from mobilebench.bench.models.heads import outputs_of
from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.runtimes.in_process import InProcessRuntime
from mobilebench.bench.runtimes.runtime import Workload
from mobilebench.targets.errors import BenchError

_MODEL = "model.mnn"


def convert(workload: Workload, directory: Path, _cache_dir: Path) -> None:
    """Write MNN's model into `directory`; raises BenchError if its converter refuses the file.

    The converter's own command line would install a logging service and report to it, so the
    function behind it is called instead.
    """
    import _tools

    model = directory / _MODEL
    arguments = ["-f", "ONNX", "--modelFile", str(workload.onnx_path), "--MNNModel", str(model)]
    _tools.mnnconvert(["mnnconvert", *arguments, "--bizCode", "mobilebench"])
    if not model.exists():
        raise BenchError(f"MNN's converter refuses {workload.variant.name}")


class Mnn(InProcessRuntime):
    """Float32 ("high" precision), with power and memory settings for speed."""

    def load(self, workload: Workload, threads: int) -> None:
        """Load the converted model and make a session."""
        assert workload.converted is not None
        self._interpreter = MNN.Interpreter(str(workload.converted / _MODEL))
        self._session = self._interpreter.createSession(
            {
                "backend": "CPU",
                "numThread": threads,
                "precision": "high",
                "power": "high",
                "memory": "high",
            }
        )
        self._input = self._interpreter.getSessionInput(self._session)
        self._outputs = [
            (self._interpreter.getSessionOutput(self._session, name), shape)
            for name, shape in outputs_of(workload.variant).items()
        ]
        self.set_input(np.zeros(workload.variant.input_shape, np.float32))

    def set_input(self, image: Floats) -> None:
        """Put one input of shape (1, 3, H, W) in place."""
        kind, layout = MNN.Halide_Type_Float, MNN.Tensor_DimensionType_Caffe
        self._input.copyFrom(MNN.Tensor(image.shape, kind, np.ascontiguousarray(image), layout))

    def run(self) -> Outputs:
        """Run one inference."""
        self._interpreter.runSession(self._session)
        return tuple(_read(output, shape) for output, shape in self._outputs)


def _read(output: Any, shape: tuple[int, ...]) -> Floats:
    zeros = np.zeros(shape, np.float32)
    layout = MNN.Tensor_DimensionType_Caffe
    host = MNN.Tensor(shape, MNN.Halide_Type_Float, zeros, layout)
    output.copyToHostTensor(host)
    return np.array(host.getNumpyData(), np.float32).reshape(shape)
