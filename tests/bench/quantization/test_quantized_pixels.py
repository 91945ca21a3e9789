"""Quantized networks that take the pixels of an image."""

from pathlib import Path

import numpy as np
import pytest

from mobilebench.bench.accuracy.images import normalised
from mobilebench.bench.models.onnx_export import OnnxModel
from mobilebench.bench.models.onnx_in_pytorch.network import infer
from mobilebench.bench.models.pixel_input import with_pixel_input
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights


def test_quantized_networks_keep_the_float32_one_of_the_same_pixels(
    quantized: OnnxModel, tmp_path: Path
) -> None:
    variant = parse_variant(quantized.name)
    shown = Weights().preprocessing(variant)
    found = with_pixel_input(quantized, variant, shown, tmp_path)
    assert found.quantization
    assert quantized.quantization
    pixels, (outputs,) = found.reference()
    assert np.array_equal(infer(found.onnx_path, pixels)[0], outputs)
    expected = infer(quantized.quantization.float_onnx_path, normalised(pixels, shown))
    in_float = found.float_outputs()
    assert in_float
    np.testing.assert_allclose(in_float[0], expected[0], rtol=1e-4, atol=1e-6)
    error = np.linalg.norm(outputs - in_float[0]) / np.linalg.norm(in_float[0])
    assert found.quantization.relative_l2_error == pytest.approx(error, rel=1e-5)
