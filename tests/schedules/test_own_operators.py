"""What MobileNetV3 and ResNet have and MobileNetV2 has not, through the whole compiler."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.catalog.tvm_target import resolve

CHANNELS, SIDE = 16, 24


def weight(*shape: int, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal(shape, np.float32)
    return values / np.float32(np.sqrt(np.prod(shape[1:])))


def network(blocks: list[onnx.NodeProto], weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    """Return a stem, then the blocks, from `stem` to `out`."""
    stem = helper.make_node("Conv", ["input", "first"], ["stem"], pads=[1] * 4, strides=[2, 2])
    graph = helper.make_graph(
        [stem, *blocks],
        "network",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, (1, 3, 2 * SIDE, 2 * SIDE))],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, (1, CHANNELS, None, None))],
        [
            numpy_helper.from_array(values, name)
            for name, values in (weights | {"first": weight(CHANNELS, 3, 3, 3, seed=0)}).items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model)


def squeeze_and_excitation() -> onnx.ModelProto:
    nodes = [
        helper.make_node("HardSwish", ["stem"], ["swish"]),
        helper.make_node(
            "Conv", ["swish", "depthwise"], ["d"], pads=[2] * 4, group=CHANNELS, strides=[2, 2]
        ),
        helper.make_node("GlobalAveragePool", ["d"], ["mean"]),
        helper.make_node("Conv", ["mean", "reduce"], ["reduced"]),
        helper.make_node("Relu", ["reduced"], ["positive"]),
        helper.make_node("Conv", ["positive", "expand"], ["expanded"]),
        helper.make_node("HardSigmoid", ["expanded"], ["gate"], alpha=1 / 6),
        helper.make_node("Mul", ["d", "gate"], ["gated"]),
        helper.make_node("Conv", ["gated", "project"], ["out"]),
    ]
    weights = {
        "depthwise": weight(CHANNELS, 1, 5, 5, seed=1),
        "reduce": weight(4, CHANNELS, 1, 1, seed=2),
        "expand": weight(CHANNELS, 4, 1, 1, seed=3),
        "project": weight(CHANNELS, CHANNELS, 1, 1, seed=4),
    }
    return network(nodes, weights)


def residual_with_pooling() -> onnx.ModelProto:
    pool = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}
    nodes = [
        helper.make_node("Relu", ["stem"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["m"], **pool),
        helper.make_node("Conv", ["m", "one"], ["a"], pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Add", ["b", "m"], ["out"]),
    ]
    return network(nodes, {"one": weight(CHANNELS, CHANNELS, 3, 3, seed=1)})


def single_operator() -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["input"], ["out"])],
        "network",
        *(
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 3, 2 * SIDE, 2 * SIDE))]
            for name in ("input", "out")
        ),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def compiled(model: onnx.ModelProto, threads: int, directory: Path) -> tuple[Any, list[str]]:
    """Return the network as a function, and the names of its kernels without a template."""
    import tvm
    from tvm.relax.frontend.onnx import from_onnx
    from tvm.runtime import vm

    from mobilebench.schedules import pipeline
    from mobilebench.schedules.databases.lookup import Lookup
    from mobilebench.schedules.machine import machine_of
    from mobilebench.schedules.native.native_code import TEAM, link_library
    from mobilebench.schedules.params_pool import EMBEDDED, ParamsPool
    from mobilebench.schedules.passes.pool_params import take_params
    from mobilebench.schedules.passes.share_network import is_shared
    from mobilebench.schedules.templates.task import kernels_of
    from mobilebench.targets.toolchains.toolchain import find_toolchain

    target = find_target("native")
    handle = tvm.target.Target(resolve(target, threads))
    fused = pipeline.fuse(from_onnx(model, keep_params_in_input=False), target, handle)
    kernels = [one["name"] for one in kernels_of(fused, machine_of(handle))]
    planned = pipeline.plan(fused, handle, Lookup())
    code, content = take_params(planned)
    library = directory / f"{threads}.so"
    link_library(
        pipeline.build(code, handle),
        library,
        find_toolchain("host"),
        [TEAM] if is_shared(planned) else [],
        pool=ParamsPool(content, EMBEDDED, "float32"),
    )
    machine = vm.VirtualMachine(tvm.runtime.load_module(str(library)), tvm.cpu())

    def run(image: np.ndarray) -> np.ndarray:
        found: np.ndarray = machine["main"](tvm.runtime.tensor(image)).numpy()
        return found

    return run, [name for name in kernels if name.startswith("other ")]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("model", "others"),
    [
        (squeeze_and_excitation(), ["other broadcast", "other transpose"]),
        (residual_with_pooling(), None),
        (single_operator(), None),
    ],
    ids=["squeeze-and-excitation", "pooling", "a single operator"],
)
def test_outputs_are_those_of_onnx(
    model: onnx.ModelProto, others: list[str] | None, threads: int, tmp_path: Path
) -> None:
    image = np.random.default_rng(9).standard_normal((1, 3, 2 * SIDE, 2 * SIDE), np.float32)
    (expected,) = ReferenceEvaluator(model).run(None, {"input": image})
    run, without_template = compiled(model, threads, tmp_path)
    np.testing.assert_allclose(run(image), expected, rtol=1e-4, atol=1e-5)
    if others is not None:
        assert without_template == others
