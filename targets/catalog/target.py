"""Where code runs: targets, read from one TOML file each."""

import os
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from mobilebench.targets.errors import BenchError, unknown
from mobilebench.targets.toolchains.toolchain import TOOLCHAINS

CATALOG = Path(__file__).parent
SEARCH_PATH_VARIABLE = "MOBILEBENCH_TARGETS"

CPU, OPENCL = "cpu", "opencl"
_DEVICES = (CPU, OPENCL)
_LAYOUTS = ("NHWC", "NCHW")
_TVM_KEYS = ("kind", "mcpu", "mattr", "mtriple", "keys")


@dataclass(frozen=True)
class Limits:
    """What an OpenCL device bears; the defaults are what a device may be trusted with."""

    work_group: int = 256  # most work items of a group
    local_bytes: int = 16384  # that a group shares
    subgroup: int = 1  # work items in step
    vector_floats: int = 4  # that a work item loads at once
    compute_units: int = 1


@dataclass(frozen=True)
class Target:
    """A kind of processor, as the compiler and the runtime need to know it."""

    name: str
    description: str
    device_type: str  # device kind of TVM's runtime
    tvm: dict[str, Any]  # TVM's target; mcpu "native" stands for this machine's CPU
    host: dict[str, Any] = field(default_factory=dict)  # and that of the CPU beside the device
    limits: Limits | None = None  # of an OpenCL device; None: asked of it when it is live
    processor: str = ""  # the live device's own name, where it is not the CPU
    device_index: int = 0
    layout: str = "NHWC"  # of convolutions
    toolchain: str = "host"
    cpu_flags: tuple[str, ...] = ()  # of /proc/cpuinfo, without which code traps
    tracker_key: str = ""  # of its boards at an RPC tracker; empty: this machine is the device
    cores: tuple[int, ...] = ()  # for an inference's threads, the best first; empty: TVM chooses
    cool_below_c: float | None = None  # hottest that a board may be when a measurement begins
    emulated: bool = False  # its times are an emulator's

    @property
    def has_peers(self) -> bool:
        """Whether other runtimes than TVM can run on it: on this machine's CPU they can."""
        return self.device_type == CPU and not self.tracker_key


_KINDS: dict[str, Any] = {
    "description": str,
    "device_type": str,
    "tvm": dict,
    "host": dict,
    "limits": dict,
    "device_index": int,
    "layout": str,
    "toolchain": str,
    "cpu_flags": list,
    "tracker_key": str,
    "cores": list,
    "cool_below_c": (int, float),
    "emulated": bool,
}
_ALLOWED = {"device_type": _DEVICES, "layout": _LAYOUTS, "toolchain": TOOLCHAINS}


def find_target(name: str) -> Target:
    """Return a target by its name in the catalogue, or read it from a path ending in `.toml`.

    Directories in the environment variable MOBILEBENCH_TARGETS are searched before the catalogue
    that comes with the project. Raises BenchError for an unknown name or a bad file.
    """
    if name.endswith(".toml"):
        return read_target(Path(name))
    files = _files()
    if name not in files:
        raise unknown("target", name, sorted(files))
    return read_target(files[name])


def all_targets() -> list[Target]:
    """Return every target that can be named, in alphabetical order."""
    return [read_target(path) for _, path in sorted(_files().items())]


def read_target(path: Path) -> Target:
    """Read a target file.

    Raises BenchError naming the file, the key and what is allowed.
    """
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise BenchError(f"target file {path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BenchError(f"target file {path}: {error}") from error
    try:
        _check(table)
    except ValueError as error:
        raise BenchError(f"target file {path}: {error}") from error
    for key in ("cpu_flags", "cores"):
        table[key] = tuple(table.get(key, ()))
    if "limits" in table:
        table["limits"] = Limits(**table["limits"])
    return Target(name=path.stem, **table)


def check_target_values(target: Target) -> None:
    """Raise ValueError for a target that no file could have described."""
    given = {field.name: field.default for field in fields(Target)}
    table = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in asdict(target).items()
        if key in _KINDS and value not in (given[key], {}, ())
    }
    _check(table)


def _check(table: dict[str, Any]) -> None:
    """Raise ValueError naming the first key that is wrong, and what is allowed."""
    for key, value in table.items():
        if key not in _KINDS:
            raise ValueError(f"unknown key {key!r}; allowed are {', '.join(_KINDS)}")
        kinds = _KINDS[key] if isinstance(_KINDS[key], tuple) else (_KINDS[key],)
        if type(value) not in kinds:
            names = " or ".join(kind.__name__ for kind in kinds)
            raise ValueError(f"{key} must be of type {names}, not {value!r}")
        if key in _ALLOWED and value not in _ALLOWED[key]:
            raise ValueError(f"{key} is {value!r}; allowed are {', '.join(_ALLOWED[key])}")
    for key in ("description", "device_type", "tvm"):
        if key not in table:
            raise ValueError(f"{key} is missing")
    _check_keys(table, "tvm", _TVM_KEYS)
    _check_keys(table, "host", _TVM_KEYS)
    _check_keys(table, "limits", [field.name for field in fields(Limits)])
    for name in ("tvm", "host") if table["device_type"] != CPU else ("tvm",):
        if "kind" not in table.get(name, {}):
            raise ValueError(f"kind is missing in [{name}]")
    _check_values(table)


def _check_keys(table: dict[str, Any], name: str, allowed: Sequence[str]) -> None:
    for key in table.get(name, ()):
        if key not in allowed:
            raise ValueError(f"unknown key {key!r} in [{name}]; allowed are {', '.join(allowed)}")


def _check_values(table: dict[str, Any]) -> None:
    """Raise ValueError for a value of the right type that means nothing."""
    for flag in table.get("cpu_flags", ()):
        if not isinstance(flag, str):
            raise ValueError(f"cpu_flags must be strings, not {flag!r}")
    for core in table.get("cores", ()):
        if type(core) is not int or core < 0:
            raise ValueError(f"cores must be numbers of processors, not {core!r}")
    for name, limit in table.get("limits", {}).items():
        if type(limit) is not int or limit < 1:
            raise ValueError(f"{name} in [limits] must be a whole number above 0, not {limit!r}")
    if not 0 < table.get("cool_below_c", 1) < 200:
        raise ValueError("cool_below_c must be a temperature in degrees Celsius")
    if table.get("emulated") and "tracker_key" not in table:
        raise ValueError("emulated boards have a tracker_key, which is missing")
    if "tracker_key" in table and table["tracker_key"].split() != [table["tracker_key"]]:
        raise ValueError(f"tracker_key must be one word, not {table['tracker_key']!r}")
    if table.get("device_index", 0) < 0:
        raise ValueError("device_index must be 0 or more")


def _files() -> dict[str, Path]:
    directories = [CATALOG]
    directories += [
        Path(entry) for entry in os.environ.get(SEARCH_PATH_VARIABLE, "").split(os.pathsep) if entry
    ]
    found = {}
    for directory in directories:  # later ones win
        if not directory.is_dir():
            raise BenchError(f"{SEARCH_PATH_VARIABLE}: {directory} is not a directory")
        found.update({path.stem: path for path in directory.glob("*.toml")})
    return found
