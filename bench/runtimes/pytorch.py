"""PyTorch eager: what the network is defined in, and the slowest reasonable choice."""

from typing import Any

import torch

from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.onnx_in_pytorch.network import load_network
from mobilebench.bench.models.onnx_network import OnnxNetwork
from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.runtimes.in_process import InProcessRuntime
from mobilebench.bench.runtimes.runtime import Workload


class TorchRuntime(InProcessRuntime):
    """The reference model in inference mode, channels last."""

    def prepare(self, workload: Workload, threads: int) -> None:
        """Build the model and load its weights."""
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        model: Any = _model_of(workload)
        # oneDNN's convolutions run in this layout without reordering.
        # PyTorch documents this way to call `to`, and does not declare it.
        self._model = model.to(memory_format=torch.channels_last)
        self._batch = workload.batch
        self._input = torch.zeros(workload.input_shape)

    def set_input(self, image: Floats) -> None:
        """Put one input of shape (1, 3, H, W) in place."""
        self._input = torch.from_numpy(image)

    def run(self) -> Outputs:
        """Run one inference."""
        with torch.inference_mode():
            outputs = self._model(_channels_last(self._input))
        several = outputs if isinstance(outputs, tuple) else (outputs,)
        return tuple(output.numpy() for output in several)


def _model_of(workload: Workload) -> Any:
    variant = workload.variant
    if isinstance(variant, OnnxNetwork):
        return load_network(workload.onnx_path)
    return load_model(variant, workload.weights)


def _channels_last(image: Any) -> Any:
    return image.contiguous(memory_format=torch.channels_last) if image.dim() == 4 else image
