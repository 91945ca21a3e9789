"""A server with the plug-in, on the OpenCL that is here: the system's, or one from PyPI."""

import ctypes.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from targets.local import HOST, LocalServer
from targets.opencl.plugin import OPENCL_VARIABLE, build_plugin, opencl_environment
from targets.toolchain import find_toolchain

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def plugin(cache_dir: Path) -> Path:
    """Return the plug-in's library."""
    return build_plugin(find_toolchain("host"), cache_dir)


@pytest.fixture(scope="session")
def environment(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the variables of a server that finds an OpenCL which runs kernels."""
    from tvm import rpc

    from tests.targets.opencl.kernels import export, scale

    found = opencl_environment()
    if not (found or os.environ.get(OPENCL_VARIABLE) or ctypes.util.find_library("OpenCL")):
        pytest.skip("no OpenCL: apt-get install pocl-opencl-icd, or pip install '.[opencl]'")
    found["POCL_DEVICES"] = "pthread pthread"  # PoCL can be two devices
    library = export(scale(8), tmp_path_factory.mktemp("opencl") / "probe.so")
    with LocalServer(1, [plugin], found) as server:
        session = rpc.connect(HOST, server.port, server.key)
        if not session.device("opencl").exist:
            pytest.skip("an OpenCL library is here, and no device behind it")
        session.upload(str(library))
        x = on(session.device("opencl"), [1.0] * 8)
        try:
            session.load_module("probe.so")["main"](x, 2.0, x)
        except Exception as error:
            # PoCL's compiler refuses processors that are newer than itself.
            if "unknown target CPU" not in str(error):
                raise
            pytest.skip("the OpenCL that is here does not know this processor")
    return found


@pytest.fixture(scope="session")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the fake OpenCL's library."""
    library = tmp_path_factory.mktemp("fake") / "libOpenCL.so"
    source = Path(__file__).with_name("fake_opencl.c")
    compiler = find_toolchain("host").compiler
    flags = ["-x", "c", "-O1", "-shared", "-fPIC", "-pthread"]
    subprocess.run([*compiler, *flags, "-o", str(library), str(source)], check=True)
    return library


@pytest.fixture
def session(plugin: Path, environment: dict[str, str]) -> Iterator[Any]:
    """Return a session on a fresh server."""
    from tvm import rpc

    with LocalServer(1, [plugin], environment) as server:
        yield rpc.connect(HOST, server.port, server.key)


@pytest.fixture
def device(session: Any) -> Any:
    """Return the first OpenCL device of the session."""
    return session.device("opencl", 0)


def on(device: Any, values: Any) -> Any:
    """Return a float32 tensor on a device."""
    import numpy as np
    import tvm

    return tvm.runtime.tensor(np.asarray(values, np.float32), device)


def run(code: str, environment: dict[str, str], *arguments: object) -> list[str]:
    """Return the lines that a program prints; no plug-in is loaded into the tests' own process."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
