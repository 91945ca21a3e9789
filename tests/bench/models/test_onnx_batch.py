from pathlib import Path

import numpy as np
import onnx
import pytest

from mobilebench.bench.models.onnx_batch import with_batch
from mobilebench.bench.models.onnx_export import to_onnx
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.errors import BenchError
from tests.bench.networks import Network


@pytest.mark.parametrize(
    "name",
    ["mobilenet_v2_0.35_32_t1", "ssdlite_mobilenet_v2_0.35_32", "deeplabv3_mobilenet_v2_0.35_33"],
)
def test_a_batch_through_the_file_has_pytorch_s_answers(cache_dir: Path, name: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = to_onnx(parse_variant(name), Weights(), cache_dir)
    inputs, expected = model.reference()
    path = with_batch(model.onnx_path, len(inputs), cache_dir)
    onnx.checker.check_model(str(path), full_check=True)
    found = onnxruntime.InferenceSession(str(path)).run(None, {"input": inputs})
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_a_network_that_mixes_its_images_is_refused(tmp_path: Path) -> None:
    network = Network(2, 4, 4)
    flat = network.layer("Reshape", ["input", network.weight(np.array([32, 1], np.int64))])
    path = network.save(tmp_path / "network.onnx", flat)
    model = onnx.shape_inference.infer_shapes(onnx.load(path), data_prop=True)
    onnx.save(model, path)
    with pytest.raises(BenchError, match=r"network\.onnx: with --batch 3 its outputs .* leave out"):
        with_batch(path, 3, tmp_path)
