"""A device: a live RPC session to a board, or to the local machine's own server."""

import platform
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from mobilebench.targets.catalog.instruction_sets import cpu_flags
from mobilebench.targets.catalog.target import CPU, Target
from mobilebench.targets.devices.connection import Connection
from mobilebench.targets.devices.proc_files import cpu_model, fields_of, kib, number
from mobilebench.targets.errors import BenchError, DeviceLostError
from mobilebench.targets.opencl.accelerator import HALF, Accelerator, accelerator_of
from mobilebench.targets.processes.cpu_allowance import CpuAllowance, in_ranges, read_allowance

_COOLING_POLL_S = 1.0
_LONGEST_COOLING_S = 180.0
_VERSION = re.compile(r"""^\s*__version__ = (?:version = )?['"]([^'"]+)""", re.MULTILINE)
_NOT_MAPPED = "failed to map segment"  # as the dynamic loader says it
_CONTAINER = re.compile(r"[0-9a-f]{12}|[0-9a-f]{64}")  # the identifier of a container
_RPC_DEVICES = 128  # times the session's number, added to the type of a device behind RPC
_BIG_CORES = 1  # TVM's affinity mode; where all are alike, it means all of them


@dataclass(frozen=True)
class DeviceState:
    """The state of a device at one moment; empty or None where the device does not report it."""

    address: str  # HOST:PORT of a board; empty for this machine
    host: str
    os: str
    architecture: str  # of the code that runs there
    emulated: bool  # the kernel below has another architecture
    tvm_version: str
    cpu_model: str
    cpu_cores: int | None  # that the session's process may use
    cpu_flags: frozenset[str]
    cpu_governor: str
    cpu_mhz: float | None
    temperature_c: float | None
    load_1m: float | None
    memory_total_bytes: int | None
    calibration_ms: float
    accelerator: Accelerator | None = None  # the device, where that is not the CPU
    allowance: CpuAllowance = field(default_factory=CpuAllowance)  # of the session's process

    @property
    def name(self) -> str:
        """A board's name in records: its host name.

        A host name that says nothing, or that a container was given by chance, is no name; it is
        the board's address then. Emulated boards that have the name of this machine add their port.
        """
        if self.emulated and self.host == platform.node():
            return f"{self.host}:{self.address.rpartition(':')[2]} (emulated)"
        if self.emulated:
            return f"{self.host} (emulated)"
        if self.address and _says_nothing(self.host):
            return self.address
        return self.host


def _says_nothing(host: str) -> bool:
    return host in ("", "localhost") or bool(_CONTAINER.fullmatch(host))


@dataclass(frozen=True)
class MachineSpeed:
    """How long fixed kernels take on a device at one moment, the slowest of its processors each."""

    arithmetic_ms: float
    caches_ms: float
    memory_ms: float
    others: int | None  # threads of other programs that ran then; None if that is unknown


class Device:
    """An RPC session with the probe loaded into it.

    All that is known about a device is read through the session, so a board far away and this
    machine are described in the same way.
    """

    def __init__(self, connection: Connection, probe: Path) -> None:
        """Load the probe.

        Raises BenchError if the device cannot run such code, DeviceLostError if it went away.
        """
        self.session = connection.session
        self._address = connection.address
        self.where = f"board {self._address}" if self._address else "this machine"
        self._allowance = CpuAllowance()  # before TVM has chosen any of them
        self.session.upload(str(probe))
        try:
            module = self.session.load_module(probe.name)
            self.probe_function = module.get_function
            self._read_text = module.get_function("read_text")
            self._list_names = module.get_function("list_names")
            self._calibrate = module.get_function("calibrate")
            self._machine_speed = module.get_function("machine_speed")
            self._use_cores = module.get_function("use_cores")
            self._pin = module.get_function("pin")
            self._forget_peak = module.get_function("forget_peak")
            self._heap = module.get_function("heap")
            self._count_instructions = module.get_function("count_instructions")
            self._time_call = module.get_function("time_call")
            self._time_load = module.get_function("time_load")
            self._architecture = str(module.get_function("architecture")())
        except Exception as error:
            if lost := connection.ended():
                raise DeviceLostError(lost) from error
            reason = str(error).strip().splitlines()[-1].strip()
            if _NOT_MAPPED in reason:
                raise BenchError(
                    f"{self.where}: no code may run from its temporary directory (it is mounted "
                    "noexec); start its server with TMPDIR at another one"
                ) from error
            raise BenchError(
                f"{self.where}: it cannot load code for the target ({reason}); is its processor "
                "of that kind, and its TVM of this version?"
            ) from error
        self._allowance = read_allowance(self.read_text)
        if self._address:
            self._require_same_tvm()
            module.get_function("end_quietly")()

    def read_text(self, path: str) -> str:
        """Return a text file of the device; empty if it cannot be read."""
        return str(self._read_text(path))

    def list_names(self, path: str) -> list[str]:
        """Return what is in a directory of the device, sorted; empty if it cannot be read."""
        return sorted(str(self._list_names(path)).splitlines())

    def tvm_device(self, target: Target) -> Any:
        """Return TVM's handle of the processor that a target names."""
        return self.session.device(target.device_type, target.device_index)

    def accelerator(self, target: Target) -> Accelerator | None:
        """Return the properties of a target's accelerator; None for a CPU, which `state` describes.

        Raises BenchError if there is no such device.
        """
        return (
            None if target.device_type == CPU else accelerator_of(self.session, target, self.where)
        )

    def set_threads(self, threads: int, cores: tuple[int, ...] = ()) -> None:
        """Let TVM's thread pool on the device use that many threads, on these cores if any.

        Without cores TVM takes the fastest of the machine; where the session may use only some of
        them, it is given the fastest of those.

        Raises BenchError if the session may use fewer CPUs than threads or than are named.
        """
        allowance = self._allowance
        usable = allowance.count
        if usable is not None and threads > usable:
            raise BenchError(
                f"{self.where}: {threads} threads were asked for, and it may use "
                f"{allowance.words}; ask for {usable} at most"
                + (", or let it use more" if allowance.is_part or allowance.quota else "")
            )
        if cores:
            if barred := set(cores[:threads]) & set(allowance.online) - set(allowance.cpus):
                raise BenchError(
                    f"{self.where}: it may not use core {in_ranges(tuple(sorted(barred)))}, which "
                    f"the target names; it may use {allowance.words}"
                )
            others = [core for core in allowance.cpus if core not in cores]
            self._use(threads, [*cores, *others])
            # TVM lets the first thread, which is this session's own, run on all of them.
            if not self._pin(cores[0]):
                raise BenchError(
                    f"{self.where}: it has no core {cores[0]}; correct the target's cores"
                )
        elif allowance.is_part:
            self._use(threads, sorted(allowance.cpus, key=self._slowness)[:threads])
        else:
            self.session.get_function("runtime.config_threadpool")(_BIG_CORES, threads)
        pool = int(self.session.get_function("runtime.NumThreads")())
        if pool < threads:
            raise BenchError(
                f"{self.where}: TVM has {pool} threads there, not {threads}; ask for fewer, or "
                f"start its server with TVM_NUM_THREADS={threads}"
            )

    def _use(self, threads: int, cores: list[int]) -> None:
        """Have TVM's threads run on the next core each; the first, this session's own, on any.

        TVM's pool may be larger than what is used of it, and there is to be a core for each of it.
        """
        spare = max(len(self._allowance.online), threads)
        self._use_cores(threads, *islice(cycle(cores), max(spare, len(cores))))

    def fastest_cpus(self, threads: int, cores: tuple[int, ...] = ()) -> list[int]:
        """Return where another process is to run an inference with so many threads.

        That is on the first of these cores; without any, on all that are as fast as the fastest so
        many. Empty where Linux does not tell.
        """
        if cores:
            return list(cores[:threads])
        slowness = {core: self._slowness(core) for core in self._allowance.cpus}
        limit = max(sorted(slowness.values())[:threads], default=0)
        return [core for core, own in slowness.items() if own <= limit]

    def _slowness(self, core: int) -> int:
        frequency = f"/sys/devices/system/cpu/cpu{core}/cpufreq/cpuinfo_max_freq"
        return -int(self.read_text(frequency).strip() or 0)

    def tvm_version(self) -> str:
        """Return the version of TVM on the device; empty where it is no Python package."""
        for line in self.read_text("/proc/self/maps").splitlines():
            path = line.rpartition(" ")[2]
            if path.endswith("/tvm/lib/libtvm_runtime.so"):
                package = path.removesuffix("/lib/libtvm_runtime.so")
                for name in ("_version.py", "libinfo.py"):
                    found = _VERSION.search(self.read_text(f"{package}/{name}"))
                    if found:
                        return found[1]
        return ""

    def _require_same_tvm(self) -> None:
        there, here = self.tvm_version(), version("apache-tvm")
        if there and there != here:
            raise BenchError(
                f"{self.where}: it has TVM {there}, this is {here}; pip install "
                f"apache-tvm=={here} there"
            )

    def forget_peak(self) -> None:
        """Reset the peak of resident memory, where Linux allows that."""
        self._forget_peak()

    def resident_bytes(self) -> tuple[int, int]:
        """Return resident memory of the session's process, now and at its peak, in bytes."""
        status = fields_of(self.read_text("/proc/self/status"))
        return kib(status.get("VmRSS", "0")), kib(status.get("VmHWM", "0"))

    def heap_bytes(self) -> int | None:
        """Return what the session's process has taken from malloc; None where that is unknown."""
        taken = int(self._heap())
        return taken if taken >= 0 else None

    def instructions(self, module: Any, function: str, argument: str) -> int | None:
        """Return how many instructions this session's thread executes in a call of a function.

        None where nobody counts, which is so but on boards that are emulated with the plug-in.
        """
        counted = int(self._count_instructions(module, function, argument))
        return counted if counted >= 0 else None

    def call_ms(self, module: Any, function: str, argument: str, target: Target) -> float:
        """Return the milliseconds that one call of a module's function takes on the device."""
        return float(self._time_call(module, function, argument, *self._numbers_of(target)))

    def load_ms(self, library: str, params: str, target: Target) -> float:
        """Return the milliseconds from a network's files, by their paths there, to a machine.

        That is a virtual machine, ready for an input; it is given back. `params` is empty where the
        library finds its weights itself.
        """
        return float(self._time_load(library, params, *self._numbers_of(target)))

    def _numbers_of(self, target: Target) -> tuple[int, int]:
        """Return the type of a target's device and its number, as they are on the device itself."""
        there = self.tvm_device(target)
        return there.dlpack_device_type() % _RPC_DEVICES, there.index

    def state(self) -> DeviceState:
        """Read the device's description and state, and time the calibration kernel on it."""
        cpuinfo = self.read_text("/proc/cpuinfo")
        cpu = fields_of(cpuinfo)
        kernel = self.read_text("/proc/sys/kernel/arch").strip()  # Linux 6.1 and later
        emulated = "" not in (kernel, self._architecture) and kernel != self._architecture
        below = "flags" in cpu  # x86's word: some emulators show the file of the machine below
        load = self.read_text("/proc/loadavg").split()
        memory = fields_of(self.read_text("/proc/meminfo"))
        first = next(iter(self._allowance.cpus), 0)
        frequency = f"/sys/devices/system/cpu/cpu{first}/cpufreq/"
        current_khz = self.read_text(frequency + "scaling_cur_freq").strip()
        mhz = float(current_khz) / 1000 if current_khz else number(cpu.get("cpu MHz", ""))
        return DeviceState(
            address=self._address,
            host=self.read_text("/proc/sys/kernel/hostname").strip(),
            os=self.read_text("/proc/sys/kernel/osrelease").strip(),
            architecture=self._architecture,
            emulated=emulated,
            tvm_version=self.tvm_version(),
            cpu_model=cpu_model(cpuinfo) + (" (emulated)" if emulated else ""),
            cpu_cores=len(self._allowance.cpus) or None,
            cpu_flags=frozenset() if emulated and below else cpu_flags(cpuinfo),
            cpu_governor=self.read_text(frequency + "scaling_governor").strip(),
            cpu_mhz=mhz,
            temperature_c=self.temperature_c(),
            load_1m=float(load[0]) if load else None,
            memory_total_bytes=kib(memory["MemTotal"]) if "MemTotal" in memory else None,
            calibration_ms=float(self._calibrate()),
            allowance=replace(self._allowance, stopped_s=read_allowance(self.read_text).stopped_s),
        )

    def machine_speed(self, threads: int, cores: tuple[int, ...] = ()) -> MachineSpeed | None:
        """Time three fixed kernels on as many CPUs at once, on these cores if any.

        Returns None where no process can be started. What else runs is known only of a device
        whose processors are all this session's.
        """
        told = str(self._machine_speed(*(cores[:threads] or [-1] * threads))).split()
        if not told:
            return None
        *times, others = told
        whole = not self._allowance.is_part and self._allowance.quota is None
        arithmetic_ms, caches_ms, memory_ms = map(float, times)
        known = whole and int(others) >= 0
        return MachineSpeed(arithmetic_ms, caches_ms, memory_ms, int(others) if known else None)

    def temperature_c(self) -> float | None:
        """Return the hottest thermal zone, in degrees Celsius; None if there is none."""
        readings = []
        for zone in range(32):
            text = self.read_text(f"/sys/class/thermal/thermal_zone{zone}/temp").strip()
            if not text:
                break
            readings.append(float(text) / 1000)
        return max(readings, default=None)


def cool_down(target: Target, temperature_c: Callable[[], float | None]) -> None:
    """Wait until a device is as cool as its target asks; three minutes at most.

    Devices that do not report a temperature are not waited for.
    """
    end = time.monotonic() + _LONGEST_COOLING_S
    while target.cool_below_c is not None and time.monotonic() < end:
        temperature = temperature_c()
        if temperature is None or temperature < target.cool_below_c:
            return
        time.sleep(_COOLING_POLL_S)


def with_limits(target: Target, state: DeviceState) -> Target:
    """Return a target with the name and limits of its live device, where that is not the CPU."""
    if state.accelerator is None:
        return target
    return replace(target, limits=state.accelerator.limits, processor=state.accelerator.name)


def require_half(target: Target, state: DeviceState) -> None:
    """Raise BenchError if the device reports that its kernels cannot store float16."""
    if state.accelerator and state.accelerator.stores_half is False:
        raise BenchError(
            f"target {target.name}: {state.accelerator.name} has no {HALF}; leave out --precision "
            "float16"
        )


def require_flags(target: Target, state: DeviceState) -> None:
    """Raise BenchError if the device lacks instructions that the target's code would use."""
    if state.emulated and not state.cpu_flags:
        return  # what it tells is of the machine below
    missing = [flag for flag in target.cpu_flags if flag not in state.cpu_flags]
    if missing:
        raise BenchError(
            f"target {target.name}: {state.host} ({state.cpu_model}) lacks {', '.join(missing)}; "
            "choose another target, e.g. native"
        )
