"""What all tests share: a cache of their own, kept for the session, and the OpenCL that is here."""

import ctypes.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from mobilebench.bench.cache import CACHE_VARIABLE
from mobilebench.schedules.databases.database import DIRECTORY_VARIABLE
from mobilebench.targets.opencl.plugin import (
    OPENCL_VARIABLE,
    build_plugin,
    find_wheel,
    opencl_environment,
)
from mobilebench.targets.rpc.local_server import HOST, LocalServer
from mobilebench.targets.toolchains.toolchain import find_toolchain


@pytest.fixture(scope="session", autouse=True)
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the session's cache, where exports and artifacts are shared between tests.

    Databases that were tuned on this machine are out of sight.
    """
    path = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(CACHE_VARIABLE, str(path))
        environment.setenv(DIRECTORY_VARIABLE, str(tmp_path_factory.mktemp("databases")))
        yield path


@pytest.fixture(scope="session")
def exported_bundle(cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small bundle for this machine, unmeasured; not to be changed."""
    from tests.bundles import export

    return export(tmp_path_factory.mktemp("bundle") / "bundle")


@pytest.fixture(scope="session")
def plugin(cache_dir: Path) -> Path:
    """Return the OpenCL plug-in's library."""
    return build_plugin(find_toolchain("host"), cache_dir)


@pytest.fixture(scope="session")
def environment(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the variables of a server that finds an OpenCL which runs kernels: the system's, or
    one from PyPI.
    """
    found = opencl_environment()
    if not (found or os.environ.get(OPENCL_VARIABLE) or ctypes.util.find_library("OpenCL")):
        skip_or_fail("no OpenCL: apt-get install pocl-opencl-icd, or pip install '.[opencl]'")
    found["POCL_DEVICES"] = "pthread pthread"  # PoCL can be two devices
    _require_kernels_run(plugin, found, tmp_path_factory.mktemp("opencl") / "probe.so")
    return found


@pytest.fixture(scope="session")
def intel() -> dict[str, str]:
    """Return the variables of a server on Intel's OpenCL, which stores half-precision floats."""
    wheel = find_wheel()
    if wheel is None:
        skip_or_fail("no OpenCL with half precision: pip install '.[opencl]'")
    return {OPENCL_VARIABLE: str(wheel)}


def skip_or_fail(reason: str) -> NoReturn:
    """Skip a test for want of something that CI, where everything is to be there, has to have."""
    if "CI" in os.environ:
        pytest.fail(f"{reason}; CI has to have it")
    pytest.skip(reason)


def _require_kernels_run(plugin: Path, environment: dict[str, str], library: Path) -> None:
    """Skip a test where an OpenCL is here and runs nothing; in CI fail."""
    import numpy as np
    import tvm
    from tvm import rpc

    from tests.targets.opencl.kernels import export, scale

    export(scale(8), library)
    with LocalServer(1, [plugin], environment) as server:
        session = rpc.connect(HOST, server.port, server.key)
        if not session.device("opencl").exist:
            skip_or_fail("an OpenCL library is here, and no device behind it")
        session.upload(str(library))
        x = tvm.runtime.tensor(np.ones(8, np.float32), session.device("opencl"))
        try:
            session.load_module(library.name)["main"](x, 2.0, x)
        except Exception as error:
            # PoCL's compiler refuses processors that are newer than itself.
            if "unknown target CPU" not in str(error):
                raise
            skip_or_fail("the OpenCL that is here does not know this processor")
