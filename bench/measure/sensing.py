"""A device's sensors while its runtimes are under load, here or on a board."""

import time
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Self

from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.targets.devices.device import cool_down
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import Worker
from mobilebench.targets.sensors.files import LocalFiles
from mobilebench.targets.sensors.meter import Meter
from mobilebench.targets.sensors.power import PowerSource, Reading
from mobilebench.targets.sensors.sensors import PERIOD_S, Sensors, find_sensors
from mobilebench.targets.sensors.watch import LocalWatch, Watch

_IDLE_S = 10.0
_AS_COOL_C = 2.0  # above what it had when idle
_NO_SOURCE = "the device does not tell its power; --power-meter names a meter of your own"
_OF_THE_HOST = "what this machine takes is no energy of an emulated board"


class _BoardWatch:
    """A board's sensors, read there by the session's probe."""

    def __init__(self, session: Worker, time_limit_s: float) -> None:
        self._session, self._time_limit_s = session, time_limit_s
        self.sensors: Sensors = self._call("watch_sensors")

    def take(self) -> list[Reading]:
        found: list[Reading] = self._call("take_readings")
        return found

    def close(self) -> None:
        if self._session.alive:
            self._call("end_watch")

    def _call(self, method: str) -> Any:
        self._session.resume()
        return self._session.call(method, timeout_s=self._time_limit_s)


class DeviceSensing:
    """Reads heat, clock and power of one device from now on; leaving the context ends that."""

    def __init__(self, config: MeasurementConfig, session: Worker | None, emulated: bool) -> None:
        """Take what is needed to begin; `session` is that of a board."""
        self._config = config
        self._session = session
        self._emulated = emulated
        self._meter: Meter | None = None
        self.idle: list[Reading] = []  # of the source of power
        self._idle_c: float | None = None
        self._latest_c: float | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self._config.farm is not None:
                assert self._session
                on_board = _BoardWatch(self._session, self._config.time_limit_s)
                self._watch: Watch = on_board
                sensors = on_board.sensors
            else:
                files = LocalFiles()
                sensors = find_sensors(files)
                self._watch = LocalWatch(files, sensors.paths, PERIOD_S)
            stack.callback(self._watch.close)
            if self._emulated:
                sensors = replace(sensors, power=None, why_no_power=_OF_THE_HOST)
            command = self._config.load.meter if self._config.load else ""
            if command:
                try:
                    meter = stack.enter_context(Meter(command))
                    meter.require_number()
                    self._meter = meter
                except BenchError as error:  # it worked before; that costs no row
                    sensors = replace(sensors, why_no_power=str(error))
            self.sensors = sensors
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    @property
    def source(self) -> PowerSource | None:
        """What tells the power: the user's meter, or else the device."""
        return self._meter.source if self._meter else self.sensors.power

    @property
    def why_no_energy(self) -> str:
        """Why there is no source, or a worse one than there might be; empty if all is well."""
        if self._meter:
            return ""
        return self.sensors.why_no_power or ("" if self.sensors.power else _NO_SOURCE)

    def take(self) -> tuple[list[Reading], list[Reading]]:
        """Return what sensors, and what the source of power, told since the last time."""
        readings = self._watch.take()
        now_c = self.sensors.temperature_c(readings)
        self._latest_c = self._latest_c if now_c is None else now_c
        return readings, self._meter.take() if self._meter else readings

    def rest(self) -> None:
        """Watch the device while nothing is computed, so that its idle power is known."""
        if self.source:
            self.take()
            time.sleep(_IDLE_S)
        _, self.idle = self.take()
        self._idle_c = self._latest_c

    def cool(self) -> str:
        """Wait until the device is about as cool as when idle; three minutes at most.

        Returns a warning for readers of the row if it is warmer then; empty if not.
        """
        idle_c = self._idle_c
        if idle_c is None:
            return ""
        limit_c = idle_c + _AS_COOL_C
        cool_down(replace(self._config.target, cool_below_c=limit_c), self._temperature_c)
        now_c = self._temperature_c()
        if now_c is None or now_c <= limit_c:
            return ""
        return f"its load began at {now_c:.0f} °C, {now_c - idle_c:.0f} °C above the idle device"

    def _temperature_c(self) -> float | None:
        self.take()
        return self._latest_c
