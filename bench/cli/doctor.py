"""`mobilebench doctor`: what this machine has, what it lacks, and how to get that."""

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
from mobilebench.bench.runtimes.runtime import RUNTIMES
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.devices.device import DeviceState
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import START_LIMIT_S, WorkerError
from mobilebench.targets.toolchains.toolchain import (
    AARCH64_ANDROID,
    AARCH64_LINUX,
    HOST,
    find_toolchain,
)

_ROOMY_BYTES = 4e9

Verdict = Literal["ok", "advice", "missing"]
_STYLES: dict[Verdict, str] = {"ok": "green", "advice": "yellow", "missing": "bold red"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `missing` means that nothing can be measured without it."""

    verdict: Verdict
    what: str
    found: str
    remedy: str = ""


def doctor_command() -> int:
    """Print one line per finding; return 1 if anything that a run needs is missing."""
    console = Console(highlight=False)
    ready = True
    for finding in _evaluate():
        ready = ready and finding.verdict != "missing"
        style = _STYLES[finding.verdict]
        console.print(f"[{style}]{finding.verdict:<8}[/]", f"{finding.what:<16}", end="")
        console.print(finding.found, markup=False, soft_wrap=True)
        if finding.remedy:
            console.print(" " * 26 + finding.remedy, markup=False, soft_wrap=True)
    if ready:
        console.print("ready: mobilebench run")
    return 0 if ready else 1


def _evaluate() -> Iterator[Finding]:
    yield Finding("ok", "python", sys.version.split()[0])
    yield from (_package(name) for name in ("apache-tvm", "apache-tvm-ffi", "torch", "onnx"))
    for entry in RUNTIMES.values():
        if entry.extra:
            yield _extra(entry.name, entry.version(), entry.extra)
    yield _extra("pycocotools", _installed("pycocotools"), "data")
    yield _attempted("C++ compiler", partial(_toolchain_version, HOST))
    for name in (AARCH64_LINUX, AARCH64_ANDROID):
        yield _advised(name, partial(_toolchain_version, name))
    yield _attempted("cache", lambda: str(cache_directory()))
    free = shutil.disk_usage(Path.cwd()).free
    yield Finding(
        "ok" if free > _ROOMY_BYTES else "advice",
        "disk",
        f"{free / 1e9:.1f} GB free here",
        "" if free > _ROOMY_BYTES else "a full grid with its cache takes about 1 GB",
    )
    state: list[DeviceState] = []
    yield _attempted("this machine", lambda: _meet(state))
    yield _advised("OpenCL", _meet_opencl)
    for known in state:
        yield from _quietness(known)


def _package(name: str) -> Finding:
    pinned, found = _requirement(name), _installed(name)
    if found and pinned.specifier.contains(found):
        return Finding("ok", name, found)
    return Finding("missing", name, found or "not installed", f"pip install '{pinned}'")


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@cache
def _requirement(name: str) -> Requirement:
    """Return what this project's own metadata asks of a package."""
    asked = (Requirement(line) for line in requires("mobilebench") or ())
    return next(one for one in asked if one.name == name)


def _extra(name: str, installed: str | None, extra: str) -> Finding:
    if installed:
        return Finding("ok", name, installed)
    return Finding("advice", name, "not installed", f"pip install 'mobilebench[{extra}]'")


def _attempted(what: str, attempt: Callable[[], str]) -> Finding:
    try:
        return Finding("ok", what, attempt())
    except (BenchError, WorkerError) as error:
        # A refusal says what is wrong, where, and what to do, in that order.
        problem, _, remedy = str(error).partition("; ")
        return Finding("missing", what, problem, remedy)


def _toolchain_version(name: str) -> str:
    return find_toolchain(name).version()


def _advised(what: str, attempt: Callable[[], str]) -> Finding:
    """Report what only some targets need."""
    found = _attempted(what, attempt)
    return replace(found, verdict="advice") if found.verdict == "missing" else found


def _meet(state: list[DeviceState]) -> str:
    """Start the RPC server that every measurement goes through, and ask it what it runs on."""
    found = device_state(
        MeasurementConfig(find_target("native"), 1, START_LIMIT_S, cache_directory())
    )
    state.append(found)
    return (
        f"{found.cpu_model}, {found.cpu_cores} cores; its RPC server answers, calibration kernel "
        f"{found.calibration_ms:.2f} ms"
    )


def _meet_opencl() -> str:
    """Ask the same of the OpenCL device that target `opencl` is."""
    found = device_state(
        MeasurementConfig(find_target("opencl"), 1, START_LIMIT_S, cache_directory())
    )
    assert found.accelerator is not None
    half = "float16" if found.accelerator.stores_half else "no float16"
    return f"{found.accelerator.name}, driver {found.accelerator.driver}, {half}"


def _quietness(state: DeviceState) -> Iterator[Finding]:
    if state.cpu_governor not in ("", "performance"):
        yield Finding(
            "advice",
            "governor",
            state.cpu_governor,
            "clocks will move: sudo cpupower frequency-set -g performance",
        )
    if state.load_1m is not None and state.load_1m > 0.5:
        yield Finding(
            "advice",
            "load",
            f"{state.load_1m:.2f} in the last minute",
            "other work will show in the latencies; rows say so when it does",
        )
