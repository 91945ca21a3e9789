"""Processes on a device beside the session's own, started and asked through the session."""

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mobilebench.targets.devices.device import Device
from mobilebench.targets.devices.probe import PROBE, VALUES
from mobilebench.targets.toolchains.shared_library import build_once
from mobilebench.targets.toolchains.toolchain import Toolchain

_SOURCE = PROBE.with_name("children.cc")
_LAST_WORDS = 300  # characters


class ChildEndedError(Exception):
    """The process has ended instead of answering; the text says how."""


class ChildTimedOutError(Exception):
    """The process has not answered within the time limit, and was killed."""


def build_children(toolchain: Toolchain, cache_dir: Path) -> Path:
    """Return the library that starts processes, compiled into `cache_dir` if it is not there."""
    import tvm_ffi

    include = [Path(tvm_ffi.libinfo.find_include_path())]
    sources = [_SOURCE, VALUES]
    return build_once(toolchain, cache_dir / "children", sources, include, tvm_ffi.__version__)


class Children:
    """The library, loaded into a session. What it has started ends with the session."""

    def __init__(self, device: Device, library: Path) -> None:
        device.session.upload(str(library))
        module = device.session.load_module(library.name)
        self.device = device
        self.start = module.get_function("start")
        self.ask = module.get_function("ask")
        self.answer = module.get_function("answer")
        self.signal = module.get_function("signal")


class Child:
    """A process on a device, which answers a line of JSON with one."""

    def __init__(
        self, children: Children, command: Sequence[str], cpus: Sequence[int], log: str
    ) -> None:
        """Start a program that may run on these CPUs; none: on all that the session may use.

        It reads its requests from its standard input, a socket, and writes its answers there; what
        it prints goes into the file `log`.
        """
        self._children = children
        self._log = log
        self._pid = int(children.start(log, ",".join(map(str, cpus)), *command))

    def ask(self, request: Any, timeout_s: float) -> Any:
        """Return the answer to a request.

        Raises ChildEndedError and ChildTimedOutError; the process is gone then.
        """
        self._children.ask(self._pid, json.dumps(request) + "\n")
        answer = str(self._children.answer(self._pid, round(timeout_s * 1000)))
        if answer.endswith("\n"):
            return json.loads(answer)
        if answer:
            raise ChildEndedError(f"the process on the board {_in_words(answer)}{self._last_words}")
        self.kill()
        raise ChildTimedOutError(f"no answer from the board within {timeout_s:g} s; killed")

    def pause(self) -> None:
        """Stop it, so that no thread of it spins while another is measured."""
        self._children.signal(self._pid, int(signal.SIGSTOP))

    def resume(self) -> None:
        """Let it go on."""
        self._children.signal(self._pid, int(signal.SIGCONT))

    def kill(self) -> None:
        """End it; does nothing if it has ended."""
        self._children.signal(self._pid, int(signal.SIGKILL))

    @property
    def _last_words(self) -> str:
        printed = self._children.device.read_text(self._log).strip().splitlines()
        return f": {printed[-1][:_LAST_WORDS]}" if printed else ""


def _in_words(status: str) -> str:
    """Return how a process ended, of the library's words `signal N` and `exit N`."""
    kind, _, number = status.partition(" ")
    if kind == "signal":
        return f"was killed by {signal.Signals(int(number)).name}"
    return f"ended with {number}"
