"""Every error says what happened and what to do in its first line, with OpenCL's code by name."""

import json
import re
from pathlib import Path

import pytest

from mobilebench.targets.errors import BenchError
from mobilebench.targets.opencl.plugin import OPENCL_VARIABLE, build_plugin
from mobilebench.targets.rpc.local_server import HOST, LocalServer
from mobilebench.targets.toolchains.toolchain import Toolchain
from tests.targets.opencl.conftest import on, run
from tests.targets.opencl.kernels import export, scale

FAULTS = {
    "build": ("clBuildProgram=-11", "launch"),
    "no compiler": ("clBuildProgram=-3", "launch"),
    "group": ("group=64", "launch"),
    "after all that": ("", "launch"),
    "lost": ("clEnqueueNDRangeKernel=-2", "launch"),
    "lost queue": ("clFinish=-36", "sync"),
    "resources": ("clEnqueueNDRangeKernel=-5", "launch"),
    "argument": ("clSetKernelArg=-51", "launch"),
    "no name": ("clEnqueueNDRangeKernel=-9999", "launch"),
    "recorded": ("clWaitForEvents=-14", "recorded"),
    "copy": ("clEnqueueReadBuffer=-5", "copy"),
    "memory": ("clCreateBuffer=-4", "allocate"),
    "host memory": ("clCreateBuffer=-6", "allocate"),
    "too large": ("", "allocate"),
}

_HAS = "bytes on Fake GPU, which has 16777216 and gives one buffer at most 1048576:"
_SMALLER = "there is not so much memory: use a smaller batch or model"
TOLD = {
    "build": "Fake GPU cannot build the module: CL_BUILD_PROGRAM_FAILURE; its compiler's words:",
    "no compiler": "Fake GPU cannot build the module: CL_COMPILER_NOT_AVAILABLE; the driver came "
    "without its compiler: install all of it; its compiler's words:",
    "group": "kernel main_kernel: CL_INVALID_WORK_GROUP_SIZE; its work group is of 256 and Fake "
    "GPU runs at most 64 of it: compile for a target whose max_num_threads is that",
    "after all that": "",
    "lost": "kernel main_kernel: CL_DEVICE_NOT_AVAILABLE; the device is lost: restart the server, "
    "and see dmesg for the driver's word",
    "lost queue": "clFinish: CL_INVALID_COMMAND_QUEUE; the device is lost: restart the server, "
    "and see dmesg for the driver's word",
    "resources": "kernel main_kernel: CL_OUT_OF_RESOURCES; the kernel wants more registers or "
    "local memory than there are, or the device is lost: use smaller tiles, restart the server",
    "argument": "kernel main_kernel, argument 0 of type handle: CL_INVALID_ARG_SIZE",
    "no name": "kernel main_kernel: error -9999",
    "recorded": "kernel main_kernel: CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST; the device is "
    "lost: restart the server, and see dmesg for the driver's word",
    "copy": "a copy: CL_OUT_OF_RESOURCES; the kernel wants more registers or local memory than "
    "there are, or the device is lost: use smaller tiles, restart the server",
    "memory": f"no buffer of 1048576 {_HAS} CL_MEM_OBJECT_ALLOCATION_FAILURE; {_SMALLER}",
    "host memory": f"no buffer of 1048576 {_HAS} CL_OUT_OF_HOST_MEMORY; {_SMALLER}",
    "too large": f"no buffer of 1048580 {_HAS} CL_INVALID_BUFFER_SIZE; {_SMALLER}",
}

_CODE = """
import ctypes, json, os, shutil, sys
import numpy as np, tvm
plugin, library, faults = sys.argv[1:]
ctypes.CDLL(plugin, ctypes.RTLD_GLOBAL)
turn, times = (tvm.get_global_func(f"mobilebench.opencl.{name}")
               for name in ("record_kernels", "kernel_times"))
device = tvm.opencl(0)
x = tvm.runtime.tensor(np.ones(256, np.float32), device)
module = None
def launch():
    global module
    if module is None:  # until one is built
        module = tvm.runtime.load_module(library)
    module["main"](x, 2.0, x)
def recorded():
    turn(1)
    module["main"](x, 2.0, x)
    times()
told = {}
for name, (fault, action) in json.loads(faults).items():
    if name == "after all that":
        shutil.copy(library, library + ".copy.so")
        module = tvm.runtime.load_module(library + ".copy.so")
    size = 2**18 + (name == "too large")
    acts = {
        "launch": launch, "sync": device.sync, "recorded": recorded, "copy": x.numpy,
        "allocate": lambda: tvm.runtime.empty((size,), "float32", device),
    }
    os.environ["FAKE_OPENCL"] = fault
    try:
        acts[action]()
        told[name] = ""
    except Exception as error:
        told[name] = str(error)
    os.environ["FAKE_OPENCL"] = ""
    turn(0)
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(plugin: Path, fake: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what is told of each fault."""
    library = export(scale(256), tmp_path_factory.mktemp("errors") / "kernel.so")
    environment = {OPENCL_VARIABLE: str(fake)}
    return dict(json.loads(run(_CODE, environment, plugin, library, json.dumps(FAULTS))[-1]))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_device_error_is_in_the_first_line(fault: str, told: dict[str, str]) -> None:
    assert told[fault].partition("\n")[0] == (TOLD[fault] and f"OpenCL: {TOLD[fault]}")


def test_the_compiler_log_follows_the_first_line(told: dict[str, str]) -> None:
    assert told["build"].splitlines()[1:] == ["source:1:2: error: no such thing"]


def first_use(plugin: Path, environment: dict[str, str]) -> tuple[bool, str]:
    """Return whether a server has an OpenCL device, and the last line of why it cannot be used."""
    from tvm import rpc

    with LocalServer(1, [plugin], environment) as server:
        device = rpc.connect(HOST, server.port, server.key).device("opencl")
        with pytest.raises(Exception, match="OpenCL: ") as told:
            on(device, [1.0])
        return bool(device.exist), str(told.value).splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("library", "reason"),
    [
        (
            "/nosuch.so",
            r"OpenCL: no library \(/nosuch.so: cannot open .*\); install one "
            r"\(pip install 'mobilebench\[opencl\]', or apt-get install ocl-icd-libopencl1\) or "
            r"name one in MOBILEBENCH_OPENCL",
        ),
        ("libm.so.6", r"OpenCL: the library has no clGetPlatformIDs; it is no OpenCL 1\.2"),
    ],
)
def test_a_machine_without_opencl_says_so(plugin: Path, library: str, reason: str) -> None:
    exists, told = first_use(plugin, {OPENCL_VARIABLE: library})
    assert not exists
    assert re.search(reason, told)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("clGetPlatformIDs=-1001", r" \(CL_PLATFORM_NOT_FOUND_KHR\)"),
        ("clGetDeviceIDs=-1", ""),
    ],
)
def test_opencl_without_a_device_says_where_to_look(
    plugin: Path, fake: Path, fault: str, reason: str
) -> None:
    exists, told = first_use(plugin, {OPENCL_VARIABLE: str(fake), "FAKE_OPENCL": fault})
    assert not exists
    assert re.search(
        f"OpenCL: no device{reason}; is its driver named in /etc/OpenCL/vendors, and may this user",
        told,
    )


@pytest.mark.slow
def test_a_device_without_a_command_queue_is_named(plugin: Path, fake: Path) -> None:
    environment = {OPENCL_VARIABLE: str(fake), "FAKE_OPENCL": "clCreateCommandQueue=-6"}
    assert "OpenCL: a queue of Fake GPU: CL_OUT_OF_HOST_MEMORY" in first_use(plugin, environment)[1]


def test_a_missing_compiler_is_reported(tmp_path: Path) -> None:
    gone = Toolchain("host", ("/nosuch/g++",))
    with pytest.raises(BenchError, match=r"no C\+\+ compiler at /nosuch/g\+\+; install one"):
        build_plugin(gone, tmp_path)


def test_missing_headers_are_reported(tmp_path: Path) -> None:
    preprocessor = Toolchain("host", ("g++", "-DTVM_RUNTIME_DEVICE_API_H_"))  # as with an empty one
    with pytest.raises(BenchError, match=r"g\+\+ .* failed: .*error"):
        build_plugin(preprocessor, tmp_path)
