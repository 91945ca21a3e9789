"""LiteRT (TensorFlow Lite) with XNNPACK on a flatbuffer."""

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.runtimes.in_process import FileRuntime
from mobilebench.bench.runtimes.model_files import ModelFiles

MODEL = "model.tflite"


class LiteRt(FileRuntime):
    """The XNNPACK delegate, which is LiteRT's default on CPUs."""

    def open(self, files: ModelFiles, threads: int) -> None:
        """Load the converted model."""
        assert files.converted is not None
        model = str(files.converted / MODEL)
        self._interpreter = Interpreter(model_path=model, num_threads=threads)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        details = self._interpreter.get_output_details()
        self._outputs = [one["index"] for one in sorted(details, key=lambda one: one["name"])]
        self.set_input(np.zeros(files.input_shape, np.float32))

    def set_input(self, image: Floats) -> None:
        """Put one input of shape (1, 3, H, W) in place."""
        self._interpreter.set_tensor(self._input, np.ascontiguousarray(image.transpose(0, 2, 3, 1)))

    def run(self) -> Outputs:
        """Run one inference."""
        self._interpreter.invoke()
        return tuple(self._interpreter.get_tensor(index) for index in self._outputs)
