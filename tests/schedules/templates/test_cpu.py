"""The CPU templates of larger windows compute what PyTorch computes, with every kind of tile."""

import platform
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilebench.schedules.machine import Machine, machine_of
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.catalog.tvm_target import resolve
from mobilebench.targets.toolchains.toolchain import find_toolchain

TARGETS = ["native", "x86-64-v3"]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape, np.float32)


def handle_of(target: str) -> Any:
    import tvm

    return tvm.target.Target(resolve(find_target(target)))


def cpu_of(handle: Any) -> Machine:
    machine = machine_of(handle)
    assert isinstance(machine, Machine)
    return machine


def run_all_tiles(function: Any, handle: Any, *arrays: np.ndarray) -> list[np.ndarray]:
    """Return what a kernel writes, by tile."""
    import tvm

    from mobilebench.schedules import pipeline
    from mobilebench.schedules.templates.space import schedule_task, tiles
    from mobilebench.schedules.templates.task import task_of

    machine = machine_of(handle)
    task = task_of(function, machine)
    assert task is not None
    shape = [int(extent) for extent in function.params[-1].shape]
    found = []
    for tile in tiles(task, machine):
        kernel = schedule_task(task, tile, machine).mod["main"].with_attr("global_symbol", "main")
        built = pipeline.build_kernel(tvm.IRModule({"main": kernel}), handle)
        output = tvm.runtime.tensor(np.full(shape, np.nan, np.float32))
        built["main"](*map(tvm.runtime.tensor, arrays), output)
        found.append(output.numpy())
    assert found
    return found


def run_on_two_threads(function: Any, directory: Path, *arrays: np.ndarray) -> np.ndarray:
    """Return what a kernel with its default tile writes if threads share its chunks."""
    import tvm

    from mobilebench.schedules import pipeline
    from mobilebench.schedules.native.native_code import TEAM, link_library
    from mobilebench.schedules.templates.space import default_tile, schedule_task
    from mobilebench.schedules.templates.task import task_of

    target = find_target("native")
    handle = tvm.target.Target(resolve(target, threads=2))
    machine = machine_of(handle)
    task = task_of(function, machine)
    assert task is not None
    kernel = schedule_task(task, default_tile(task, machine), machine).mod
    assert "T.parallel(" in kernel.script()
    library = directory / "kernel.so"
    executable = pipeline.build_kernel(kernel, handle)
    link_library(executable, library, find_toolchain(target.toolchain), [TEAM])
    shape = [int(extent) for extent in function.params[-1].shape]
    output = tvm.runtime.tensor(np.full(shape, np.nan, np.float32))
    module = tvm.runtime.load_module(str(library))
    module[pipeline.kernel_entry(machine)](*map(tvm.runtime.tensor, arrays), output)
    found: np.ndarray = output.numpy()
    return found


@pytest.mark.parametrize(
    ("target", "size", "outputs", "stride", "dilation"),
    [
        ("native", (9, 9), 32, 1, 2),
        # Taps at the right and the left see padding alone.
        pytest.param("native", (7, 11), 24, 1, 6, marks=pytest.mark.slow),
        ("x86-64-v3", (5, 6), 16, 1, 1),
        pytest.param("x86-64-v3", (9, 8), 40, 2, 1, marks=pytest.mark.slow),
    ],
)
def test_every_convolution_tile_matches_pytorch(
    target: str, size: tuple[int, int], outputs: int, stride: int, dilation: int
) -> None:
    handle = handle_of(target)
    function, arrays, expected = convolution(handle, size, outputs, stride, dilation)
    for found in run_all_tiles(function, handle, *arrays):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(9, 9), (3, 12)], ids=["rows", "channels"])
def test_convolution_on_two_threads_matches_pytorch(tmp_path: Path, size: tuple[int, int]) -> None:
    """They share rows, or channels where rows are few; the padded copy is a kernel before it."""
    function, arrays, expected = convolution(handle_of("native"), size, 48, 1, 2)
    found = run_on_two_threads(function, tmp_path, *arrays)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def convolution(
    handle: Any, size: tuple[int, int], outputs: int, stride: int, dilation: int
) -> tuple[Any, list[np.ndarray], np.ndarray]:
    """Return a 3x3 convolution with bias and ReLU, its arguments, and what PyTorch computes."""
    import torch
    from tvm import te, topi

    from mobilebench.schedules.operators import convolution as operator
    from mobilebench.schedules.operators.window import Window
    from mobilebench.schedules.templates.cpu import convolution as template

    inputs = 12
    data, weight, bias = noise(1, *size, inputs), noise(3, 3, inputs, outputs), noise(outputs)
    packed = template.pack(weight, cpu_of(handle))
    padding = (dilation, dilation, dilation, dilation)
    arguments = [
        te.placeholder(one.shape, "float32", name=f"argument{number}")
        for number, one in enumerate((data, packed, bias))
    ]
    window = ((stride, stride), padding, (dilation, dilation))
    skippable = template.SKIPS_PADDING
    product = operator.compute(
        arguments[0], arguments[1], outputs, Window(*window), skippable=skippable
    )
    function = te.create_prim_func([*arguments, topi.nn.relu(topi.add(product, arguments[2]))])
    expected = torch.nn.functional.conv2d(
        torch.from_numpy(data).permute(0, 3, 1, 2),
        torch.from_numpy(weight).permute(3, 2, 0, 1),
        torch.from_numpy(bias),
        stride,
        dilation,
        dilation,
    )
    return function, [data, packed, bias], expected.relu().permute(0, 2, 3, 1).numpy()


def test_taps_outside_the_image_are_skipped() -> None:
    """With a dilation larger than the image only the middle tap sees it; others may be anything."""
    from tvm import te

    from mobilebench.schedules.operators import convolution as operator
    from mobilebench.schedules.operators.window import Window
    from mobilebench.schedules.templates.cpu import convolution as template

    handle = handle_of("native")
    data, weight = noise(1, 6, 6, 8), np.full((3, 3, 8, 16), np.inf, np.float32)
    weight[1, 1] = noise(8, 16)
    packed = template.pack(weight, cpu_of(handle))
    packed[np.isnan(packed)] = 0
    arguments = [te.placeholder(one.shape, "float32") for one in (data, packed)]
    window = ((1, 1), (12, 12, 12, 12), (12, 12))
    product = operator.compute(arguments[0], arguments[1], 16, Window(*window), skippable=True)
    function = te.create_prim_func([*arguments, product])
    for found in run_all_tiles(function, handle, data, packed):
        np.testing.assert_allclose(found, data @ weight[1, 1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize(
    ("size", "out_size"),
    [
        ((3, 3), (33, 33)),
        ((2, 5), (17, 80)),
        ((9, 9), (65, 129)),
        ((5, 4), (7, 6)),
        ((4, 6), (4, 6)),
    ],
)
def test_resize_matches_pytorch(
    target: str, align_corners: bool, size: tuple[int, int], out_size: tuple[int, int]
) -> None:
    import torch
    from tvm import te

    from mobilebench.schedules.operators import resize as operator

    handle, data = handle_of(target), noise(1, *size, 21)
    rows = operator.Enlarging(size[0], out_size[0], align_corners)
    columns = operator.Enlarging(size[1], out_size[1], align_corners)
    tables = [*rows.neighbours(), columns.bands(machine_of(handle).vector_floats)]
    arguments = [
        te.placeholder(one.shape, str(one.dtype), name=f"argument{number}")
        for number, one in enumerate((data, *tables))
    ]
    features, first, share, bands = arguments
    planes = operator.compute(features, first, share, bands, out_size[1], align_corners)
    function = te.create_prim_func([*arguments, planes])
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(data).permute(0, 3, 1, 2), out_size, mode="bilinear",
        align_corners=align_corners,
    )  # fmt: skip
    (found,) = run_all_tiles(function, handle, data, *tables)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sizes", [[(4, 5, 3), (2, 3, 6), (1, 1, 6)], [(3, 3, 2)]])
def test_concat_writes_maps_one_after_the_other(sizes: list[tuple[int, int, int]]) -> None:
    from tvm import te

    from mobilebench.schedules.operators import concat as operator

    values = 7
    maps = [noise(1, height, width, anchors * values) for height, width, anchors in sizes]
    arguments = [
        te.placeholder(one.shape, "float32", name=f"argument{number}")
        for number, one in enumerate(maps)
    ]
    function = te.create_prim_func([*arguments, operator.compute(*arguments, values=values)])
    (found,) = run_all_tiles(function, handle_of("native"), *maps)
    expected = np.concatenate([one.reshape(1, -1, values) for one in maps], axis=1)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("target", TARGETS)
def test_pointwise_tries_tiles_that_end_with_rows(target: str) -> None:
    """Where no tile divides a row, tiles in rows are among those that are tried."""
    from tvm import te

    from mobilebench.schedules.operators import pointwise as operator
    from mobilebench.schedules.templates.cpu import pointwise as template
    from mobilebench.schedules.templates.space import tiles
    from mobilebench.schedules.templates.task import task_of

    handle, size = handle_of(target), (1, 5, 37, 8)
    machine = cpu_of(handle)
    data, weight = noise(*size), noise(8, 40)
    packed = template.pack(weight, machine)
    arguments = [te.placeholder(one.shape, "float32") for one in (data, packed)]
    function = te.create_prim_func([*arguments, operator.compute(arguments[0], arguments[1], 40)])
    task = task_of(function, machine)
    assert task is not None
    assert any(tile.in_rows for tile in tiles(task, machine))
    for found in run_all_tiles(function, handle, data, packed):
        np.testing.assert_allclose(found, data @ weight, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(4, 6, 16, 24), (5, 5, 24, 16), (1, 3, 8, 32)])
def test_pairs_of_pixels_give_every_pixel_s_sums(size: tuple[int, int, int, int]) -> None:
    """Pairs may be more than there are pixels, so that they fill tiles of registers."""
    import tvm
    from tvm import te

    from mobilebench.schedules.operators import byte_matrix as operator
    from mobilebench.schedules.templates.cpu import byte_matrix as template

    height, width, inputs, outputs = size
    machine = cpu_of(handle_of("neoverse-v1"))
    assert template.fits(height * width, inputs, outputs, machine)
    pairs = template.whole_pairs(height * width, inputs, outputs, machine)
    random = np.random.default_rng(3)
    data = random.integers(-128, 128, (1, height, width, inputs), np.int8)
    weight = random.integers(-128, 128, (inputs, outputs), np.int8)
    packed = template.pack(operator.weight_rows(weight))
    arguments = [te.placeholder(one.shape, "int8") for one in (data, packed)]
    sums = operator.compute(*arguments, outputs, pairs)
    built = tvm.compile(te.create_prim_func([*arguments, sums]), handle_of("native"))
    found = tvm.runtime.tensor(np.zeros((1, height, width, outputs), np.int32))
    built["main"](*map(tvm.runtime.tensor, (data, packed)), found)
    np.testing.assert_array_equal(found.numpy(), data.astype(np.int32) @ weight.astype(np.int32))


@pytest.mark.parametrize(
    ("target", "size", "expected"),
    [
        ("neoverse-v1", (49, 96, 24), True),
        ("neoverse-v1", (1, 96, 24), False),  # half of a matrix would be of no use
        ("neoverse-v1", (49, 100, 24), False),
        ("neoverse-v1", (49, 96, 21), False),
        ("neoverse-v1", (49, 96, 8), False),
        ("neoverse-n1", (49, 96, 24), False),
        ("native", (49, 96, 24), False),
    ],
)
def test_matrices_are_multiplied_where_they_are_whole(
    target: str, size: tuple[int, int, int], expected: bool
) -> None:
    """Without the instruction, or for few outputs, words of four bytes are as fast."""
    from mobilebench.schedules.templates.cpu import byte_matrix as template

    if target == "native" and platform.machine() != "x86_64":
        pytest.skip("an Arm processor may have the instruction")
    assert template.fits(*size, cpu_of(handle_of(target))) is expected


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("size", [(14, 14, 96, 576), (7, 7, 48, 80), (3, 3, 24, 40)])
def test_every_tile_of_matrices_has_its_instruction(
    size: tuple[int, int, int, int], threads: int
) -> None:
    """Threads share rows, or channels where rows are few."""
    import tvm
    from tvm import te

    from mobilebench.schedules import pipeline
    from mobilebench.schedules.operators import byte_matrix as operator
    from mobilebench.schedules.templates.cpu import byte_matrix as template
    from mobilebench.schedules.templates.space import schedule_task, tiles
    from mobilebench.schedules.templates.task import task_of

    height, width, inputs, outputs = size
    handle = tvm.target.Target(resolve(find_target("neoverse-v1"), threads))
    machine = cpu_of(handle)
    pairs = template.whole_pairs(height * width, inputs, outputs, machine)
    shapes = (1, height, width, inputs), (outputs // 8, inputs // 8, 8, 8)
    arguments = [te.placeholder(one, "int8") for one in shapes]
    sums = operator.compute(*arguments, outputs, pairs)
    task = task_of(te.create_prim_func([*arguments, sums]), machine)
    assert task is not None
    assert task.title == f"pointwise {height}x{width}x{outputs} over {inputs}"
    assert task.macs == height * width * inputs * outputs
    for tile in tiles(task, machine)[:4]:
        kernel = schedule_task(task, tile, machine).mod
        assert threads == 1 or "T.parallel(" in kernel.script()
        assert "smmla" in pipeline.build_kernel(kernel, handle).mod.inspect_source("asm")
