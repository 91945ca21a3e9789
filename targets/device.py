"""A device: a live RPC session to a board, or to the local machine's own server."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from targets.errors import BenchError
from targets.target import Target


@dataclass(frozen=True)
class DeviceState:
    """What a device says of itself at one moment; empty or None where it does not tell."""

    host: str
    os: str
    cpu_model: str
    cpu_cores: int | None
    cpu_flags: frozenset[str]
    cpu_governor: str
    cpu_mhz: float | None
    temperature_c: float | None
    load_1m: float | None
    memory_total_bytes: int | None
    calibration_ms: float


class Device:
    """An RPC session with the probe loaded into it.

    All that is known about a device is read through the session, so a board far away and this
    machine are described in the same way.
    """

    def __init__(self, session: Any, probe: Path) -> None:
        self.session = session
        session.upload(str(probe))
        module = session.load_module(probe.name)
        self._read_text = module.get_function("read_text")
        self._calibrate = module.get_function("calibrate")

    def read_text(self, path: str) -> str:
        """Return a text file of the device; empty if it cannot be read."""
        return str(self._read_text(path))

    def tvm_device(self, target: Target) -> Any:
        """Return TVM's handle of the processor that a target names."""
        return self.session.device(target.device, target.device_index)

    def set_threads(self, threads: int) -> None:
        """Let TVM's thread pool on the device use that many threads."""
        any_cores = 1  # TVM's affinity mode kBig; without big cores it means all of them
        self.session.get_function("runtime.config_threadpool")(any_cores, threads)

    def resident_bytes(self) -> tuple[int, int]:
        """Return resident memory of the session's process, now and at its peak, in bytes."""
        status = _fields(self.read_text("/proc/self/status"))
        return _kib(status.get("VmRSS", "0")), _kib(status.get("VmHWM", "0"))

    def state(self) -> DeviceState:
        """Read what the device is and how it fares, and time the calibration kernel on it."""
        cpu = _fields(self.read_text("/proc/cpuinfo"))
        load = self.read_text("/proc/loadavg").split()
        memory = _fields(self.read_text("/proc/meminfo"))
        frequency = "/sys/devices/system/cpu/cpu0/cpufreq/"
        current_khz = self.read_text(frequency + "scaling_cur_freq").strip()
        mhz = float(current_khz) / 1000 if current_khz else _float(cpu.get("cpu MHz", ""))
        return DeviceState(
            host=self.read_text("/proc/sys/kernel/hostname").strip(),
            os=self.read_text("/proc/sys/kernel/osrelease").strip(),
            cpu_model=cpu.get("model name", cpu.get("Model", "")),
            cpu_cores=_count_cores(self.read_text("/sys/devices/system/cpu/online").strip()),
            cpu_flags=frozenset(cpu.get("flags", cpu.get("Features", "")).split()),
            cpu_governor=self.read_text(frequency + "scaling_governor").strip(),
            cpu_mhz=mhz,
            temperature_c=self._temperature_c(),
            load_1m=float(load[0]) if load else None,
            memory_total_bytes=_kib(memory["MemTotal"]) if "MemTotal" in memory else None,
            calibration_ms=float(self._calibrate()),
        )

    def _temperature_c(self) -> float | None:
        """Return the hottest thermal zone, in degrees Celsius."""
        readings = []
        for zone in range(32):
            text = self.read_text(f"/sys/class/thermal/thermal_zone{zone}/temp").strip()
            if not text:
                break
            readings.append(float(text) / 1000)
        return max(readings, default=None)


def require_flags(target: Target, state: DeviceState) -> None:
    """Raise BenchError if the device lacks instructions that the target's code would use."""
    missing = [flag for flag in target.cpu_flags if flag not in state.cpu_flags]
    if missing:
        raise BenchError(
            f"target {target.name}: {state.host} ({state.cpu_model}) lacks {', '.join(missing)}; "
            "choose another target, e.g. native"
        )


def _fields(text: str) -> dict[str, str]:
    """Return the `name : value` lines of a /proc file; the first of a name counts."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, separator, value = line.partition(":")
        if separator:
            found.setdefault(name.strip(), value.strip())
    return found


def _kib(value: str) -> int:
    return int(value.split(maxsplit=1)[0]) * 1024


def _float(text: str) -> float | None:
    return float(text) if text else None


def _count_cores(online: str) -> int | None:
    """Count a kernel's list of processors, e.g. `0-3,6`."""
    if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", online):
        return None
    ranges = (part.split("-") for part in online.split(","))
    return sum(int(ends[-1]) - int(ends[0]) + 1 for ends in ranges)
