from pathlib import Path

import pytest

from mobilebench.bench.models.onnx_export import OnnxModel, to_onnx
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.quantization.calibration import Calibration
from mobilebench.bench.quantization.quantize import quantize

TINY = parse_variant("mobilenet_v2_0.35_32")


@pytest.fixture(scope="session")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> OnnxModel:
    """Return the tiny variant, quantized with noise."""
    cache = tmp_path_factory.mktemp("quantized")
    weights = Weights()
    exported = to_onnx(TINY, weights, cache)
    return quantize(exported, TINY, weights.preprocessing(TINY), Calibration(), cache)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Return a directory of twelve images, two folders deep."""
    from PIL import Image

    folder = tmp_path / "photos" / "holiday"
    folder.mkdir(parents=True)
    for number in range(12):
        Image.new("RGB", (40, 36), (20 * number, 5, 99)).save(folder / f"{number:02}.png")
    return tmp_path / "photos"
