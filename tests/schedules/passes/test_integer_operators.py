from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilebench.bench.quantization.reference import infer
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.catalog.tvm_target import resolve
from tests.schedules.quantized_graphs import QuantizedGraph

STEP = 0.047  # of the outputs
TARGETS = ("native", "x86-64-v3", "x86-64-v4")


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


NETWORKS = (stem_and_block, strided_depthwise, large_window, dilated, odd_channels, pooled)


def run(path: Path, target_name: str, threads: int, inputs: np.ndarray) -> np.ndarray:
    import onnx
    import tvm
    from tvm.relax.frontend.onnx import from_onnx
    from tvm.runtime import vm

    from mobilebench.schedules import pipeline
    from mobilebench.schedules.databases.lookup import Lookup

    target = find_target(target_name)
    handle = tvm.target.Target(resolve(target, threads))
    module = from_onnx(onnx.load(path), keep_params_in_input=False)
    planned = pipeline.plan(pipeline.fuse(module, target, handle, "int8"), handle, Lookup())
    machine = vm.VirtualMachine(pipeline.build(planned, handle), tvm.cpu())
    return np.concatenate(
        [machine["main"](tvm.runtime.tensor(one[None])).numpy() for one in inputs]
    )


def kernels(path: Path, target_name: str) -> list[str]:
    import onnx
    import tvm
    from tvm import tirx
    from tvm.relax.frontend.onnx import from_onnx

    from mobilebench.schedules import pipeline

    target = find_target(target_name)
    handle = tvm.target.Target(resolve(target))
    fused = pipeline.fuse(
        from_onnx(onnx.load(path), keep_params_in_input=False), target, handle, "int8"
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
    if target == "x86-64-v4" and not runs_here(target):
        pytest.skip("this CPU has no AVX-512")
    graph = QuantizedGraph((1, 3, 15, 18))
    path = graph.write(tmp_path / "network.onnx", network(graph))
    inputs = np.random.default_rng(1).normal(0, 1, (2, 3, 15, 18)).astype(np.float32)
    steps = np.abs(run(path, target, 1, inputs) - infer(path, inputs)[0]) / STEP
    assert (steps < 0.01).mean() > 0.995
    assert steps.max() < 2.01


def runs_here(target_name: str) -> bool:
    from mobilebench.targets.devices.proc_files import cpu_flags
    from mobilebench.targets.rpc.local_server import local_cpuinfo

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
            byte_sums, "weight_words", lambda weight, axis: words(np.flip(weight, axis), axis)
        )
    else:
        plain = dot_products._byte_by_byte

        def saturated(data: Any, weight: Any) -> Any:
            from tvm import tirx

            found = plain(data, weight)
            return tirx.max(tirx.min(found, 32767), -32768)

        instruction = dot_products.pure_operator(
            "mobilebench_saturating", lambda call: call.args[0] + saturated(*call.args[1:])
        )
        monkeypatch.setitem(dot_products._INSTRUCTIONS, "vnni", instruction)
        monkeypatch.setitem(dot_products._INSTRUCTIONS, "pairs", instruction)
    network = strided_depthwise if fault == "border" else stem_and_block
    graph = QuantizedGraph((1, 3, 15, 18))
    path = graph.write(tmp_path / "network.onnx", network(graph))
    inputs = np.random.default_rng(1).normal(0, 1, (2, 3, 15, 18)).astype(np.float32)
    steps = np.abs(run(path, "native", 1, inputs) - infer(path, inputs)[0]) / STEP
    assert (steps < 0.01).mean() <= 0.995 or steps.max() >= 2.01
