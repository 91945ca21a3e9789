"""OpenCL for a stock TVM: a library beside its runtime, and where it finds OpenCL itself.

The library is loaded in processes that serve RPC, never in the suite's own.
"""

import ctypes.util
import importlib.util
import os
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from mobilebench.targets.errors import BenchError
from mobilebench.targets.toolchains.shared_library import build_once
from mobilebench.targets.toolchains.toolchain import AARCH64_ANDROID, Toolchain

OPENCL_VARIABLE = "MOBILEBENCH_OPENCL"
"""Names the OpenCL library that the plug-in opens; without it, the system's ICD loader."""

INTEL = "libintelocl.so"
_VENDORS = Path("/etc/OpenCL/vendors")
_SOURCE = Path(__file__).with_name("runtime.cc")


def build_plugin(toolchain: Toolchain, cache_dir: Path) -> Path:
    """Return the plug-in's shared library, compiled into `cache_dir` if it is not there yet.

    It is of no use to another TVM than the one whose headers it was compiled with.

    Raises BenchError for a compiler that cannot make one.
    """
    import tvm_ffi

    # Errors pass from the plug-in into TVM, so both need one C++ library, GNU's in TVM's wheels.
    if toolchain.name == AARCH64_ANDROID or "ziglang" in toolchain.compiler:
        raise BenchError(
            f"the OpenCL plug-in cannot be compiled by {' '.join(toolchain.compiler)}: it needs "
            "GNU's C++ library, as TVM's wheels do; apt-get install g++-aarch64-linux-gnu"
        )

    include = [_package("tvm") / "include", Path(tvm_ffi.libinfo.find_include_path())]
    versions = (version("apache-tvm"), tvm_ffi.__version__)
    try:
        return build_once(toolchain, cache_dir / "opencl", [_SOURCE], include, *versions)
    except FileNotFoundError as error:
        raise BenchError(
            f"no C++ compiler at {error.filename}; install one (apt-get install g++) or point CXX "
            "at it"
        ) from error


def find_wheel() -> Path | None:
    """Return the library of `mobilebench[opencl]`, Intel's runtime; None if it is not installed.

    It runs on every x86-64 processor from SSE 4.2 on, AMD's too, and needs no ICD loader.
    """
    try:
        files = distribution("intel-opencl-rt").files or []
    except PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in files if file.name == INTEL)
    return next((path.resolve() for path in found if path.exists()), None)


def opencl_environment() -> dict[str, str]:
    """Return what a server's environment needs beside this one, to find an OpenCL from PyPI.

    It is empty if the variable names one already, if the system has a driver, or if there is none.
    """
    if os.environ.get(OPENCL_VARIABLE) or _system_has_driver():
        return {}
    wheel = find_wheel()
    return {OPENCL_VARIABLE: str(wheel)} if wheel else {}


def _system_has_driver() -> bool:
    """Return whether the system's ICD loader has a driver to load; many have a loader alone."""
    if not ctypes.util.find_library("OpenCL"):
        return False
    named = any(os.environ.get(name) for name in ("OCL_ICD_VENDORS", "OCL_ICD_FILENAMES"))
    return named or any(_VENDORS.glob("*.icd"))


def _package(name: str) -> Path:
    """Return an installed package's folder, without importing it."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"no package {name}")
    return Path(found.origin).parent
