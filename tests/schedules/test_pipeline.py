from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilebench.bench.measure.fidelity import compare
from mobilebench.bench.models.onnx_export import to_onnx
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.catalog.tvm_target import resolve

NATIVE = find_target("native")
RANDOM = Weights()
OTHER_CPU = "x86-64-v3"
FAST = (  # the first has odd numbers of channels; all other cells are slow
    ("mobilenet_v2_0.1_40_t3", OTHER_CPU),
    ("ssdlite_mobilenet_v2_0.35_64x96", "native"),
)
NETWORKS = (
    "mobilenet_v2_0.35_32",
    "mobilenet_v2_0.35_33",
    "mobilenet_v2_0.75_65x48",
    "mobilenet_v2_0.1_40_t3",
    "mobilenet_v2_1.3_32",
    "mobilenet_v2_0.35_64_t1",
    "mobilenet_v1_0.35_40",
    "ssdlite_mobilenet_v2_0.35_64x96",
    "deeplabv3_mobilenet_v2_0.35_65",
    "deeplabv3_mobilenet_v2_0.5_48x65_os8",
    "deeplabv3_mobilenet_v2_0.35_64_noaspp",
)
CELLS = [
    pytest.param(*cell, marks=[] if cell in FAST else [pytest.mark.slow])
    for cell in product(NETWORKS, ("native", OTHER_CPU))
]


def planned(
    variant_name: str,
    cache_dir: Path,
    target_name: str = "native",
    threads: int = 1,
    *,
    optimize_for: str = "latency",
    weights: Weights = RANDOM,
    precision: str = "float32",
) -> tuple[Any, ...]:
    import onnx
    import tvm
    from tvm.relax.frontend.onnx import from_onnx

    from mobilebench.schedules import pipeline
    from mobilebench.schedules.databases.lookup import Lookup

    exported = to_onnx(parse_variant(variant_name), weights, cache_dir)
    target = find_target(target_name)
    handle = tvm.target.Target(resolve(target, threads))
    module = from_onnx(onnx.load(exported.onnx_path), keep_params_in_input=False)
    fused = pipeline.fuse(module, target, handle, precision)
    return exported, pipeline.plan(fused, handle, Lookup(), optimize_for), handle


@pytest.mark.parametrize(
    ("variant", "count"),
    [
        # 52 convolutions of 30 shapes, the pooling and the classifier; no transpose, no padding.
        ("mobilenet_v2_1.0_224", 32),
        pytest.param("mobilenet_v1_1.0_224", 21, marks=pytest.mark.slow),
        pytest.param("ssdlite_mobilenet_v2_1.0_320", 61, marks=pytest.mark.slow),
        pytest.param("deeplabv3_mobilenet_v2_1.0_129", 40, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("target_name", ["native", "opencl"])
def test_every_kernel_of_a_network_has_a_template(
    cache_dir: Path, variant: str, count: int, target_name: str
) -> None:
    import onnx
    import tvm
    from tvm import tirx
    from tvm.relax.frontend.onnx import from_onnx

    from mobilebench.schedules import pipeline
    from mobilebench.schedules.machine import machine_of
    from mobilebench.schedules.templates.task import task_of

    exported = to_onnx(parse_variant(variant), Weights(), cache_dir)
    target = find_target(target_name)
    handle = tvm.target.Target(resolve(target))
    module = from_onnx(onnx.load(exported.onnx_path), keep_params_in_input=False)
    fused = pipeline.fuse(module, target, handle)
    kernels = [f for f in fused.functions.values() if isinstance(f, tirx.PrimFunc)]
    assert len(kernels) == count
    known = [task_of(kernel, machine_of(handle)) is not None for kernel in kernels]
    # Memory alone sets the pace of these; they have plain loops, or TVM's own schedule on a GPU.
    simple = ("broadcast",) if target_name == "native" else ("broadcast", "resize", "concat")
    others = [name for name in names_of(fused) if any(word in name for word in simple)]
    assert known.count(False) == len(others)


def names_of(fused: Any) -> list[str]:
    from tvm import tirx

    names = [n.name_hint for n, f in fused.functions_items() if isinstance(f, tirx.PrimFunc)]
    return [name.rstrip("0123456789") for name in names]


def test_kernels_are_merged_into_one_and_counted(cache_dir: Path) -> None:
    from tvm import tirx

    from mobilebench.bench.memory.memory_plan import footprint

    _, module, _ = planned("mobilenet_v2_1.0_224", cache_dir)
    assert sum(isinstance(function, tirx.PrimFunc) for function in module.functions.values()) == 1
    assert footprint(module).kernel_count == 32


@pytest.mark.parametrize(
    ("name", "arena_bytes"),
    [
        # The first expansion and what its depthwise convolution makes of it: small enough for a
        # core's own cache, so not fused.
        ("mobilenet_v2_0.35_96", 48 * 48 * 48 * 4 + 24 * 24 * 48 * 4),
    ],
)
def test_arena_is_as_large_as_two_neighbouring_activations(
    cache_dir: Path, name: str, arena_bytes: int
) -> None:
    from mobilebench.bench.memory.memory_plan import footprint

    _, module, _ = planned(name, cache_dir)
    assert footprint(module).arena_bytes == arena_bytes


def test_fused_blocks_shrink_the_arena_most_when_optimized_for_memory(
    cache_dir: Path,
) -> None:
    from mobilebench.bench.memory.memory_plan import footprint
    from mobilebench.schedules.objective import LATENCY, MEMORY

    default, least = (
        footprint(planned("mobilenet_v2_1.0_224", cache_dir, optimize_for=objective)[1]).arena_bytes
        for objective in (LATENCY, MEMORY)
    )
    expansion = 112 * 112 * 96 * 4
    between_blocks = 112 * 112 * 16 * 4 + 56 * 56 * 24 * 4
    assert between_blocks < least < default < expansion / 3


def distance_from_pytorch(exported: Any, module: Any, handle: Any) -> float:
    """Return the relative error of what a planned module computes once it is compiled."""
    import tvm
    from tvm.runtime import vm

    from mobilebench.schedules import pipeline

    machine = vm.VirtualMachine(pipeline.build(module, handle), tvm.cpu())
    inputs, reference = exported.reference()
    found = []
    for one in inputs:
        outputs = machine["main"](tvm.runtime.tensor(one[None]))
        several = outputs if hasattr(outputs, "__len__") else (outputs,)
        found.append([output.numpy() for output in several])
    outputs = tuple(map(np.concatenate, zip(*found, strict=True)))
    return compare(outputs, reference).relative_l2_error


@pytest.mark.slow
def test_a_strided_input_is_refused(cache_dir: Path) -> None:
    """It would be read as what it is not."""
    import torch
    import tvm
    import tvm_ffi
    from tvm.runtime import vm

    from mobilebench.schedules import pipeline

    _, module, handle = planned("mobilenet_v2_0.35_32", cache_dir)
    machine = vm.VirtualMachine(pipeline.build(module, handle), tvm.cpu())
    image = torch.randn(1, 32, 32, 3).permute(0, 3, 1, 2)
    with pytest.raises(ValueError, match="compact"):
        machine["main"](tvm_ffi.from_dlpack(image, require_contiguous=False))
    compact = tvm_ffi.from_dlpack(image.contiguous(), require_contiguous=True)
    assert machine["main"](compact).numpy().shape == (1, 1000)


@pytest.mark.parametrize(("name", "target"), CELLS)
def test_compiled_network_matches_pytorch(cache_dir: Path, name: str, target: str) -> None:
    assert distance_from_pytorch(*planned(name, cache_dir, target)) < 1e-5


@pytest.mark.slow
def test_network_with_tensorflow_padding_matches_pytorch(cache_dir: Path) -> None:
    same = Weights(padding="same")
    compiled = planned("mobilenet_v2_0.35_64_t1", cache_dir, weights=same)
    assert distance_from_pytorch(*compiled) < 1e-5
