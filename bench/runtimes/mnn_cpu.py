"""MNN on its own form of the ONNX file."""

from pathlib import Path

import MNN
import numpy as np

from bench.fidelity import Floats
from bench.runtimes.in_process import InProcessRuntime
from bench.runtimes.runtime import Workload
from targets.errors import BenchError

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
        self._output = self._interpreter.getSessionOutput(self._session)
        self.set_input(np.zeros(workload.variant.input_shape, np.float32))

    def set_input(self, image: Floats) -> None:
        """Put one input of shape (1, 3, H, W) in place."""
        kind, layout = MNN.Halide_Type_Float, MNN.Tensor_DimensionType_Caffe
        self._input.copyFrom(MNN.Tensor(image.shape, kind, np.ascontiguousarray(image), layout))

    def run(self) -> Floats:
        """Run one inference; shape (1, classes)."""
        self._interpreter.runSession(self._session)
        shape, layout = self._output.getShape(), MNN.Tensor_DimensionType_Caffe
        zeros = np.zeros(shape, np.float32)
        host = MNN.Tensor(shape, MNN.Halide_Type_Float, zeros, layout)
        self._output.copyToHostTensor(host)
        return np.array(host.getData(), np.float32).reshape(1, -1)
