"""Networks that take the pixels of an image and normalise them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from mobilebench.bench.accuracy.images import normalised
from mobilebench.bench.models.find_weights import own_weights
from mobilebench.bench.models.input_type import check_takes_pixels, input_layout, input_shape
from mobilebench.bench.models.onnx_export import OnnxModel, to_onnx
from mobilebench.bench.models.onnx_in_pytorch.network import infer
from mobilebench.bench.models.onnx_network import NHWC, OTHER
from mobilebench.bench.models.own_network import read_network
from mobilebench.bench.models.pixel_input import pixels_of, with_pixel_input
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.errors import BenchError
from tests.bench.models.own_files import channels_last, classifier

TINY = parse_variant("mobilenet_v2_0.35_32_t1")
SHOWN = Weights().preprocessing(TINY)


@pytest.fixture(scope="module")
def model(cache_dir: Path) -> OnnxModel:
    return to_onnx(TINY, Weights(), cache_dir)


def assert_normalises(pixel_model: OnnxModel, model: OnnxModel, shown: Preprocessing) -> None:
    """The network with pixels puts out what the other does of them when they are normalised."""
    pixels, outputs = pixel_model.reference()
    assert pixels.dtype == np.uint8
    assert pixels.shape[1:] == (shown.height, shown.width, shown.channels)
    inputs = normalised(pixels, shown)
    expected = infer(model.onnx_path, inputs)
    for one, other in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())


def test_it_computes_what_the_network_does_of_normalised_pixels(
    model: OnnxModel, tmp_path: Path
) -> None:
    found = with_pixel_input(model, TINY, SHOWN, tmp_path)
    assert_normalises(found, model, SHOWN)
    (image,) = onnx.load(found.onnx_path).graph.input
    assert image.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [one.dim_value for one in image.type.tensor_type.shape.dim] == [1, 32, 32, 3]
    assert found.input_type == "uint8"
    assert input_shape(TINY, "uint8") == (1, 32, 32, 3)
    assert input_layout(TINY, "uint8") == NHWC


def test_normalised_pixels_become_the_same_pixels_again() -> None:
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    inputs = normalised(pixels, SHOWN).transpose(0, 2, 3, 1)
    assert np.array_equal(pixels_of(inputs, SHOWN), pixels)


def test_equal_requests_give_equal_files(model: OnnxModel, tmp_path: Path) -> None:
    first, again = (with_pixel_input(model, TINY, SHOWN, tmp_path / name) for name in "ab")
    assert first.onnx_path.read_bytes() == again.onnx_path.read_bytes()
    assert first.reference_path.read_bytes() == again.reference_path.read_bytes()


def test_another_normalisation_gives_another_file(model: OnnxModel, tmp_path: Path) -> None:
    other = replace(SHOWN, mean=(0.5, 0.5, 0.5))
    found = [with_pixel_input(model, TINY, one, tmp_path) for one in (SHOWN, other)]
    assert found[0].onnx_sha256 != found[1].onnx_sha256
    assert_normalises(found[1], model, other)


def test_an_own_network_may_take_channels_last(tmp_path: Path) -> None:
    network = read_network(channels_last(tmp_path / "net.onnx"), None, tmp_path)
    weights = own_weights(network)
    found = with_pixel_input(
        to_onnx(network, weights, tmp_path), network, weights.preprocessing(network), tmp_path
    )
    pixels, (outputs,) = found.reference()
    inputs = normalised(pixels, weights.preprocessing(network)).transpose(0, 2, 3, 1)
    (expected,) = infer(to_onnx(network, weights, tmp_path).onnx_path, inputs)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5)


def test_a_network_that_sees_no_pixels_is_refused(tmp_path: Path) -> None:
    network = read_network(classifier(tmp_path / "net.onnx"), None, tmp_path)
    shown = own_weights(network).preprocessing(network)
    check_takes_pixels(network, shown)
    for refused, how, part in (
        (replace(network, task=OTHER), shown, "how pixels become that is not known"),
        (replace(network, layout="", input_shape=(1, 768)), shown, r"takes \[1, 768\]"),
        (network, replace(shown, mean=(0.5,), std=(0.5,)), "mean and std are known of 1;"),
    ):
        with pytest.raises(BenchError, match=part) as refusal:
            check_takes_pixels(refused, how)
        assert "\n" not in str(refusal.value)
