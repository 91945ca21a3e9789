"""MNN's own form of an ONNX file, made by its tools on this machine."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from mobilebench.bench.models.outputs import INPUT_NAME
from mobilebench.bench.runtimes.mnn_cpu import MODEL
from mobilebench.bench.runtimes.runtime import Workload
from mobilebench.targets.errors import BenchError


def convert(workload: Workload, directory: Path, _cache_dir: Path) -> None:
    """Write MNN's model into `directory`; raises BenchError if its converter refuses the file.

    The converter's own command line would install a logging service and report to it, so the
    function behind it is called instead.
    """
    import _tools

    model = directory / MODEL
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
    source, model = workload.converted / MODEL, directory / MODEL
    with TemporaryDirectory(prefix="mobilebench-") as inputs:
        settings = _write_calibration(workload, Path(inputs))
        _tools.mnnquant(["mnnquant", str(source), str(model), str(settings)])
    if not model.exists():
        raise BenchError(f"MNN's quantiser refuses {workload.variant.name}")


def _write_calibration(workload: Workload, directory: Path) -> Path:
    """Write the calibration's inputs as text, as MNN's quantiser reads them, and its settings."""
    variant, samples = workload.variant, directory / "inputs"
    shape = json.dumps({"inputs": [{"name": INPUT_NAME, "shape": list(workload.input_shape)}]})
    count = 0
    for image in workload.calibration_inputs():
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
        "batch_size": 1,  # inputs at once
        "feature_quantize_method": "EMA",
        "weight_quantize_method": "MAX_ABS",
        "quant_bits": 8,
    }
    config = directory / "settings.json"
    config.write_text(json.dumps(settings))
    return config
