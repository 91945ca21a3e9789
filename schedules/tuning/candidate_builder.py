"""One candidate of a search, from TVM's JSON to a library."""

import tempfile
from functools import cache
from pathlib import Path

import tvm

from mobilebench.schedules import pipeline
from mobilebench.schedules.machine import machine_of
from mobilebench.schedules.native.native_code import TEAM, build_object, link_library
from mobilebench.targets.toolchains.toolchain import Toolchain, find_toolchain


def build_library(module: str, target: str, toolchain: str) -> bytes:
    """Return the shared library of a module for a target of TVM's, both as TVM's JSON.

    It is linked by the toolchain of that name. Raises what TVM and the linker raise.
    """
    linker = find_toolchain(toolchain)
    tvm_target = tvm.target.Target(tvm.ir.load_json(target))
    executable = pipeline.build_kernel(tvm.ir.load_json(module), tvm_target)
    beside = [_team(linker)] if machine_of(tvm_target).threads > 1 else []
    with tempfile.TemporaryDirectory(prefix="mobilebench-") as directory:
        library = Path(directory) / "candidate.so"
        link_library(executable, library, linker, objects=beside)
        return library.read_bytes()


@cache
def _team(toolchain: Toolchain) -> Path:
    """Return what lets threads share a kernel; kept as long as this process."""
    return build_object(TEAM, toolchain, Path(tempfile.mkdtemp(prefix="mobilebench-")))
