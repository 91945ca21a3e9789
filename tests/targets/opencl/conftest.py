"""A session with the plug-in, and an OpenCL that fails to order."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mobilebench.targets.rpc.local_server import HOST, LocalServer
from mobilebench.targets.toolchains.toolchain import find_toolchain

ROOT = Path(__file__).parents[3]


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
