"""OpenCL for a stock TVM: a library beside its runtime, and where it finds OpenCL itself.

The library is loaded in processes that serve RPC, never in the suite's own.
"""

import ctypes.util
import importlib.util
import os
import sys
from importlib.metadata import version
from pathlib import Path

from targets.errors import BenchError
from targets.shared_library import build_once
from targets.toolchain import AARCH64_ANDROID, Toolchain

OPENCL_VARIABLE = "MOBILEBENCH_OPENCL"
"""Names the OpenCL library that the plug-in opens; without it, the system's ICD loader."""

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


def find_icd_loader() -> Path | None:
    """Return the ICD loader in pyopencl's wheel; None if that is not installed."""
    libraries = _pyopencl_libraries()
    return next(iter(sorted(libraries.glob("libOpenCL-*.so*"))), None) if libraries else None


def opencl_environment() -> dict[str, str]:
    """Return what a server's environment needs beside this one, to find an OpenCL from PyPI.

    It is empty if the variable or the system names one already, or if there is none: Intel's
    runtime for processors, or PoCL behind pyopencl's ICD loader.
    """
    if os.environ.get(OPENCL_VARIABLE) or ctypes.util.find_library("OpenCL"):
        return {}
    intel = Path(sys.prefix) / "lib" / "libintelocl.so"
    if intel.exists():
        return {OPENCL_VARIABLE: str(intel)}
    loader, libraries = find_icd_loader(), _pyopencl_libraries()
    if loader is None or libraries is None:
        return {}
    # That loader crashes without the first, and finds the wheel's PoCL by the second.
    found = {OPENCL_VARIABLE: str(loader), "PYOPENCL_HOME": str(libraries.parent)}
    pocl = sorted(libraries.glob("libpocl*.so*"))
    if pocl and "OCL_ICD_VENDORS" not in os.environ:
        found["OCL_ICD_VENDORS"] = str(pocl[0])
    return found


def _pyopencl_libraries() -> Path | None:
    try:
        return _package("pyopencl") / ".libs"
    except ModuleNotFoundError:
        return None


def _package(name: str) -> Path:
    """Return an installed package's folder, without importing it."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"no package {name}")
    return Path(found.origin).parent
