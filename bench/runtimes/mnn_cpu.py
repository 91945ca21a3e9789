"""MNN on its own form of the ONNX file."""

from typing import Any

import MNN
import numpy as np

from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.runtimes.in_process import FileRuntime
from mobilebench.bench.runtimes.model_files import ModelFiles

MODEL = "model.mnn"


class Mnn(FileRuntime):
    """Nothing in half precision ("high" precision), with power and memory settings for speed."""

    def open(self, files: ModelFiles, threads: int) -> None:
        """Load the converted model and make a session."""
        assert files.converted is not None
        self._interpreter = MNN.Interpreter(str(files.converted / MODEL))
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
            for name, shape in files.output_shapes.items()
        ]
        self.set_input(np.zeros(files.input_shape, np.float32))

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
