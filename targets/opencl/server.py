"""An RPC server of this machine with an OpenCL device."""

import os
from pathlib import Path

from mobilebench.targets.opencl.plugin import (
    INTEL,
    OPENCL_VARIABLE,
    build_plugin,
    opencl_environment,
)
from mobilebench.targets.rpc.local_server import LocalServer
from mobilebench.targets.toolchains.toolchain import HOST, find_toolchain

_THREADS = ("POCL_MAX_PTHREAD_COUNT", "POCL_CPU_MAX_CU_COUNT")  # PoCL's variables, old and new


def start_server(threads: int, cache_dir: Path) -> LocalServer:
    """Start a server with the plug-in loaded; raises BenchError if that cannot be compiled.

    Where a CPU is the device, it runs on as many threads as kernels would there: PoCL has variables
    for that, Intel's runtime counts the processors that it may use.
    """
    plugin = build_plugin(find_toolchain(HOST), cache_dir)
    environment = opencl_environment() | dict.fromkeys(_THREADS, str(threads))
    server = LocalServer(threads, [plugin], environment)
    library = (os.environ | environment).get(OPENCL_VARIABLE, "")
    if Path(library).name == INTEL:
        server.keep_to(threads)
    return server
