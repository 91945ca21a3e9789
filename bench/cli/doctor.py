"""`mobilebench doctor`: what is installed here, what is missing, and how to get it."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from rich.console import Console

from mobilebench.bench.cache import cache_directory
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.sessions import device_state
from mobilebench.bench.prediction.executions import EMULATOR, EXTRA
from mobilebench.bench.prediction.llvm_tools import find_llvm_tools
from mobilebench.bench.runtimes.runtime import RUNTIMES
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.devices.device import DeviceState
from mobilebench.targets.devices.own_name import DEVICE_VARIABLE, own_device_name
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import START_LIMIT_S, WorkerError
from mobilebench.targets.sensors.files import Files, LocalFiles
from mobilebench.targets.sensors.power import POWERCAP, find_power
from mobilebench.targets.toolchains.toolchain import (
    AARCH64_ANDROID,
    AARCH64_LINUX,
    HOST,
    find_toolchain,
)

_ENOUGH_BYTES = 4e9

Verdict = Literal["ok", "advice", "missing"]
_STYLES: dict[Verdict, str] = {"ok": "green", "advice": "yellow", "missing": "bold red"}


@dataclass(frozen=True)
class CheckResult:
    """One thing that was checked; without what is `missing` nothing can be measured."""

    verdict: Verdict
    what: str
    found: str
    remedy: str = ""


def doctor_command() -> int:
    """Print one line per check; return 1 if anything that a run needs is missing."""
    console = Console(highlight=False)
    ready = True
    for finding in _check_all():
        ready = ready and finding.verdict != "missing"
        style = _STYLES[finding.verdict]
        console.print(f"[{style}]{finding.verdict:<8}[/]", f"{finding.what:<16}", end="")
        console.print(finding.found, markup=False, soft_wrap=True)
        if finding.remedy:
            console.print(" " * 26 + finding.remedy, markup=False, soft_wrap=True)
    if ready:
        console.print("Ready. Start with: mobilebench run")
    return 0 if ready else 1


def _check_all() -> Iterator[CheckResult]:
    yield CheckResult("ok", "python", sys.version.split()[0])
    yield from (_package(name) for name in ("apache-tvm", "apache-tvm-ffi", "torch", "onnx"))
    for entry in RUNTIMES.values():
        if entry.extra:
            yield _extra(entry.name, entry.version(), entry.extra)
    yield _extra("pycocotools", _installed("pycocotools"), "data")
    yield _extra("nncf", _installed("nncf"), "nncf")
    yield _extra(EMULATOR, _installed(EMULATOR), EXTRA)
    yield _advised("llvm-mca", lambda: f"LLVM {find_llvm_tools().version}")
    yield _attempted("C++ compiler", partial(_toolchain_version, HOST))
    for name in (AARCH64_LINUX, AARCH64_ANDROID):
        yield _advised(name, partial(_toolchain_version, name))
    yield _attempted("cache", lambda: str(cache_directory()))
    free = shutil.disk_usage(Path.cwd()).free
    yield CheckResult(
        "ok" if free > _ENOUGH_BYTES else "advice",
        "disk",
        f"{free / 1e9:.1f} GB free in this directory",
        ""
        if free > _ENOUGH_BYTES
        else "a run of all published networks needs about 1 GB, cache included",
    )
    state: list[DeviceState] = []
    yield _attempted("this machine", lambda: _probe_cpu(state))
    named = f"{DEVICE_VARIABLE} names it otherwise, e.g. to go on with another name's history"
    yield CheckResult("ok", "name in records", own_device_name(), named)
    yield _advised("OpenCL", _probe_opencl)
    yield check_power(LocalFiles())
    for known in state:
        yield from _check_quiet(known)


def _package(name: str) -> CheckResult:
    pinned, found = _requirement(name), _installed(name)
    if found and pinned.specifier.contains(found):
        return CheckResult("ok", name, found)
    return CheckResult("missing", name, found or "not installed", f"pip install '{pinned}'")


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@cache
def _requirement(name: str) -> Requirement:
    """Return which version of a package this project's metadata requires."""
    asked = (Requirement(line) for line in requires("mobilebench") or ())
    return next(one for one in asked if one.name == name)


def _extra(name: str, installed: str | None, extra: str) -> CheckResult:
    if installed:
        return CheckResult("ok", name, installed)
    return CheckResult("advice", name, "not installed", f"pip install 'mobilebench[{extra}]'")


def _attempted(what: str, attempt: Callable[[], str]) -> CheckResult:
    try:
        return CheckResult("ok", what, attempt())
    except (BenchError, WorkerError) as error:
        # Messages of BenchError end with what to do, after a semicolon.
        problem, _, remedy = str(error).partition("; ")
        return CheckResult("missing", what, problem, remedy)


def _toolchain_version(name: str) -> str:
    return find_toolchain(name).version()


def _advised(what: str, attempt: Callable[[], str]) -> CheckResult:
    """Check something that only some targets need."""
    found = _attempted(what, attempt)
    return replace(found, verdict="advice") if found.verdict == "missing" else found


def _probe_cpu(state: list[DeviceState]) -> str:
    """Start the RPC server that every measurement uses, and describe the processor it runs on."""
    found = device_state(
        MeasurementConfig(find_target("native"), 1, START_LIMIT_S, cache_directory())
    )
    state.append(found)
    return (
        f"{found.cpu_model}, {found.allowance.words}; the RPC server works, calibration kernel "
        f"{found.calibration_ms:.2f} ms"
    )


def _probe_opencl() -> str:
    """Start the RPC server and describe the OpenCL device that target `opencl` stands for."""
    found = device_state(
        MeasurementConfig(find_target("opencl"), 1, START_LIMIT_S, cache_directory())
    )
    assert found.accelerator is not None
    half = "float16" if found.accelerator.stores_half else "no float16"
    return f"{found.accelerator.name}, driver {found.accelerator.driver}, {half}"


def check_power(files: Files) -> CheckResult:
    """Say what tells the energy of inferences here, or why nothing does."""
    source, why_not = find_power(files)
    if source and not why_not:
        return CheckResult("ok", "energy", source.name)
    if POWERCAP in why_not:
        remedy = f"until the next boot: sudo chmod a+r {POWERCAP}/intel-rapl:*/energy_uj"
    else:
        remedy = "--power-meter COMMAND measures with a meter of your own"
    found = "; ".join(filter(None, (why_not, f"{source.name} is taken" if source else "")))
    return CheckResult("advice", "energy", found or "this machine does not tell its power", remedy)


def _check_quiet(state: DeviceState) -> Iterator[CheckResult]:
    if state.allowance.quota is not None:
        yield CheckResult(
            "advice",
            "CPU quota",
            f"{state.allowance.quota:g} CPUs' time",
            "it stops inferences that use it up; give whole CPUs instead, e.g. with a cpuset",
        )
    if state.architecture == "x86_64" and state.cpu_flags and "avx2" not in state.cpu_flags:
        yield CheckResult(
            "advice",
            "instruction sets",
            "no AVX2",
            "native has code for what there is, vectors of 128 bits; x86-64-v3 and v4 are refused",
        )
    if state.cpu_governor not in ("", "performance"):
        yield CheckResult(
            "advice",
            "governor",
            state.cpu_governor,
            "the clock frequency will vary; fix it: sudo cpupower frequency-set -g performance",
        )
    if state.load_1m is not None and state.load_1m > 0.5:
        yield CheckResult(
            "advice",
            "load",
            f"{state.load_1m:.2f} on average in the last minute",
            "other programs slow the measurements down; affected rows carry a warning",
        )
