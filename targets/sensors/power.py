"""How much power a device takes: what tells it, and joules from what that has told.

Sources, the first that can be read is taken: Linux' powercap (RAPL: energy counters of the
processor, linux/Documentation/power/powercap), hwmon (power, or volts and amperes, of a board's
rails, as the INA3221 of Jetsons has them; Documentation/hwmon), and a battery that is discharging
(Documentation/ABI/testing/sysfs-class-power; Android has the same files).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from mobilebench.targets.sensors.files import Files, number_in

POWERCAP = "/sys/class/powercap"
HWMON = "/sys/class/hwmon"
SUPPLIES = "/sys/class/power_supply"
_PACKAGE, _DRAM = re.compile(r"intel-rapl:\d+"), re.compile(r"intel-rapl:\d+:\d+")
_NOT_THE_BOARD = ("amdgpu", "radeon", "nouveau", "i915", "xe", "nvme")  # hwmon chips of a part
_WHOLE_RAILS = ("VDD_IN", "POM_5V_IN")  # what Jetsons call the rail that feeds all others
_BATTERIES = ("battery", "BAT0", "BAT1")  # where the directory itself cannot be read
_MICRO = 1e-6

Values = Mapping[str, float]
"""What was read at one moment, by path."""


@dataclass(frozen=True)
class Reading:
    """What was read at one moment, without what could not be read."""

    time_s: float  # of the monotonic clock of whoever asked
    values: Values


@dataclass(frozen=True)
class Counter:
    """A counter of energy in microjoules, which begins anew above its range."""

    path: str
    range_uj: float

    def joules(self, before: Values, after: Values) -> float:
        """Return the energy between two readings that are less than a whole range apart."""
        taken = after[self.path] - before[self.path]
        return (taken if taken >= 0 else taken + self.range_uj) * _MICRO


@dataclass(frozen=True)
class Rail:
    """What one reading tells of power: the product of these values, times a factor, in watts."""

    paths: tuple[str, ...]
    to_watts: float

    def watts(self, values: Values) -> float:
        """Return the power; makers differ in the sign of a current that leaves a battery."""
        return abs(prod(values[path] for path in self.paths)) * self.to_watts


@dataclass(frozen=True)
class PowerSource:
    """What tells a device's power: counters of energy, or rails, all of which are summed up."""

    name: str  # as the record's column has it
    counters: tuple[Counter, ...] = ()
    rails: tuple[Rail, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """The files to be read."""
        return (*(one.path for one in self.counters), *(p for r in self.rails for p in r.paths))

    def joules(self, before: Reading, after: Reading) -> float:
        """Return the energy between two readings next to each other; powers by trapezoids."""
        counted = sum(one.joules(before.values, after.values) for one in self.counters)
        both = sum(rail.watts(one.values) for rail in self.rails for one in (before, after))
        return counted + both / 2 * (after.time_s - before.time_s)

    def mean_watts(self, readings: Sequence[Reading]) -> float | None:
        """Return the mean power from the first reading to the last; None if they do not tell.

        Counters need two readings.
        """
        whole = [one for one in readings if all(path in one.values for path in self.paths)]
        if len(whole) == 1 and not self.counters:
            return sum(rail.watts(whole[0].values) for rail in self.rails)
        if len(whole) < 2 or whole[-1].time_s <= whole[0].time_s:
            return None
        joules = sum(self.joules(*neighbours) for neighbours in pairwise(whole))
        return joules / (whole[-1].time_s - whole[0].time_s)


def find_power(files: Files) -> tuple[PowerSource | None, str]:
    """Return the first source that can be read, and why one before it cannot; empty if none is."""
    reasons: list[str] = []
    for find in (_powercap, _hwmon, _batteries):
        source, reason = find(files)
        if source:
            return source, "; ".join(reasons)
        if reason:
            reasons.append(reason)
    return None, "; ".join(reasons)


def _powercap(files: Files) -> tuple[PowerSource | None, str]:
    """Find the counters of processor packages, and of memory, which no package includes."""
    counters, names = [], []
    for zone in files.list_names(POWERCAP):
        path = f"{POWERCAP}/{zone}"
        name = files.read_text(f"{path}/name").strip()
        is_package = _PACKAGE.fullmatch(zone) and name.startswith("package")
        if not is_package and not (_DRAM.fullmatch(zone) and name == "dram"):
            continue
        range_uj = number_in(files, f"{path}/max_energy_range_uj")
        if number_in(files, f"{path}/energy_uj") is None or range_uj is None:
            return None, f"{path}/energy_uj can be read by root alone"
        counters.append(Counter(f"{path}/energy_uj", range_uj))
        names.append(name)
    return (_named("RAPL", names, counters=tuple(counters)) if counters else None), ""


def _hwmon(files: Files) -> tuple[PowerSource | None, str]:
    """Find the rails of the first kind of chip that measures any, of all its chips."""
    rails: dict[str, dict[str, Rail]] = {}
    for number in files.list_names(HWMON):
        path = f"{HWMON}/{number}"
        chip = files.read_text(f"{path}/name").strip()
        is_supply = files.read_text(f"{path}/device/type").strip()  # of SUPPLIES, and found there
        if chip and chip not in _NOT_THE_BOARD and not is_supply:
            rails.setdefault(chip, {}).update(_rails_of(files, path))
    chip, found = next(((c, r) for c, r in rails.items() if r), ("", {}))
    if not found:
        return None, ""
    whole = {name: rail for name, rail in found.items() if name in _WHOLE_RAILS}
    chosen = whole or found
    return _named(f"hwmon {chip}", list(chosen), rails=tuple(chosen.values())), ""


def _rails_of(files: Files, path: str) -> dict[str, Rail]:
    """Return a chip's rails by their labels, or else by their channels."""
    found = {}
    names = files.list_names(path)
    for name in names:
        if channel := re.fullmatch(r"(power\d+)_(input|average)", name):
            rail = Rail((f"{path}/{name}",), _MICRO)
        elif (channel := re.fullmatch(r"(curr([123])_input)", name)) and (
            f"in{channel[2]}_input" in names  # channels above are shunts, and sums
        ):
            rail = Rail((f"{path}/in{channel[2]}_input", f"{path}/{name}"), _MICRO)  # mV, mA
        else:
            continue
        if all(number_in(files, one) is not None for one in rail.paths):
            of_channel = channel[1] if name.startswith("power") else f"in{channel[2]}"
            label = files.read_text(f"{path}/{of_channel}_label").strip()
            found[label or f"{path.rpartition('/')[2]} {of_channel}"] = rail
    powers = {k: r for k, r in found.items() if len(r.paths) == 1}
    return powers or found


def _batteries(files: Files) -> tuple[PowerSource | None, str]:
    """Find the batteries that feed the device now."""
    rails, names, reason = [], [], ""
    for name in files.list_names(SUPPLIES) or _BATTERIES:
        path = f"{SUPPLIES}/{name}"
        kind, scope, status = (
            files.read_text(f"{path}/{one}").strip() for one in ("type", "scope", "status")
        )
        if kind != "Battery" or scope == "Device":  # the latter: of a mouse, say
            continue
        if status != "Discharging":
            reason = (
                f"battery {name} is {status.lower() or 'in an unknown state'}: what it gives is "
                "known only while the device is unplugged"
            )
            continue
        rail = Rail((f"{path}/current_now", f"{path}/voltage_now"), _MICRO * _MICRO)
        if number_in(files, rail.paths[0]) is None:
            rail = Rail((f"{path}/power_now",), _MICRO)
        if all(number_in(files, one) is not None for one in rail.paths):
            rails.append(rail)
            names.append(name)
    return (_named("battery", names, rails=tuple(rails)) if rails else None), reason


def _named(
    kind: str,
    parts: Sequence[str],
    counters: tuple[Counter, ...] = (),
    rails: tuple[Rail, ...] = (),
) -> PowerSource:
    return PowerSource(f"{kind}: {', '.join(dict.fromkeys(parts))}", counters, rails)
