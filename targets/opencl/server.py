"""An RPC server of this machine with an OpenCL device."""

from pathlib import Path

from targets.local import LocalServer
from targets.opencl.plugin import build_plugin, opencl_environment
from targets.toolchain import HOST, find_toolchain

# Where a CPU is the device, it runs on as many threads as kernels would there: PoCL's and Intel's
# own variables.
_THREADS = ("POCL_MAX_PTHREAD_COUNT", "POCL_CPU_MAX_CU_COUNT", "DPCPP_CPU_NUM_CUS")


def start_server(threads: int, cache_dir: Path) -> LocalServer:
    """Start a server with the plug-in loaded; raises BenchError if that cannot be compiled."""
    plugin = build_plugin(find_toolchain(HOST), cache_dir)
    own = dict.fromkeys(_THREADS, str(threads))
    return LocalServer(threads, [plugin], opencl_environment() | own)
