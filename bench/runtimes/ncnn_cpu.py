"""ncnn on its own form of the ONNX file, converted by pnnx."""

import subprocess
from pathlib import Path

import ncnn
import numpy as np

from mobilebench.bench.models.heads import outputs_of
from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.runtimes.in_process import InProcessRuntime
from mobilebench.bench.runtimes.runtime import Workload
from mobilebench.targets.errors import BenchError

_PARAM, _BIN = "model.ncnn.param", "model.ncnn.bin"


def convert(workload: Workload, directory: Path, _cache_dir: Path) -> None:
    """Write ncnn's model into `directory`; raises BenchError if pnnx refuses the file."""
    import pnnx

    source = directory / "model.onnx"
    source.write_bytes(workload.onnx_path.read_bytes())
    shape = ",".join(map(str, workload.variant.input_shape))
    command = [pnnx.EXEC_PATH, source.name, f"inputshape=[{shape}]f32", "fp16=0"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not (directory / _BIN).exists():
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise BenchError(f"pnnx cannot convert {workload.variant.name}: {lines[-1]}")
    for file in directory.iterdir():
        if file.name not in (_PARAM, _BIN):
            file.unlink()


class Ncnn(InProcessRuntime):
    """Everything in float32: no half-precision or bfloat16 storage."""

    def load(self, workload: Workload, threads: int) -> None:
        """Load the converted model."""
        assert workload.converted is not None
        self._net = ncnn.Net()
        options = self._net.opt
        options.num_threads = threads
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
        options.use_bf16_storage = False
        self._net.load_param(str(workload.converted / _PARAM))
        self._net.load_model(str(workload.converted / _BIN))
        self._outputs = len(outputs_of(workload.variant))
        self.set_input(np.zeros(workload.variant.input_shape, np.float32))

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
