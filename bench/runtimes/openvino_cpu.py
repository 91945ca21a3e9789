"""OpenVINO's CPU plug-in on the same ONNX file."""

import numpy as np
import openvino

from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.runtimes.in_process import InProcessRuntime
from mobilebench.bench.runtimes.runtime import Workload


class OpenVino(InProcessRuntime):
    """Tuned for latency: one stream, and float32 even where the CPU has bfloat16."""

    def load(self, workload: Workload, threads: int) -> None:
        """Compile the model for this CPU."""
        compiled = openvino.Core().compile_model(
            str(workload.onnx_path),
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_PRECISION_HINT": "f32",
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
            },
        )
        self._request = compiled.create_infer_request()
        self._input = np.zeros(workload.variant.input_shape, np.float32)
        self._request.set_input_tensor(openvino.Tensor(self._input, shared_memory=True))

    def set_input(self, image: Floats) -> None:
        """Put one input of shape (1, 3, H, W) in place."""
        self._input[:] = image

    def run(self) -> Outputs:
        """Run one inference."""
        self._request.infer()
        return tuple(tensor.data for tensor in self._request.output_tensors)
