"""ncnn on its own form of the ONNX file."""

import ncnn
import numpy as np

from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.runtimes.in_process import FileRuntime
from mobilebench.bench.runtimes.model_files import ModelFiles

PARAM, BIN = "model.ncnn.param", "model.ncnn.bin"


class Ncnn(FileRuntime):
    """Everything in float32: no half-precision or bfloat16 storage."""

    def open(self, files: ModelFiles, threads: int) -> None:
        """Load the converted model."""
        assert files.converted is not None
        self._net = ncnn.Net()
        options = self._net.opt
        options.num_threads = threads
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
        options.use_bf16_storage = False
        self._net.load_param(str(files.converted / PARAM))
        self._net.load_model(str(files.converted / BIN))
        self._outputs = len(files.output_shapes)
        self.set_input(np.zeros(files.input_shape, np.float32))

    def set_input(self, image: Floats) -> None:
        """Put one input of shape (1, 3, H, W) in place."""
        self._image = np.ascontiguousarray(image[0])  # the Mat below refers to it
        self._input = ncnn.Mat(self._image)

    def run(self) -> Outputs:
        """Run one inference."""
        extractor = self._net.create_extractor()
        extractor.input("in0", self._input)
        found = [extractor.extract(f"out{number}")[1] for number in range(self._outputs)]
        return tuple(np.asarray(output)[None] for output in found)
