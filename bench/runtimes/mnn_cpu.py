"""MNN on its own form of the ONNX file."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import MNN
import numpy as np

from mobilebench.bench.models.heads import outputs_of
from mobilebench.bench.models.onnx_export import INPUT_NAME
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


def quantize(workload: Workload, directory: Path, _cache_dir: Path) -> None:
    """Write what MNN's quantiser makes of its float32 model; raises BenchError if it refuses that.

    MNN does not read quantized ONNX files with a scale for each channel.
    """
    import _tools

    assert workload.converted is not None
    source, model = workload.converted / _MODEL, directory / _MODEL
    with TemporaryDirectory(prefix="mobilebench-") as inputs:
        settings = _write_calibration(workload, Path(inputs))
        _tools.mnnquant(["mnnquant", str(source), str(model), str(settings)])
    if not model.exists():
        raise BenchError(f"MNN's quantiser refuses {workload.variant.name}")


def _write_calibration(workload: Workload, directory: Path) -> Path:
    """Write the calibration's inputs as text, as MNN's quantiser reads them, and its settings."""
    assert workload.calibration
    variant, samples = workload.variant, directory / "inputs"
    shape = json.dumps({"inputs": [{"name": INPUT_NAME, "shape": list(variant.input_shape)}]})
    count = 0
    for image in workload.calibration.inputs(variant, workload.preprocessing):
        sample = samples / f"{count:03}"
        sample.mkdir(parents=True)
        (sample / "input.json").write_text(shape)
        image.tofile(sample / f"{INPUT_NAME}.txt", sep=" ", format="%.6g")
        count += 1
    settings = {
        "path": f"{samples}/",
        "input_type": "sequence",
        "used_sample_num": count,
        "width": variant.width,
        "height": variant.height,
        "batch_size": 1,
        "feature_quantize_method": "EMA",
        "weight_quantize_method": "MAX_ABS",
        "quant_bits": 8,
    }
    config = directory / "settings.json"
    config.write_text(json.dumps(settings))
    return config


class Mnn(InProcessRuntime):
    """Nothing in half precision ("high" precision), with power and memory settings for speed."""

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
