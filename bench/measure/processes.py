"""The processes of a cell's runtimes, of which one runs at a time."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, Self

from mobilebench.bench.measure.board_worker import BoardWorker
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.sessions import close_device, device_state, open_device
from mobilebench.bench.measure.streams import StreamGroup, cpus_of_streams
from mobilebench.bench.runtimes.runtime import RUNTIMES, TVM
from mobilebench.reports.records.calibration import Calibration
from mobilebench.targets.devices.device import DeviceState
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import Worker, WorkerError


class Process(Protocol):
    """The process of a runtime, on this machine or on a board."""

    def call(self, method: str, *args: Any, timeout_s: float) -> Any:
        """Return what the runtime's method returns; raises as `Worker.call` does."""
        ...

    def pause(self) -> None:
        """Stop it, so that no thread of it spins while another is measured."""
        ...

    def resume(self) -> None:
        """Let it go on."""
        ...

    def close(self) -> None:
        """End it; does nothing the second time."""
        ...

    @property
    def alive(self) -> bool:
        """Whether it can still be called."""
        ...


class Processes:
    """One process for each runtime, paused while another is measured.

    Waiting thread pools spin and would slow each other down. TVM's process holds the session to the
    device; on a board the others are started and asked through it. Leaving the context ends all.
    """

    def __init__(self, config: MeasurementConfig) -> None:
        self._config = config
        self._session: Worker | StreamGroup | None = None
        self._others: dict[str, Process] = {}

    def open_session(self) -> DeviceState:
        """Open the session; return the device's state. Raises what `open_device` raises."""
        states = []

        def start(cpus: frozenset[int]) -> Worker:
            session, state = open_device(self._config, cpus)
            states.append(state)
            return session

        self._session = self._in_streams(start)
        return states[0]

    def start(self, runtime: str) -> str:
        """Start a runtime's process; TVM's is there already.

        Returns the version that a board has of it, empty on this machine. Raises BenchError and
        WorkerError if it does not start.
        """
        if runtime == TVM:
            return ""
        if self._config.farm is None:
            factory = RUNTIMES[runtime].factory
            self._others[runtime] = self._in_streams(lambda cpus: Worker(factory, cpus=cpus))
            return ""
        assert isinstance(self._session, Worker)
        self._others[runtime] = on_board = BoardWorker(
            self._session, runtime, self._config.time_limit_s
        )
        return on_board.version

    def call(self, runtime: str, method: str, *args: Any) -> Any:
        """Return what a runtime's method returns."""
        return self[runtime].call(method, *args, timeout_s=self._config.time_limit_s)

    def pause(self, runtime: str) -> None:
        """Stop a runtime's process if there is one."""
        if self.alive(runtime):
            self[runtime].pause()

    def alive(self, runtime: str) -> bool:
        """Whether a runtime has a process that can be called."""
        process = self._session if runtime == TVM else self._others.get(runtime)
        return process is not None and process.alive

    @property
    def lost(self) -> bool:
        """Whether there is no session, or no longer."""
        return self._session is None or not self._session.alive

    @property
    def session(self) -> Worker | None:
        """The worker that holds the session; None if there is none, or one for each stream."""
        return self._session if isinstance(self._session, Worker) else None

    def device_state(self) -> DeviceState | None:
        """Return the device's state now, read through the session.

        Where there was none, one is opened to this machine, and stays. None if it cannot be read;
        when a session has ended, only this machine can, since boards differ.
        """
        config, session = self._config, self._session
        state: DeviceState
        try:
            if session is None and config.farm is None:
                state = self.open_session()
                self.pause(TVM)
                return state
            if session is not None and session.alive:
                session.resume()
                state = session.call("device_state", timeout_s=config.time_limit_s)
                return state
            return device_state(config) if config.farm is None else None
        except (BenchError, WorkerError):
            return None

    def calibrate(self) -> Calibration | None:
        """Time fixed kernels on the device, while no runtime runs; None where nothing can."""
        session = self._session
        if session is None or not session.alive:
            return None
        session.resume()
        try:
            speed = session.call("machine_speed", timeout_s=self._config.time_limit_s)
        except (BenchError, WorkerError):  # whoever needs the session says what is wrong
            return None
        finally:
            self.pause(TVM)
        if speed and isinstance(session, StreamGroup):  # other streams are no other programs
            speed = replace(speed, others=None)
        return Calibration(**vars(speed)) if speed else None

    def keep_session(self) -> None:
        """Give the session back to the pool, after all went well."""
        self._close_others()
        if self._session is not None:
            if isinstance(self._session, Worker):
                close_device(self._config, self._session)
            else:
                self._session.close()
            self._session = None

    def _in_streams(self, start: Callable[[frozenset[int]], Worker]) -> Worker | StreamGroup:
        """Start one process, on all CPUs, or one for each stream, on CPUs of its own."""
        streams = self._config.streams
        if streams == 1:
            return start(frozenset())
        return StreamGroup(start, cpus_of_streams(streams, self._config.threads))

    def _close_others(self) -> None:
        for process in self._others.values():
            process.close()
        self._others.clear()

    def __getitem__(self, runtime: str) -> Process:
        if runtime != TVM:
            return self._others[runtime]
        assert self._session
        return self._session

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._close_others()
        if self._session is not None:
            self._session.close()
