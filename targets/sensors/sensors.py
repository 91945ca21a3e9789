"""What of a device is read again and again while it computes: heat, clock, load and power."""

from collections.abc import Sequence
from dataclasses import dataclass

from mobilebench.targets.sensors.files import Files, number_in
from mobilebench.targets.sensors.power import PowerSource, Reading, find_power

PERIOD_S = 0.25
"""How often sensors are read: a counter of energy must not come round twice meanwhile."""
_ZONES = "/sys/class/thermal"
_POLICIES = "/sys/devices/system/cpu/cpufreq"
_LOAD = "/proc/loadavg"
_MOST_POLICIES = 64  # each is a file to be read; x86 has one for every CPU


@dataclass(frozen=True)
class Sensors:
    """The files to be read, and what they mean."""

    temperatures: tuple[str, ...] = ()  # of thermal zones, in thousandths of a degree Celsius
    frequencies: tuple[str, ...] = ()  # of CPUs, in kHz
    load: tuple[str, ...] = ()  # average over a minute of the threads that run or wait
    power: PowerSource | None = None
    why_no_power: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """All files, each once."""
        own = (*self.temperatures, *self.frequencies, *self.load)
        own += self.power.paths if self.power else ()
        return tuple(dict.fromkeys(own))

    def temperature_c(self, readings: Sequence[Reading]) -> float | None:
        """Return the hottest zone, the last time that one was read; None if none was."""
        return _thousandths(_last_maximum(self.temperatures, readings))

    def cpu_mhz(self, readings: Sequence[Reading]) -> float | None:
        """Return the fastest CPU's clock, the last time that one was read; None if none was."""
        return _thousandths(_last_maximum(self.frequencies, readings))

    def load_1m(self, readings: Sequence[Reading]) -> float | None:
        """Return the load of the last minute, those that compute included; None if unknown."""
        return _last_maximum(self.load, readings)


def find_sensors(files: Files) -> Sensors:
    """Return the sensors of the machine with these files that can be read."""
    zones = [name for name in files.list_names(_ZONES) if name.startswith("thermal_zone")]
    policies = [name for name in files.list_names(_POLICIES) if name.startswith("policy")]
    power, why_not = find_power(files)
    return Sensors(
        _readable(files, [f"{_ZONES}/{name}/temp" for name in zones]),
        _readable(files, [f"{_POLICIES}/{one}/scaling_cur_freq" for one in policies])[
            :_MOST_POLICIES
        ],
        _readable(files, [_LOAD]),
        power,
        why_not,
    )


def _readable(files: Files, paths: Sequence[str]) -> tuple[str, ...]:
    return tuple(path for path in paths if number_in(files, path) is not None)


def _last_maximum(paths: Sequence[str], readings: Sequence[Reading]) -> float | None:
    for one in reversed(readings):
        if found := [one.values[path] for path in paths if path in one.values]:
            return max(found)
    return None


def _thousandths(value: float | None) -> float | None:
    return None if value is None else value / 1000
