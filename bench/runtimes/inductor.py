"""PyTorch compiled by TorchInductor, with weights frozen into the code."""

import torch
from torch._inductor import config

from mobilebench.bench.runtimes.pytorch import TorchRuntime
from mobilebench.bench.runtimes.runtime import Workload


class Inductor(TorchRuntime):
    """`torch.compile` with freezing: constants are folded and weights are packed."""

    def prepare(self, workload: Workload, threads: int) -> None:
        """Compile the model, which takes a minute."""
        super().prepare(workload, threads)
        config.freezing = True
        config.compile_threads = 1  # no pool of compilers that outlives this process
        self._model = torch.compile(self._model)
        self.run()
