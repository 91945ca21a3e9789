import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilebench.targets.rpc.local_server import HOST, LocalServer
from tests.targets.opencl.conftest import on, run
from tests.targets.opencl.kernels import (
    add_scalars,
    compile_for_opencl,
    export,
    matmul,
    scale,
    shares,
)
from tests.waiting import wait_until

pytestmark = pytest.mark.slow  # a server for each

_NUMBERS = itertools.count()


def load(session: Any, function: Any, directory: Path) -> Any:
    """Send a function to the session; return the module there, with the function as `main`."""
    # A library that is loaded must not be overwritten.
    library = export(function, directory / f"kernel-{next(_NUMBERS)}.so")
    session.upload(str(library))
    return session.load_module(library.name)


@contextmanager
def rewriting(pattern: str, text: str) -> Iterator[None]:
    """Let TVM write other OpenCL C than it would."""
    import tvm_ffi

    name = "tvm_callback_opencl_postproc"
    tvm_ffi.register_global_func(name, lambda code, _target: re.sub(pattern, text, code))
    try:
        yield
    finally:
        tvm_ffi.remove_global_func(name)


def test_device_attributes_are_reported(device: Any) -> None:
    assert device.exist
    assert device.device_name
    assert device.max_threads_per_block >= 1
    assert device.warp_size == 1
    assert device.max_shared_memory_per_block >= 16 * 1024
    assert device.total_global_memory > 0


def test_attributes_unknown_to_opencl_are_none(device: Any) -> None:
    assert device.max_clock_rate is None


def test_a_device_index_beyond_the_last_does_not_exist(session: Any) -> None:
    assert not session.device("opencl", 99).exist
    with pytest.raises(Exception, match="there is no device 99; there are"):
        on(session.device("opencl", 99), [1.0])


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "int64", "uint16"])
def test_data_comes_back_as_it_was(device: Any, dtype: str) -> None:
    import tvm

    data = np.random.default_rng(0).integers(0, 100, (7, 5)).astype(dtype)
    assert np.array_equal(tvm.runtime.tensor(data, device).numpy(), data)


def test_an_empty_tensor_can_be_allocated(device: Any) -> None:
    assert on(device, np.zeros((0, 3))).numpy().shape == (0, 3)


def test_a_part_of_a_buffer_is_copied_both_ways(plugin: Path, environment: dict[str, str]) -> None:
    # Over RPC TVM forgets where a view begins, on every kind of device.
    code = """
import ctypes, sys
import numpy as np, tvm
ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL)
on = lambda values: tvm.runtime.tensor(np.asarray(values, np.float32), tvm.opencl(0))
whole = on(range(16))
view = lambda first: whole._create_view((4,), "float32", relative_byte_offset=4 * first)
print(view(8).numpy().tolist())
view(8).copyfrom(np.zeros(4, np.float32))
on([1, 2, 3, 4]).copyto(view(12))
view(0).copyto(view(4))
print(whole.numpy().tolist())
"""
    part, whole = run(code, environment, str(plugin))
    assert json.loads(part) == [8, 9, 10, 11]
    assert json.loads(whole) == [0, 1, 2, 3, 0, 1, 2, 3, 0, 0, 0, 0, 1, 2, 3, 4]


def test_data_does_not_go_from_device_to_device(session: Any) -> None:
    if not session.device("opencl", 1).exist:
        pytest.skip("there is one OpenCL device only")
    here, there = (on(session.device("opencl", index), [1.0]) for index in range(2))
    with pytest.raises(Exception, match="OpenCL: devices share no memory: copy by way of"):
        here.copyto(there)


def test_each_device_runs_kernels(session: Any, tmp_path: Path) -> None:
    module = load(session, scale(100), tmp_path)
    data = np.arange(100, dtype=np.float32)
    for index in range(2):
        device = session.device("opencl", index)
        if device.exist:
            out = on(device, np.zeros(100))
            module["main"](on(device, data), 3.0, out)
            assert np.array_equal(out.numpy(), 3 * data)


def test_numbers_are_passed_in_the_width_that_is_declared(
    session: Any, device: Any, tmp_path: Path
) -> None:
    values = {"int8": -7, "uint16": 65535, "int32": -100_000, "int64": 2**33, "float32": 0.5}
    module = load(session, add_scalars(list(values)), tmp_path)
    data = np.arange(64, dtype=np.float32)
    out = on(device, np.zeros(64))
    module["main"](on(device, data), *values.values(), out)
    np.testing.assert_allclose(out.numpy(), data + sum(values.values()), rtol=1e-6)


@pytest.mark.parametrize("length", [0, 1, 300])
def test_shapes_may_be_known_at_run_time_only(
    session: Any, device: Any, tmp_path: Path, length: int
) -> None:
    from tvm import te

    module = load(session, scale(te.var("n", "int64")), tmp_path)
    data = np.arange(length, dtype=np.float32)
    out = on(device, np.zeros(length))
    module["main"](on(device, data), 2.0, out)
    assert np.array_equal(out.numpy(), 2 * data)


def test_a_matmul_with_shared_memory_matches_numpy(
    session: Any, device: Any, tmp_path: Path
) -> None:
    function = matmul(128)
    assert "__local" in compile_for_opencl(function).mod.imports[0].inspect_source()
    module = load(session, function, tmp_path)
    a, b = np.random.default_rng(0).standard_normal((2, 128, 128), np.float32)
    out = on(device, np.zeros((128, 128)))
    module["main"](on(device, a), on(device, b), out)
    np.testing.assert_allclose(out.numpy(), a @ b, rtol=1e-4, atol=1e-4)


def test_kernels_of_one_function_share_intermediate_results(
    session: Any, device: Any, tmp_path: Path
) -> None:
    function = shares(70, 30)
    assert "TVMBackendAllocWorkspace" in compile_for_opencl(function).mod.inspect_source()
    module = load(session, function, tmp_path)
    data = np.random.default_rng(0).random((5, 70, 30), np.float32)
    pairs = [(on(device, one), on(device, np.zeros((70, 30)))) for one in data]
    for pair in pairs:
        module["main"](*pair)
    for one, (_, out) in zip(data, pairs, strict=True):
        np.testing.assert_allclose(out.numpy(), one / one.sum(1, keepdims=True), rtol=1e-5)


def test_the_timer_takes_the_device_s_time(session: Any, device: Any, tmp_path: Path) -> None:
    module = load(session, matmul(256), tmp_path)
    tensors = [on(device, np.ones((256, 256))) for _ in range(3)]
    module["main"](*tensors)
    start = time.perf_counter()
    times = module.time_evaluator("main", device, number=2, repeat=5)(*tensors).results
    wall = time.perf_counter() - start
    assert len(times) == 5
    assert min(times) > 0
    assert 2 * sum(times) < wall


def test_a_longer_kernel_takes_longer(session: Any, device: Any, tmp_path: Path) -> None:
    medians = []
    for size in (64, 512):
        module = load(session, matmul(size), tmp_path)
        tensors = [on(device, np.ones((size, size))) for _ in range(3)]
        medians.append(module.time_evaluator("main", device, number=1, repeat=7)(*tensors).median)
    assert medians[1] > 4 * medians[0]


def test_source_that_does_not_compile_is_reported_with_the_log(
    session: Any, device: Any, tmp_path: Path
) -> None:
    with rewriting(r"\{\n", "{\n  abacus += 1;\n"):
        module = load(session, scale(8), tmp_path)
    x = on(device, np.ones(8))
    with pytest.raises(
        Exception, match=r"cannot build the module: CL_BUILD_PROGRAM_FAILURE"
    ) as told:
        module["main"](x, 2.0, x)
    assert "undeclared identifier 'abacus'" in str(told.value)


def test_a_missing_kernel_is_named(session: Any, device: Any, tmp_path: Path) -> None:
    with rewriting("main_kernel", "another"):
        module = load(session, scale(8), tmp_path)
    x = on(device, np.ones(8))
    with pytest.raises(Exception, match=r"kernel main_kernel: CL_INVALID_KERNEL_NAME"):
        module["main"](x, 2.0, x)


def test_a_refused_launch_is_reported_with_the_error_name(
    session: Any, device: Any, tmp_path: Path
) -> None:
    import tvm

    length = 2 * device.max_threads_per_block
    schedule = tvm.s_tir.Schedule(scale(length))
    (loop,) = schedule.get_loops(schedule.get_sblock("out"))
    schedule.bind(loop, "threadIdx.x")  # a work group of all
    module = load(session, schedule.mod["main"].with_attr("tirx.is_scheduled", True), tmp_path)
    x = on(device, np.ones(length))
    with pytest.raises(Exception, match="kernel main_kernel: CL_INVALID_WORK_GROUP_SIZE"):
        module["main"](x, 2.0, x)
        device.sync()


def test_without_the_plug_in_there_is_no_opencl() -> None:
    from tvm import rpc

    with LocalServer() as server:
        assert not rpc.connect(HOST, server.port, server.key).device("opencl").exist


def test_a_stock_server_loads_it(plugin: Path, environment: dict[str, str], tmp_path: Path) -> None:
    from tvm import rpc

    command = [sys.executable, "-m", "tvm.exec.rpc_server", "--host=127.0.0.1", "--port=9600"]
    command += ["--port-end=9699", f"--load-library={plugin}"]
    log = tmp_path / "log"
    with (
        log.open("w") as out,
        subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | environment) as server,
    ):
        try:
            bound = re.compile(r"bind to 127.0.0.1:(\d+)")
            wait_until(lambda: bound.search(log.read_text()), "the server to listen")
            session = rpc.connect(HOST, int(bound.findall(log.read_text())[0]))
            device = session.device("opencl")
            assert device.exist
            out_tensor = on(device, np.zeros(8))
            load(session, scale(8), tmp_path)["main"](on(device, np.ones(8)), 4.0, out_tensor)
            assert np.array_equal(out_tensor.numpy(), np.full(8, 4.0))
        finally:
            import psutil

            for process in psutil.Process(server.pid).children(recursive=True):
                process.kill()
            server.kill()


def test_what_is_compiled_beside_the_plug_in_is_what_the_wheel_compiles(
    plugin: Path, tmp_path: Path
) -> None:
    code = """
import ctypes, sys
import tvm
from tests.targets.opencl.kernels import compile_for_opencl, scale
compile_for_opencl(scale(8)).export_library(f"{sys.argv[2]}/plain.so")
ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL)
compile_for_opencl(scale(8)).export_library(f"{sys.argv[2]}/ours.so")
"""
    run(code, {}, plugin, tmp_path)
    packed = [_packed(tmp_path / name) for name in ("plain.so", "ours.so")]
    assert packed[0] == packed[1]


def _packed(library: Path) -> bytes:
    """Return a library's OpenCL module as it was written."""
    content = library.read_bytes()
    start = content.index(b"opencl", content.index(b"_lib"))
    return content[start : content.index(b"}\n\n", start)]
