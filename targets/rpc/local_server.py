"""The local machine as a device: an RPC server in a separate process."""

import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Self

from mobilebench.targets.errors import BenchError

HOST = "127.0.0.1"
_PROGRAM = "mobilebench.targets.rpc.server_process"


class LocalServer:
    """A TVM RPC server on loopback, alive as long as this object.

    TVM's RPC executes code for whoever connects, so the server listens on loopback only and
    answers to a random key.
    """

    def __init__(
        self,
        threads: int = 1,
        libraries: Sequence[Path] = (),
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Start a server whose kernels may use so many threads.

        It loads the libraries beside TVM's runtime, e.g. the OpenCL plug-in, and has the variables
        of the environment beside this process's own.
        """
        self.key = secrets.token_hex(16)
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed in close()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                _PROGRAM,
                *map(str, libraries),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            # Without it TVM takes half of an x86 machine's processors for hyper-threads.
            env=os.environ | {"TVM_NUM_THREADS": str(threads)} | dict(environment),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(self.key + "\n")
        self._process.stdin.close()
        port = self._process.stdout.readline()
        if not port:
            raise BenchError(f"the local RPC server did not start: {self.last_words()}")
        self.port = int(port)

    def keep_to(self, processors: int) -> None:
        """Let the server and its sessions run on so many processors, where Linux allows that."""
        if hasattr(os, "sched_setaffinity"):
            allowed = sorted(os.sched_getaffinity(self._process.pid))
            os.sched_setaffinity(self._process.pid, allowed[:processors])

    def last_words(self) -> str:
        """Return the last line that the server wrote to its log."""
        self._log.seek(0)
        lines = self._log.read().strip().splitlines()
        return lines[-1] if lines else "it left no message"

    def session_end(self) -> str | None:
        """Return how the process of a session died; None if none did."""
        self._log.seek(0)
        codes = re.findall(r"exited unsuccessfully with error code (-?\d+)", self._log.read())
        if not codes:
            return None
        code = int(codes[-1])
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return f"the process that ran the model ended {how}"

    def close(self) -> None:
        """End the server and, with it, its sessions."""
        self._process.kill()
        self._process.wait()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
