"""The program of the local device: a TVM RPC server on loopback, without torch in its memory.

Run as `python -m mobilebench.targets.rpc.server_process [LIBRARY...]`; the key comes on standard
input and the port goes out on standard output, so neither shows in the list of processes. The
libraries are loaded beside TVM's runtime. Serving each session in a fresh fork is TVM's own doing.
"""

import ctypes
import os
import sys

from mobilebench.targets.processes.denormals import flush_denormals
from mobilebench.targets.processes.process import die_with_parent


def main() -> None:
    """Serve until killed."""
    die_with_parent()
    os.register_at_fork(after_in_child=die_with_parent)
    # tvm-ffi imports torch where it finds it: a second of start-up and hundreds of megabytes
    # that would count as the model's.
    sys.modules["torch"] = None  # type: ignore[assignment]
    from tvm.rpc.server import PopenRPCServerState

    flush_denormals()
    key = sys.stdin.readline().strip()
    for library in sys.argv[1:]:
        ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
    server = PopenRPCServerState("127.0.0.1", 9091, 9999, key=key, silent=True)
    print(server.port, flush=True)
    server.thread.join()


if __name__ == "__main__":
    main()
