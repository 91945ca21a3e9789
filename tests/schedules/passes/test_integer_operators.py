from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilebench.bench.quantization.reference import infer
from mobilebench.targets.catalog.instruction_sets import cpu_flags, local_cpuinfo
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.catalog.tvm_target import resolve
from tests.schedules.quantized_graphs import QuantizedGraph

STEP = 0.047  # of the outputs
TARGETS = ("native", "x86-64-v3", "x86-64-v3-vnni", "x86-64-v4")


def stem_and_block(graph: QuantizedGraph) -> str:
    """Return an image's stem, an inverted residual with its addition, and what follows it."""
    stem = graph.convolution(graph.image(), 3, 16, 3, most=6, strides=[2, 2], pads=[1, 1, 1, 1])
    narrow = graph.quantized(graph.convolution(graph.quantized(stem, 0.02, 0), 16, 8), 0.0313, 120)
    wide = graph.quantized(graph.convolution(narrow, 8, 24, most=6), 6 / 255, 0)
    deep = graph.convolution(wide, 24, 24, 3, most=6, group=24, pads=[1, 1, 1, 1])
    projected = graph.convolution(graph.quantized(deep, 0.02, 0), 24, 8)
    total = graph.add(graph.quantized(projected, 0.0267, 131), narrow)
    return graph.quantized(total, STEP, 128)


def strided_depthwise(graph: QuantizedGraph) -> str:
    """Return a depthwise convolution whose border is not 0, as signed bytes."""
    data = graph.convolution(graph.image(), 3, 20, 3, strides=[2, 2], pads=[0, 0, 1, 1])
    signed = graph.quantized(data, 0.02, 9, np.int8)
    around: dict[str, Any] = {"strides": [2, 2], "pads": [1, 1, 1, 1]}
    deep = graph.convolution(signed, 20, 20, 3, group=20, **around)
    return graph.quantized(deep, STEP, 7)


def large_window(graph: QuantizedGraph) -> str:
    """Return a depthwise convolution of 5 x 5."""
    data = graph.quantized(graph.convolution(graph.image(), 3, 16, 3), 0.02, 100)
    deep = graph.convolution(data, 16, 16, 5, group=16, pads=[2, 2, 2, 2])
    return graph.quantized(deep, STEP, 128)


def dilated(graph: QuantizedGraph) -> str:
    """Return a convolution over all channels with a dilation."""
    data = graph.quantized(graph.convolution(graph.image(), 3, 12, 3, most=6), 0.02, 0)
    wide = graph.convolution(data, 12, 20, 3, dilations=[2, 2], pads=[2, 2, 2, 2])
    return graph.quantized(wide, STEP, 128)


def odd_channels(graph: QuantizedGraph) -> str:
    """Return a product of channels that fill no word."""
    data = graph.quantized(graph.convolution(graph.image(), 3, 6, 3), 0.02, 100)
    return graph.quantized(graph.convolution(data, 6, 10), STEP, 128)


def pooled(graph: QuantizedGraph) -> str:
    """Return classes of the mean over all pixels, as floating-point numbers."""
    data = graph.quantized(graph.convolution(graph.image(), 3, 32, 3, most=6), 6 / 255, 0)
    return graph.classifier(graph.quantized(graph.mean(data), 0.01, 3), 32, 10)


def pyramid(graph: QuantizedGraph) -> str:
    """Return enlarged classes of joined branches: the image's mean, and wider and wider windows."""
    data = graph.quantized(graph.convolution(graph.image(), 3, 16, 3), 0.02, 117)
    mean = graph.quantized(graph.mean(data, keepdims=True), 0.01, 120)
    pixel = graph.quantized(graph.relu(graph.convolution(mean, 16, 12)), 0.005, 0)
    branches = [graph.quantized(graph.resize(pixel, 1, 12, 13, 16), 0.0051, 0)]
    for dilation, step in ((4, 0.015), (12, 0.01)):
        around: dict[str, Any] = {"dilations": [dilation] * 2, "pads": [dilation] * 4}
        branch = graph.relu(graph.convolution(data, 16, 20, 3, **around))
        branches.append(graph.quantized(branch, step, 0))
    joined = graph.quantized(graph.concat(*branches), 0.021, 3)
    classes = graph.convolution(joined, 52, 5)
    return graph.resize(classes, 1, 5, 31, 40)


def enlarged(graph: QuantizedGraph) -> str:
    """Return features that were enlarged and joined with finer ones, and convolved again."""
    fine = graph.quantized(graph.convolution(graph.image(), 3, 9, 3, most=6), 0.02, 0)
    coarse = graph.quantized(graph.convolution(fine, 9, 11, 3, strides=[2, 2]), 0.02, 130)
    larger = graph.quantized(graph.resize(coarse, 1, 11, 13, 16), 0.0173, 121)
    joined = graph.quantized(graph.concat(larger, fine), 0.022, 110)
    return graph.quantized(graph.convolution(joined, 20, 10), STEP, 128)


def added_twice(graph: QuantizedGraph) -> str:
    """Return the sum of two tensors that others read too, cut off at 0, with another scale."""
    data = graph.quantized(graph.convolution(graph.image(), 3, 12, 3), 0.02, 120)
    total = graph.quantized(graph.relu(graph.add(data, data)), 0.03, 4)
    other = graph.quantized(total, 0.041, 3)
    return graph.quantized(graph.add(graph.add(other, total), data), STEP, 60)


def reshaped(graph: QuantizedGraph) -> str:
    """Return classes of the mean over all pixels, which was an image of one pixel first."""
    data = graph.quantized(graph.convolution(graph.image(), 3, 32, 3, most=6), 6 / 255, 0)
    mean = graph.quantized(graph.mean(data, keepdims=True), 0.01, 3)
    flat = graph.quantized(graph.reshape(mean, 1, 32), 0.01, 3)
    return graph.classifier(flat, 32, 10)


def signed_around_floats(graph: QuantizedGraph) -> str:
    """Return signed bytes as numbers, after some that a floating-point operator has read."""
    data = graph.quantized(graph.convolution(graph.image(), 3, 12, 3), 0.02, -9, np.int8)
    share = graph.quantized(graph.sigmoid(data), 1 / 255, -128, np.int8)
    return graph.quantized(graph.convolution(share, 12, 10), STEP, 5, np.int8)


NETWORKS = (
    signed_around_floats,
    stem_and_block,
    strided_depthwise,
    large_window,
    dilated,
    odd_channels,
    pooled,
    pyramid,
    enlarged,
    added_twice,
    reshaped,
)


def run(
    path: Path, target_name: str, threads: int, inputs: np.ndarray, precision: str = "int8"
) -> np.ndarray:
    import onnx
    import tvm
    from tvm.relax.frontend.onnx import from_onnx
    from tvm.runtime import vm

    from mobilebench.schedules import pipeline
    from mobilebench.schedules.databases.lookup import Lookup

    target = find_target(target_name)
    handle = tvm.target.Target(resolve(target, threads))
    module = from_onnx(onnx.load(path), keep_params_in_input=False)
    planned = pipeline.plan(pipeline.fuse(module, target, handle, precision), handle, Lookup())
    machine = vm.VirtualMachine(pipeline.build(planned, handle), tvm.cpu())
    return np.concatenate(
        [machine["main"](tvm.runtime.tensor(one[None])).numpy() for one in inputs]
    )


def kernels(path: Path, target_name: str, precision: str = "int8") -> list[str]:
    import onnx
    import tvm
    from tvm import tirx
    from tvm.relax.frontend.onnx import from_onnx

    from mobilebench.schedules import pipeline

    target = find_target(target_name)
    handle = tvm.target.Target(resolve(target))
    fused = pipeline.fuse(
        from_onnx(onnx.load(path), keep_params_in_input=False), target, handle, precision
    )
    return [n.name_hint for n, f in fused.functions_items() if isinstance(f, tirx.PrimFunc)]


@pytest.mark.parametrize(
    "target",
    ["native", *(pytest.param(name, marks=pytest.mark.slow) for name in TARGETS[1:])],
)
@pytest.mark.parametrize("network", NETWORKS)
def test_integers_are_those_of_pytorch(
    network: Callable[[QuantizedGraph], str], target: str, tmp_path: Path
) -> None:
    if not runs_here(target):
        pytest.skip(f"this CPU is no {target}")
    graph = QuantizedGraph((1, 3, 15, 18))
    path = graph.write(tmp_path / "network.onnx", network(graph))
    inputs = np.random.default_rng(1).normal(0, 1, (2, 3, 15, 18)).astype(np.float32)
    steps = np.abs(run(path, target, 1, inputs) - infer(path, inputs)[0]) / STEP
    assert (steps < 0.01).mean() > 0.995
    assert steps.max() < 2.01


TINY_STEP = 1e-11  # of which 32 bits do not count as far as to 0.03


def convolved(graph: QuantizedGraph) -> str:
    """Return bytes that a convolution makes, a third of them negative numbers."""
    return graph.quantized(graph.convolution(graph.image(), 3, 12, 3), 0.02, 120)


BEYOND: dict[str, Callable[[QuantizedGraph], str]] = {
    "product": lambda graph: graph.convolution(convolved(graph), 12, 8),
    "bounded product": lambda graph: graph.convolution(convolved(graph), 12, 8, most=6),
    "rescale": convolved,
    "concat": lambda graph: graph.concat(convolved(graph), convolved(graph)),
    "add": lambda graph: graph.add(convolved(graph), graph.quantized(convolved(graph), 0.0317, 99)),
    "resize": lambda graph: graph.resize(convolved(graph), 1, 12, 26, 32),
    "mean": lambda graph: graph.mean(convolved(graph)),
}


def residual(graph: QuantizedGraph) -> str:
    data = convolved(graph)
    product = graph.convolution(data, 12, 12)
    return graph.add(graph.quantized(product, 0.0173, 131), data)


@pytest.mark.parametrize("kind", [*BEYOND, "residual"])
def test_what_is_beyond_32_bits_saturates_at_the_right_end(kind: str, tmp_path: Path) -> None:
    graph = QuantizedGraph((1, 3, 15, 18))
    made = residual if kind == "residual" else BEYOND[kind]
    path = graph.write(tmp_path / "network.onnx", graph.quantized(made(graph), TINY_STEP, 100))
    inputs = np.random.default_rng(1).normal(0, 1, (2, 3, 15, 18)).astype(np.float32)
    found, expected = run(path, "native", 1, inputs), infer(path, inputs)[0]
    assert {-100, 155} <= set(np.rint(expected / TINY_STEP).ravel().tolist()) | (
        {-100} if kind == "bounded product" else set()
    )
    equal = (np.abs(found - expected) < 0.01 * TINY_STEP).mean()
    # A residual's zero points are large numbers that nearly cancel where both numbers are 0.
    assert equal > 0.99 if kind == "residual" else equal == 1


@pytest.mark.parametrize("value", [3e11, -3e11, 3e30])
def test_an_input_beyond_32_bits_saturates_at_the_right_end(value: float, tmp_path: Path) -> None:
    graph = QuantizedGraph((1, 3, 15, 18))
    path = graph.write(tmp_path / "network.onnx", convolved(graph))
    inputs = np.full((1, 3, 15, 18), value, np.float32)
    steps = np.abs(run(path, "native", 1, inputs) - infer(path, inputs)[0]) / 0.02
    assert steps.max() < 1.01
    assert (steps < 0.01).mean() > 0.99


def runs_here(target_name: str) -> bool:

    return set(find_target(target_name).cpu_flags) <= set(cpu_flags(local_cpuinfo()))


def test_a_block_is_four_kernels_and_an_image(tmp_path: Path) -> None:
    """Nothing but the output is a floating-point number: bias, bounds and residual are inside."""
    graph = QuantizedGraph((1, 3, 16, 16))
    path = graph.write(tmp_path / "network.onnx", stem_and_block(graph))
    found = sorted(name.rstrip("0123456789") for name in kernels(path, "native"))
    assert found == sorted(
        [
            "image_words",
            "stem",
            "pointwise",
            "pointwise",
            "depthwise",
            "pointwise",
            "fused_transpose_dequantize",
        ]
    )


def test_joined_branches_are_bytes_and_the_same_pixel_is_not_repeated(tmp_path: Path) -> None:
    graph = QuantizedGraph((1, 3, 15, 18))
    path = graph.write(tmp_path / "network.onnx", pyramid(graph))
    found = sorted(name.rstrip("0123456789") for name in kernels(path, "native"))
    image, mean, branches = ["image_words", "stem"], ["pooling", "pointwise"], ["convolution"] * 2
    rest = ["rescale", "rescale", "pointwise", "resize"]
    assert found == sorted([*image, *mean, *branches, *rest])


def test_a_network_may_be_deep_where_nothing_has_a_form_for_bytes(tmp_path: Path) -> None:
    """As MobileNetV3 and EfficientNet are, whose activations are no bounds."""
    graph = QuantizedGraph((1, 3, 8, 8))
    data = graph.image()
    for _ in range(300):
        data = graph.quantized(graph.sigmoid(data), 1 / 255, 0)
    found = kernels(graph.write(tmp_path / "network.onnx", data), "native")
    assert any("sigmoid" in name for name in found)


def test_a_product_that_others_read_too_is_not_joined_with_an_addition(tmp_path: Path) -> None:
    graph = QuantizedGraph((1, 3, 16, 16))
    data = graph.quantized(graph.convolution(graph.image(), 3, 8, 3), 0.02, 100)
    once = graph.quantized(graph.convolution(data, 8, 8), 0.02, 100)
    total = graph.quantized(graph.add(once, data), STEP, 128)
    path = graph.write(tmp_path / "network.onnx", total, once)
    assert sum(name.startswith("pointwise") for name in kernels(path, "native")) == 1


@pytest.mark.parametrize("fault", ["border", "zero point", "rounding", "layout", "saturation"])
def test_a_fault_is_further_away_than_the_tolerance(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mobilebench.schedules.operators import requantize
    from mobilebench.schedules.operators.products import Products
    from mobilebench.schedules.passes import dot_products, integer_operators
    from mobilebench.schedules.templates import byte_sums

    if fault == "border":
        monkeypatch.setattr(Products, "beyond", lambda self, data: data[0, 0, 0, 0] * 0)
    elif fault == "zero point":
        scale = integer_operators.Scale
        numbers = integer_operators._channel_numbers
        monkeypatch.setattr(
            integer_operators,
            "_channel_numbers",
            lambda product, to: numbers(product, scale(to.step, to.zero + 2)),
        )
    elif fault == "rounding":
        monkeypatch.setattr(
            requantize, "saturated", lambda value, limits=None: value.astype("int32")
        )
    elif fault == "layout":
        words = byte_sums.weight_words
        monkeypatch.setattr(
            byte_sums,
            "weight_words",
            lambda weight, axis, word: words(np.flip(weight, axis), axis, word),
        )
    else:
        plain = {"vnni": dot_products._byte_by_byte, "pairs": dot_products._half_by_half}

        def saturating(name: str) -> str:
            from tvm import tirx

            def lower(call: Any) -> Any:
                found = plain[name](*call.args[1:])
                return call.args[0] + tirx.max(tirx.min(found, 32767), -32768)

            return dot_products.pure_operator(f"mobilebench_saturating_{name}", lower)

        for name in plain:
            monkeypatch.setitem(dot_products._INSTRUCTIONS, name, saturating(name))
    network = strided_depthwise if fault == "border" else stem_and_block
    graph = QuantizedGraph((1, 3, 15, 18))
    path = graph.write(tmp_path / "network.onnx", network(graph))
    inputs = np.random.default_rng(1).normal(0, 1, (2, 3, 15, 18)).astype(np.float32)
    steps = np.abs(run(path, "native", 1, inputs) - infer(path, inputs)[0]) / STEP
    assert (steps < 0.01).mean() <= 0.995 or steps.max() >= 2.01
