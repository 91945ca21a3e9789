"""Every GPU template computes what PyTorch computes, with every kind of tile."""

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilebench.targets.catalog.target import Limits, find_target
from mobilebench.targets.catalog.tvm_target import resolve
from mobilebench.targets.rpc.local_server import HOST, LocalServer
from tests.schedules.templates import kernels
from tests.schedules.templates.kernels import Kernel, handle_of

CPU = Limits(subgroup=1, vector_floats=16, compute_units=2)
OTHERS = (
    Limits(subgroup=1, vector_floats=4),
    Limits(subgroup=16, vector_floats=4),
    Limits(subgroup=16, vector_floats=16, work_group=64),
)
CATALOGUE = ("adreno-linux", "mali-linux")
DEVICES = [pytest.param(CPU), *(pytest.param(one, marks=pytest.mark.slow) for one in OTHERS)]
KERNELS: dict[str, Callable[..., Kernel]] = {
    "pointwise of 24 channels": partial(kernels.pointwise, size=(7, 5, 16, 24)),
    "pointwise of prime pixels and 6 inputs": partial(kernels.pointwise, size=(1, 13, 6, 32)),
    "pointwise with a residual": partial(kernels.pointwise, size=(3, 6, 24, 40), residual=True),
    "pointwise of 112 channels": partial(kernels.pointwise, size=(7, 7, 8, 112)),
    "pointwise of 320 channels": partial(kernels.pointwise, size=(2, 2, 8, 320)),
    "depthwise of odd height": partial(kernels.depthwise, size=(7, 8, 24), stride=1),
    "depthwise with stride 2": partial(kernels.depthwise, size=(9, 16, 36), stride=2),
    "stem of odd size": partial(kernels.stem, size=(15, 31), outputs=24),
    "pooling": partial(kernels.pooling, size=(7, 5, 40)),
    "classifier of 1000": partial(kernels.classifier, inputs=40, outputs=1000),
    "convolution, dilated": partial(kernels.convolution, size=(6, 9, 12), outputs=24, dilation=6),
    "convolution of 6 inputs": partial(kernels.convolution, size=(5, 7, 6), outputs=64, dilation=1),
    "classifier of 1001": partial(kernels.classifier, inputs=24, outputs=1001),
}
ITEMS = re.compile(r'T\.thread_binding\((\d+), thread="threadIdx\.(.)"')
PRIVATE = re.compile(r"^  (?:float|half)(\d*) \w+\[(\d+)\];", re.MULTILINE)
SHARED = re.compile(r"__local float \w+\[(\d+)\];")
GATHER = re.compile(r"\[\w+\.s0\]")  # a vector that is loaded float by float
VARIABLE = re.compile(r"_local_ptr(?:\[| \+ )(?!\d+[\],)])")  # no place of its own in registers
_NUMBERS = itertools.count()
Device = tuple[Any, Any]  # a session, and its OpenCL device


def label(limits: Limits) -> str:
    return f"{limits.vector_floats} floats, {limits.subgroup} in step"


def machine_of(handle: Any) -> Any:
    from mobilebench.schedules import machine

    return machine.machine_of(handle)


def scheduled(kernel: Kernel, handle: Any) -> Iterator[tuple[Any, Any]]:
    """Return a kernel's tiles, the default first, each with the scheduled function."""
    from mobilebench.schedules.templates.space import schedule_task, tiles
    from mobilebench.schedules.templates.task import task_of

    machine = machine_of(handle)
    task = task_of(kernel.function, machine)
    assert task is not None
    found = tiles(task, machine)
    assert found
    for tile in found:
        yield tile, schedule_task(task, tile, machine).mod["main"]


def source_of(function: Any, handle: Any) -> str:
    """Return the OpenCL code of a scheduled function."""
    import tvm

    from mobilebench.schedules import pipeline

    built = pipeline.build_kernel(tvm.IRModule({"main": function}), handle)
    (device,) = (module for module in built.mod.imports if module.kind == "opencl")
    return str(device.inspect_source())


@contextmanager
def serving(plugin: Path, environment: dict[str, str]) -> Iterator[Device]:
    from tvm import rpc

    with LocalServer(1, [plugin], environment) as server:
        session = rpc.connect(HOST, server.port, server.key)
        yield session, session.device("opencl")


@pytest.fixture(scope="module")
def device(plugin: Path, environment: dict[str, str]) -> Iterator[Device]:
    """Return the device that is here."""
    with serving(plugin, environment) as found:
        yield found


@pytest.fixture(scope="module")
def half_device(plugin: Path, intel: dict[str, str]) -> Iterator[Device]:
    """Return a device that stores half-precision floats."""
    with serving(plugin, intel) as found:
        yield found


def check(device: Device, kernel: Kernel, handle: Any, directory: Path, tolerance: float) -> None:
    """Run a kernel with each of its tiles."""
    import tvm

    session, opencl = device
    library = directory / f"{next(_NUMBERS)}.so"  # a library that is loaded must not be overwritten
    tiles, functions = zip(*scheduled(kernel, handle), strict=True)
    named = {
        f"tile{number}": function.with_attr("global_symbol", f"tile{number}")
        for number, function in enumerate(functions)
    }
    tvm.compile(tvm.IRModule(named), handle).export_library(str(library))
    session.upload(str(library))
    module = session.load_module(library.name)
    arguments = [tvm.runtime.tensor(one, opencl) for one in kernel.arrays]
    kind = str(kernel.function.params[-1].dtype)
    for name, tile in zip(named, tiles, strict=True):
        unwritten = np.full(kernel.expected.shape, np.nan, kind)
        output = tvm.runtime.tensor(unwritten, opencl)
        module[name](*arguments, output)
        np.testing.assert_allclose(
            output.numpy().astype(np.float32), kernel.expected,
            rtol=tolerance, atol=tolerance, err_msg=str(tile),
        )  # fmt: skip


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("limits", DEVICES, ids=label)
def test_every_tile_matches_pytorch(
    device: Device, limits: Limits, name: str, tmp_path: Path
) -> None:
    handle = handle_of(limits)
    kernel = KERNELS[name](machine_of(handle), half=False)
    check(device, kernel, handle, tmp_path, 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", KERNELS)
def test_every_tile_matches_pytorch_in_float16(
    half_device: Device, name: str, tmp_path: Path
) -> None:
    handle = handle_of(CPU)
    kernel = KERNELS[name](machine_of(handle), half=True)
    assert "float16" in {str(one.dtype) for one in kernel.arrays}
    check(half_device, kernel, handle, tmp_path, 4e-3)


def real(name: str) -> Any:
    import tvm

    return tvm.target.Target(resolve(find_target(name)))


@pytest.mark.parametrize("target", CATALOGUE)
@pytest.mark.parametrize("name", KERNELS)
def test_work_groups_fit_the_device(target: str, name: str) -> None:
    handle = real(target)
    machine = machine_of(handle)
    for tile, function in scheduled(KERNELS[name](machine, half=False), handle):
        assert 1 <= work_items(function) <= machine.work_group, tile


@pytest.mark.parametrize("half", [False, True], ids=["float32", "float16"])
@pytest.mark.parametrize("target", CATALOGUE)
@pytest.mark.parametrize("name", [name for name in KERNELS if "1001" not in name])
def test_default_tile_loads_vectors_and_stays_in_registers(
    target: str, name: str, half: bool
) -> None:
    handle = real(target)
    machine = machine_of(handle)
    _, function = next(scheduled(KERNELS[name](machine, half=half), handle))
    source = source_of(function, handle)
    assert "vload4" in source
    assert not GATHER.search(source)
    assert not VARIABLE.search(source)
    private = sum(int(lanes or 1) * int(length) for lanes, length in PRIVATE.findall(source))
    assert 0 < private <= 2 * machine.registers * machine.vector_floats
    shared = sum(4 * int(length) for length in SHARED.findall(source))
    assert shared <= machine.local_bytes
    if name.startswith("pointwise"):
        assert "if (" not in source


@pytest.mark.parametrize(("target", "outputs"), [("mali-linux", 112), ("adreno-linux", 320)])
def test_every_tile_keeps_weights_in_registers(target: str, outputs: int) -> None:
    handle = real(target)
    kernel = kernels.pointwise(machine_of(handle), half=False, size=(7, 7, 8, outputs))
    for tile, function in scheduled(kernel, handle):
        assert not VARIABLE.search(source_of(function, handle)), tile


def work_items(function: Any) -> int:
    """Return how many work items of a scheduled function are a group."""
    by_axis = {axis: int(extent) for extent, axis in ITEMS.findall(function.script())}
    return prod(by_axis.values())


@pytest.mark.parametrize("limits", [CPU, *OTHERS], ids=label)
@pytest.mark.parametrize("outputs", [24, 112, 1000, 1001])
def test_packing_keeps_all_weights(limits: Limits, outputs: int) -> None:
    from mobilebench.schedules.templates.gpu import pointwise, stem

    machine = machine_of(handle_of(limits))
    weight = np.arange(27 * outputs, dtype=np.float32).reshape(3, 3, 3, outputs) + 1
    planar = pointwise.pack(weight.reshape(27, outputs), machine)
    assert planar.shape[0] * planar.shape[2] == -(-outputs // 4) * 4
    unpacked = planar.transpose(1, 0, 2).reshape(27, -1)
    np.testing.assert_array_equal(unpacked[:, :outputs], weight.reshape(27, outputs))
    assert not unpacked[:, outputs:].any()
    np.testing.assert_array_equal(stem.pack(weight, machine).reshape(planar.shape), planar)
