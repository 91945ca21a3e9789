"""Reads files of a device again and again, while it computes for the same session."""

import time
from collections.abc import Sequence

from mobilebench.targets.devices.device import Device
from mobilebench.targets.sensors.files import as_number
from mobilebench.targets.sensors.power import Reading


class DeviceWatch:
    """The probe's process that reads files; a session has one at a time."""

    def __init__(self, device: Device, paths: Sequence[str], period_s: float) -> None:
        self._paths = tuple(paths)
        self._watch = device.probe_function("watch")
        self._watched = device.probe_function("watched")
        self._began_s = time.monotonic()
        self._watch(round(period_s * 1000), *self._paths)

    def take(self) -> list[Reading]:
        """Return what was read since it was asked the last time, by this machine's clock."""
        return [self._reading(line) for line in str(self._watched()).splitlines()]

    def close(self) -> None:
        """Read no more."""
        self._watch(1)

    def _reading(self, line: str) -> Reading:
        milliseconds, *words = line.split()
        found = {path: as_number(word) for path, word in zip(self._paths, words, strict=True)}
        known = {path: value for path, value in found.items() if value is not None}
        return Reading(self._began_s + int(milliseconds) / 1000, known)
