"""From a float32 ONNX file to one with QuantizeLinear and DequantizeLinear (QDQ).

Weights are int8, symmetric, with a scale for each output channel; activations uint8 with a scale
and a zero point for each tensor; biases int32. ONNX Runtime's static quantisation places the
operators; the network's outputs stay floating-point numbers.
"""

import json
import logging
import shutil
import time
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import numpy as np

from mobilebench.bench.cache import cached, content_key, file_sha256, source_key
from mobilebench.bench.extras import import_extra
from mobilebench.bench.models.heads import outputs_of
from mobilebench.bench.models.onnx_export import OnnxModel, Quantization
from mobilebench.bench.models.onnx_network import Network
from mobilebench.bench.models.outputs import (
    INPUTS,
    Floats,
    check_finite,
    largest_error,
    save_outputs,
)
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.quantization.calibration import Calibration
from mobilebench.bench.quantization.float_outputs import keep_outputs_float
from mobilebench.bench.quantization.ranges import is_averaged, observe_ranges
from mobilebench.bench.quantization.reference import infer
from mobilebench.targets.errors import BenchError

_MODEL, _REFERENCE, _FACTS = "model.onnx", "reference.npz", "facts.json"
_FLOAT_OUTPUTS = "float_outputs.npz"


def quantize(
    model: OnnxModel,
    variant: Network,
    preprocessing: Preprocessing,
    calibration: Calibration,
    cache_dir: Path,
) -> OnnxModel:
    """Return the quantized network; its reference is what PyTorch makes of it.

    Raises BenchError if a layer's activations have no finite range.
    """
    import_extra("onnxruntime", "baselines")
    key = content_key(
        model.onnx_sha256,
        preprocessing,
        calibration.sha256,
        *map(version, ("onnxruntime", "onnx", "torch")),
        source_key(Path(__file__).parent),
    )

    def fill(directory: Path) -> None:
        start = time.perf_counter()
        inputs = calibration.named_inputs(variant, preprocessing)
        averaged = is_averaged(variant.task)
        write_quantized(model.onnx_path, model.name, inputs, directory / _MODEL, averaged=averaged)
        taken_s = time.perf_counter() - start
        images = np.concatenate(list(islice(calibration.inputs(variant, preprocessing), INPUTS)))
        before, after = (infer(path, images) for path in (model.onnx_path, directory / _MODEL))
        for outputs in (before, after):
            check_finite(
                outputs, outputs_of(variant), f"{model.name} on calibration data", "PyTorch"
            )
        save_outputs(directory / _REFERENCE, outputs_of(variant), after, inputs=images)
        save_outputs(directory / _FLOAT_OUTPUTS, outputs_of(variant), before)
        facts = {"relative_l2_error": largest_error(after, before), "quantize_s": taken_s}
        (directory / _FACTS).write_text(json.dumps(facts))

    directory = cached(cache_dir / "quantized" / f"{model.name}-{key}", fill)
    try:
        facts = json.loads((directory / _FACTS).read_text())
        digest = file_sha256(directory / _MODEL)
    except (OSError, ValueError) as error:
        raise BenchError(
            f"quantized {directory}: {error}; delete it to have it made anew"
        ) from error
    return replace(
        model,
        onnx_path=directory / _MODEL,
        onnx_sha256=digest,
        reference_path=directory / _REFERENCE,
        quantization=Quantization(
            model.onnx_path, calibration.name, directory / _FLOAT_OUTPUTS, **facts
        ),
    )


def write_quantized(
    float_path: Path,
    name: str,
    inputs: Iterable[tuple[str, Floats]],
    path: Path,
    *,
    narrow_weights: bool = False,
    averaged: bool = True,
) -> None:
    """Write the quantized form of a float32 ONNX file of a network; in its directory, notes too.

    `inputs` are images (1, 3, H, W) with what each is called. Narrow weights have 7 bits, so that
    sums of two products with bytes fit into 16 bits; for `averaged` see `is_averaged`. Raises
    BenchError if a layer's activations have no finite range.
    """
    import onnx
    from onnxruntime import quantization

    advice = logging.getLogger()  # it advises to preprocess what has been already
    level = advice.level
    advice.setLevel(logging.ERROR)
    ranges = None
    try:
        # ONNX Runtime writes beside the file that it is given, which others may read meanwhile.
        own_copy = Path(shutil.copy(float_path, path.parent / "float.onnx"))
        ranges = observe_ranges(own_copy, name, inputs, path.parent, averaged=averaged)
        quantization.quantize_static(
            str(own_copy),
            str(path),
            None,
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            reduce_range=narrow_weights,
            weight_type=quantization.QuantType.QInt8,
            activation_type=quantization.QuantType.QUInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
            calibration_cache_path=ranges,
            extra_options={
                "ActivationSymmetric": False,
                "WeightSymmetric": True,
                "CalibMovingAverage": averaged,
            },
        )
    except (AssertionError, ValueError) as error:
        if ranges:
            _check_ranges(ranges, name)
        raise BenchError(f"{name}: cannot be quantized: {error}") from error
    finally:
        advice.setLevel(level)
    own_copy.unlink()
    _check_ranges(ranges, name)
    quantized = onnx.load(path)
    keep_outputs_float(quantized.graph)
    onnx.checker.check_model(quantized, full_check=True)
    path.write_bytes(quantized.SerializeToString(deterministic=True))


def _check_ranges(path: Path, name: str) -> None:
    """Raise BenchError naming the first tensor whose range is empty."""
    from onnxruntime.quantization.calibrate import load_tensors_data

    for tensor, observed in load_tensors_data(path).items():
        least, most = (float(np.asarray(one).item()) for one in observed.range_value)
        if least == most == 0:
            raise BenchError(
                f"{name}: layer {tensor} puts out nothing but 0 in calibration; give images of "
                "the kind that the network was trained on"
            )
