"""A session on a board in which other runtimes are run beside TVM, each in a process of its own."""

import io
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.runtimes.board_archive import model_archive, program_archive
from mobilebench.bench.runtimes.runtime import RUNTIMES, Workload
from mobilebench.bench.runtimes.stretch import Stretch
from mobilebench.bench.runtimes.tvm_rpc import TvmRuntime
from mobilebench.bench.runtimes.usage import Usage
from mobilebench.targets.devices.child import (
    Child,
    ChildEndedError,
    Children,
    ChildTimedOutError,
    build_children,
)
from mobilebench.targets.devices.device_watch import DeviceWatch
from mobilebench.targets.errors import BenchError
from mobilebench.targets.sensors.power import Reading
from mobilebench.targets.sensors.sensors import PERIOD_S, Sensors, find_sensors
from mobilebench.targets.toolchains.toolchain import find_toolchain

_MADE: dict[str, type[Usage] | type[Stretch]] = {"usage": Usage, "sustain": Stretch}
PYTHON_VARIABLE = "MOBILEBENCH_PYTHON"
"""In the environment of a board's server: the Python that has the other runtimes."""


class BoardSession(TvmRuntime):
    """TVM's session, and the other runtimes that it has started there."""

    def connect(self) -> None:
        """Open the session; raises BenchError for a device that cannot be used."""
        super().connect()
        self._children: Children | None = None
        self._runtimes: dict[str, _BoardRuntime] = {}

    def watch_sensors(self) -> Sensors:
        """Begin to read the board's sensors while it computes; return what they are."""
        with self._noticing_loss():
            sensors = find_sensors(self._device)
            self._sensors_watch = DeviceWatch(self._device, sensors.paths, PERIOD_S)
        return sensors

    def take_readings(self) -> list[Reading]:
        """Return what was read since it was asked the last time."""
        with self._noticing_loss():
            return self._sensors_watch.take()

    def end_watch(self) -> None:
        """Read the board's sensors no more."""
        with self._noticing_loss():
            self._sensors_watch.close()

    def start_runtime(self, name: str, timeout_s: float) -> tuple[str, Any]:
        """Start a runtime's process; return its version as `ask_runtime` returns values."""
        with self._noticing_loss():
            if self._children is None:
                library = build_children(find_toolchain(self._target.toolchain), self._cache_dir)
                self._children = Children(self._device, library)
            entry, program = RUNTIMES[name], f"{name}.zip"
            self._device.session.upload(bytearray(program_archive(entry.factory)), program)
            command = [self._python(), self._path(program), entry.factory, entry.package]
            cpus = self._device.fastest_cpus(self._threads, self._target.cores)
            child = Child(self._children, command, cpus, self._path(f"{name}.log"))
            self._runtimes[name] = _BoardRuntime(name, child, self._device.session)
        outcome, value = self.ask_runtime(name, "version", (), timeout_s)
        if outcome != "done":
            self.stop_runtime(name)
        return outcome, value

    def ask_runtime(
        self, name: str, method: str, args: tuple[Any, ...], timeout_s: float
    ) -> tuple[str, Any]:
        """Return `done` and what a runtime's method returns, or what went wrong and an error.

        The outcomes are those of `targets.processes.worker`.
        """
        with self._noticing_loss():
            outcome, value = self._runtimes[name].call(method, *args, timeout_s=timeout_s)
        if outcome == "missing":
            return "refused", self._how_to_install(value, name)
        return outcome, value

    def pause_runtime(self, name: str) -> None:
        """Stop a runtime's process, so that no thread of it spins while another is measured."""
        with self._noticing_loss():
            self._runtimes[name].child.pause()

    def resume_runtime(self, name: str) -> None:
        """Let a runtime's process go on."""
        with self._noticing_loss():
            self._runtimes[name].child.resume()

    def stop_runtime(self, name: str) -> None:
        """End a runtime's process."""
        with self._noticing_loss():
            self._runtimes.pop(name).child.kill()

    def _python(self) -> str:
        """Return the Python that runs the board's server, or the one that its environment names.

        Raises BenchError if the server is no Python program.
        """
        for variable in self._device.read_text("/proc/self/environ").split("\0"):
            name, _, value = variable.partition("=")
            if name == PYTHON_VARIABLE and value:
                return value
        program = self._device.read_text("/proc/self/cmdline").split("\0")[0]
        if "python" in PurePosixPath(program).name:
            return program
        raise BenchError(
            f"{self._device.where}: its server is no Python program but {program or 'unknown'}, so "
            f"only TVM runs there; start it with {PYTHON_VARIABLE} at a Python that has the others"
        )

    def _how_to_install(self, module: str, name: str) -> str:
        lacks = f"{self._device.where}: its Python has no {module}"
        if self._target.emulated:
            board = self._target.name
            return (
                f"{lacks}; `mobilebench board stop {board}`, then `mobilebench board start {board} "
                f"--runtime {name}`"
            )
        return f"{lacks}; there: {self._python()} -m pip install {RUNTIMES[name].package}"


@dataclass
class _BoardRuntime:
    """A runtime's methods on a board; arrays and models go there and back as files."""

    name: str
    child: Child
    session: Any

    def call(self, method: str, *args: Any, timeout_s: float) -> tuple[str, Any]:
        try:
            if method == "load":
                workload, threads = args
                return self._load(workload, threads, timeout_s)
            if method == "infer":
                (inputs,) = args
                return self._infer(inputs, timeout_s)
            outcome, value = self._ask(method, *args, timeout_s=timeout_s)
        except ChildEndedError as error:
            return "crashed", str(error)
        except ChildTimedOutError as error:
            return "timed_out", f"{error} (asked for {method})"
        made = _MADE.get(method) if outcome == "done" else None
        return outcome, made(**value) if made else value

    def _ask(self, method: str, *args: Any, timeout_s: float) -> tuple[str, Any]:
        outcome, value = self.child.ask([method, *args], timeout_s)
        return outcome, value

    def _load(self, workload: Workload, threads: int, timeout_s: float) -> tuple[str, Any]:
        files, archive = workload.files, f"{self.name}-model.zip"
        self.session.upload(bytearray(model_archive(files)), archive)
        shapes = {"input": files.input_shape, "outputs": files.output_shapes}
        return self._ask("load", archive, shapes, threads, timeout_s=timeout_s)

    def _infer(self, inputs: Floats, timeout_s: float) -> tuple[str, Outputs | str]:
        given, answered = f"{self.name}-inputs.npy", f"{self.name}-outputs.npz"
        buffer = io.BytesIO()
        np.save(buffer, inputs)
        self.session.upload(bytearray(buffer.getvalue()), given)
        outcome, value = self._ask("infer", given, answered, timeout_s=timeout_s)
        if outcome != "done":
            return outcome, value
        with np.load(io.BytesIO(self.session.download(answered))) as arrays:
            return outcome, tuple(arrays[name] for name in arrays.files)
