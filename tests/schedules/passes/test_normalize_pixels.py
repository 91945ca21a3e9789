"""Networks that take pixels: how they become planes of numbers, or words of bytes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from mobilebench.bench.models.onnx_in_pytorch.network import infer
from mobilebench.bench.models.pixel_input import write_with_pixels
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.schedules.ir.pixels import NormalisedPixels, to_bytes
from mobilebench.schedules.ir.quantized import Scale
from tests.bench.networks import Network
from tests.schedules.passes.test_integer_operators import TARGETS, kernels, run, runs_here
from tests.schedules.quantized_graphs import QuantizedGraph

STEP = 0.047  # of the outputs
HEIGHT, WIDTH = 15, 37  # two vectors and some pixels


def shown(channels: int) -> Preprocessing:
    mean, std = (0.485, 0.456, 0.406, 0.5)[:channels], (0.229, 0.224, 0.225, 0.25)[:channels]
    return Preprocessing(HEIGHT, WIDTH, None, mean, std)


def images(channels: int) -> np.ndarray:
    size = (2, HEIGHT, WIDTH, channels)
    return np.random.default_rng(1).integers(0, 256, size, np.uint8)


def stem(graph: QuantizedGraph, channels: int, **attributes: Any) -> str:
    wide = graph.convolution(graph.image(), channels, 16, 3, **attributes)
    return graph.quantized(wide, STEP, 128)


PADDINGS: dict[str, Callable[[QuantizedGraph, int], str]] = {
    "symmetric": lambda graph, channels: stem(
        graph, channels, strides=[2, 2], pads=[1, 1, 1, 1], most=6
    ),
    "right and bottom": lambda graph, channels: stem(
        graph, channels, strides=[2, 2], pads=[0, 0, 1, 1]
    ),
    "none": stem,
}


@pytest.mark.parametrize(
    "target",
    ["native", *(pytest.param(name, marks=pytest.mark.slow) for name in TARGETS[1:])],
)
@pytest.mark.parametrize(
    ("padding", "channels"),
    [("symmetric", 3), ("right and bottom", 3), ("none", 3), ("symmetric", 1), ("symmetric", 4)],
)
def test_bytes_of_pixels_are_those_of_pytorch(
    padding: str, channels: int, target: str, tmp_path: Path
) -> None:
    if not runs_here(target):
        pytest.skip(f"this CPU is no {target}")
    graph = QuantizedGraph((1, channels, HEIGHT, WIDTH))
    floats = graph.write(tmp_path / "floats.onnx", PADDINGS[padding](graph, channels))
    write_with_pixels(floats, shown(channels), tmp_path / "pixels.onnx")
    inputs = images(channels)
    found = run(tmp_path / "pixels.onnx", target, 1, inputs)
    steps = np.abs(found - infer(tmp_path / "pixels.onnx", inputs)[0]) / STEP
    assert (steps < 0.01).mean() > 0.999
    assert steps.max() < 1.01
    names = kernels(tmp_path / "pixels.onnx", target)
    assert not any("image_planes" in name for name in names)
    assert len(names) == len(kernels(floats, target))


def first_layer(channels: int, path: Path, *, last: bool) -> Path:
    """Write a network of one convolution, of channels that come first or last."""
    network = Network(channels, HEIGHT, WIDTH)
    random = np.random.default_rng(0)
    weight = network.weight(random.normal(size=(8, channels, 3, 3)).astype(np.float32))
    data = "input"
    if last:
        network = Network(HEIGHT, WIDTH, channels)
        network.weight(random.normal(size=(8, channels, 3, 3)).astype(np.float32))
        data = network.layer("Transpose", ["input"], perm=[0, 3, 1, 2])
    wide = network.layer("Conv", [data, weight], strides=[2, 2], pads=[1, 1, 1, 1])
    return with_shapes(network.save(path, wide))


def with_shapes(path: Path) -> Path:
    """Let a network tell the shapes of its outputs, as every exporter does."""
    onnx.save(onnx.shape_inference.infer_shapes(onnx.load(path)), path)
    return path


@pytest.mark.parametrize("target", ["native", pytest.param("x86-64-v3", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("channels", "last"), [(3, False), (3, True), (1, False), (4, False)])
def test_planes_of_pixels_are_made_by_one_kernel(
    channels: int, last: bool, target: str, tmp_path: Path
) -> None:
    if not runs_here(target):
        pytest.skip(f"this CPU is no {target}")
    floats = first_layer(channels, tmp_path / "floats.onnx", last=last)
    path = tmp_path / "pixels.onnx"
    write_with_pixels(floats, shown(channels), path, last=last)
    inputs = images(channels)
    found, (expected,) = run(path, target, 1, inputs, "float32"), infer(path, inputs)
    assert np.linalg.norm(found - expected) < 1e-6 * np.linalg.norm(expected)
    names = sorted(name.rstrip("0123456789") for name in kernels(path, target, "float32"))
    without = [one.rstrip("0123456789") for one in kernels(floats, target, "float32")]
    without = [one for one in without if not last or "stem" not in one]
    assert "image_planes" in names
    assert any("stem" in name for name in names)
    assert last or names == sorted(["image_planes", *without])


def test_other_uses_of_pixels_are_left_alone(tmp_path: Path) -> None:
    """Numbers that differ from pixel to pixel are no normalisation."""
    network = Network(3, HEIGHT, WIDTH)
    each = network.weight(np.random.default_rng(0).normal(size=(1, 3, HEIGHT, 1)).astype("float32"))
    moved = network.layer("Add", ["input", each])
    weight = network.weight(np.ones((8, 3, 3, 3), np.float32))
    saved = network.save(tmp_path / "floats.onnx", network.layer("Conv", [moved, weight]))
    floats = with_shapes(saved)
    path = tmp_path / "pixels.onnx"
    write_with_pixels(floats, shown(3), path)
    inputs = images(3)
    found, (expected,) = run(path, "native", 1, inputs, "float32"), infer(path, inputs)
    assert np.linalg.norm(found - expected) < 1e-6 * np.linalg.norm(expected)


@pytest.mark.parametrize(("mean", "least", "most"), [(0.5, -1, 1), (0.485, -2.118, 2.249)])
def test_pixels_become_the_bytes_that_the_graph_says(
    mean: float, least: float, most: float
) -> None:
    """With mean 0.5 and the whole range, all lie halfway but for what numbers are rounded by."""
    std = mean if mean == 0.5 else 0.229
    factor, addend = np.float32(1 / (255 * std)), -np.float32(mean / std)
    step = np.float32((most - least) / 255)
    for zero in (int(np.rint(-least / step)), int(-least / step)):
        scale = Scale(float(step), zero)
        pixels = NormalisedPixels(None, np.array([factor] * 3), np.array([addend] * 3))
        numbers = to_bytes(pixels, scale).astype(np.float64)
        values = np.arange(256)[:, None] * numbers[0] + numbers[1]
        found = np.clip(np.rint(values.astype(np.float32)), 0, 255)
        exact = (np.arange(256) * np.float64(factor) + np.float64(addend)) / scale.step
        expected = np.clip(np.rint(exact) + zero, 0, 255)
        assert np.array_equal(found, expected[:, None].repeat(3, 1))
