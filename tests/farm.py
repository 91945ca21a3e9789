"""A real farm on loopback: TVM's stock tracker and stock servers, as processes of this machine."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Self

from mobilebench.targets.errors import BenchError
from mobilebench.targets.rpc.tracker import Tracker, boards_of, queues
from tests.waiting import wait_until

KEY = "workbench"
Environment = Mapping[str, str]
_AS_HERE: Environment = MappingProxyType({})
_TWO_THREADS: Environment = MappingProxyType({"TVM_NUM_THREADS": "2"})

# The stock module, as `python -m` runs it; torch is kept out, which tvm-ffi would import.
_RUN = (
    "import runpy, sys; sys.modules['torch'] = None; "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__')"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Board:
    """A stock server, which leads a process group."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path

    def sessions(self) -> int:
        """Return how many sessions it has begun."""
        return len(re.findall(r"connected from", self.log.read_text()))

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait()

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


@dataclass
class RealFarm:
    """A tracker and its boards; all end with it."""

    directory: Path
    tracker: Tracker = field(default_factory=lambda: Tracker("127.0.0.1", free_port()))
    boards: list[Board] = field(default_factory=list)
    _tracker_process: subprocess.Popen[bytes] | None = None

    def start_tracker(self) -> None:
        port = self.tracker.port
        command = ["tvm.exec.rpc_tracker", "--host", "127.0.0.1", *_ports(port)]
        self._tracker_process = start(_stock(command), self.directory / "tracker.log")
        wait_until(self._listens, "the tracker to listen")

    def stop_tracker(self) -> None:
        if self._tracker_process:
            os.killpg(self._tracker_process.pid, signal.SIGKILL)
            self._tracker_process.wait()
            self._tracker_process = None

    def add_restarting_board(self) -> Board:
        """Start a board whose server is started again when it ends, as the systemd unit does.

        The unit is in docs/guide/12-connect-boards-safely.md.

        TVM's server ends when a session breaks off before it was told to end quietly.
        """
        port = free_port()
        log = self.directory / f"board-{port}.log"
        serve = (
            "import sys; sys.modules['torch'] = None; "
            "from tvm.rpc.server import PopenRPCServerState as Server; "
            f"Server('127.0.0.1', {port}, {port + 1}, tracker_addr=('127.0.0.1', "
            f"{self.tracker.port}), key='{KEY}').thread.join()"
        )
        loop = 'while true; do "$0" -c "$1"; sleep 0.2; done'
        command = ["sh", "-c", loop, sys.executable, serve]
        return self._await(start(command, log, _TWO_THREADS), port, log, KEY)

    def add_board(
        self, key: str = KEY, libraries: Sequence[Path] = (), environment: Environment = _AS_HERE
    ) -> Board:
        """Start a board that loads libraries beside TVM's runtime."""
        port = free_port()
        log = self.directory / f"board-{port}.log"
        command = ["tvm.exec.rpc_server", "--host", "127.0.0.1", *_ports(port)]
        command += ["--tracker", str(self.tracker), "--key", key]
        for library in libraries:
            command += ["--load-library", str(library)]
        process = start(_stock(command), log, {**_TWO_THREADS, **environment})
        return self._await(process, port, log, key)

    def _await(self, process: "subprocess.Popen[bytes]", port: int, log: Path, key: str) -> Board:
        board = Board(process, f"127.0.0.1:{port}", log)
        self.boards.append(board)
        wait_until(
            lambda: board.address in boards_of(self.tracker, key) and self._free(key),
            f"board {board.address} to register and to be free",
        )
        return board

    def _free(self, key: str) -> int:
        """Return how many boards of a key may be had: one that registers is known before it is."""
        return sum(queue.free for queue in queues(self.tracker) if queue.key == key)

    def _listens(self) -> bool:
        with suppress(BenchError):
            boards_of(self.tracker, KEY)
            return True
        return False

    def __enter__(self) -> Self:
        self.start_tracker()
        return self

    def __exit__(self, *_exception: object) -> None:
        for board in self.boards:
            board.kill()
        self.stop_tracker()


def _ports(port: int) -> list[str]:
    return ["--port", str(port), "--port-end", str(port + 1)]


def _stock(command: list[str]) -> list[str]:
    return [sys.executable, "-c", _RUN, *command]


def start(
    command: list[str], log: Path, environment: Mapping[str, str] = _AS_HERE
) -> "subprocess.Popen[bytes]":
    """Start a process that leads a group, with what it prints in a file."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
