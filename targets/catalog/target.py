"""Where code runs: targets, read from one TOML file each."""

import os
import tomllib
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    TypeAdapter,
    ValidationError,
)

from mobilebench.targets.errors import BenchError, unknown
from mobilebench.targets.toolchains.toolchain import TOOLCHAINS
from mobilebench.targets.validation import Place, first_problem, unknown_key

CATALOG = Path(__file__).parent
SEARCH_PATH_VARIABLE = "MOBILEBENCH_TARGETS"

CPU, OPENCL = "cpu", "opencl"
_TVM_KEYS = ("kind", "mcpu", "mattr", "mtriple", "keys")
_NOT_IN_FILES = (
    "name",
    "processor",
)  # the first comes from the file's name, the second from the device
_PARTS = {
    "limits": "a whole number above 0",
    "cores": "numbers of processors",
    "cpu_flags": "strings",
}
_RENAMED = {"device": "device_type", "key": "tracker_key"}


def _known_toolchain(name: str) -> str:
    if name not in TOOLCHAINS:
        raise ValueError(f"toolchain is {name!r}; allowed are {', '.join(TOOLCHAINS)}")
    return name


def _one_word(key: str) -> str:
    if key and key.split() != [key]:
        raise ValueError(f"tracker_key must be one word, not {key!r}")
    return key


def _temperature(degrees: float | None) -> float | None:
    if degrees is not None and not 0 < degrees < 200:
        raise ValueError("cool_below_c must be a temperature in degrees Celsius")
    return degrees


Layout = Literal["NHWC", "NCHW"]
DeviceType = Literal["cpu", "opencl"]
Limit = Annotated[int, Field(ge=1, strict=True)]
Number = Annotated[int, Field(ge=0, strict=True)]


@dataclass(frozen=True)
class Limits:
    """Limits of an OpenCL device; the defaults are safe for any device."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    work_group: Limit = 256  # most work items of a group
    local_bytes: Limit = 16384  # that a group shares
    subgroup: Limit = 1  # work items in step
    vector_floats: Limit = 4  # that a work item loads at once
    compute_units: Limit = 1


@dataclass(frozen=True)
class Target:
    """A kind of processor, as the compiler and the runtime need to know it."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    description: str
    device_type: DeviceType  # device kind of TVM's runtime
    tvm: dict[str, Any]  # TVM's target; mcpu "native" stands for this machine's CPU
    host: dict[str, Any] = field(default_factory=dict)  # and that of the CPU beside the device
    limits: Limits | None = None  # of an OpenCL device; None: asked of it when it is live
    processor: str = ""  # the live device's own name, where it is not the CPU
    device_index: Number = 0
    layout: Layout = "NHWC"  # of convolutions
    toolchain: Annotated[str, AfterValidator(_known_toolchain)] = "host"
    # Instruction sets of /proc/cpuinfo without which the code traps.
    cpu_flags: tuple[str, ...] = ()
    # Of its boards at an RPC tracker; empty: this machine is the device.
    tracker_key: Annotated[str, AfterValidator(_one_word)] = ""
    # For an inference's threads, the best first; empty: TVM chooses.
    cores: tuple[Number, ...] = ()
    # Hottest that a board may be when a measurement begins.
    cool_below_c: Annotated[StrictFloat | None, AfterValidator(_temperature)] = None
    emulated: StrictBool = False  # its times are an emulator's

    @property
    def has_peers(self) -> bool:
        """Whether runtimes other than TVM are measured beside it, which is so on CPUs alone."""
        return self.device_type == CPU


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
    """Return every known target, in alphabetical order."""
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
        return _parse({"name": path.stem}, table)
    except ValueError as error:
        raise BenchError(f"target file {path}: {error}") from error


def check_target_values(target: Target) -> None:
    """Raise ValueError for a target whose values a target file may not have."""
    try:
        _adapter().validate_python(asdict(target))
    except ValidationError as error:
        raise ValueError(first_problem(error, _name_of, _unknown, _PARTS)) from error


def _parse(given: dict[str, str], table: dict[str, Any]) -> Target:
    """Return the target of a file's table; raises ValueError for the first thing that is wrong."""
    for key in table:
        if key in _RENAMED:
            raise ValueError(f"{key} is called {_RENAMED[key]} now")
        if key in _NOT_IN_FILES:
            raise ValueError(_unknown((key,)))
    if table.get("tracker_key") == "":
        raise ValueError("tracker_key must be one word, not ''")
    try:
        return _adapter().validate_python(given | table)
    except ValidationError as error:
        raise ValueError(first_problem(error, _name_of, _unknown, _PARTS)) from error


@cache
def _adapter() -> TypeAdapter[Target]:
    return TypeAdapter(Annotated[Target, AfterValidator(_consistent)])


def _consistent(target: Target) -> Target:
    """Raise ValueError for keys that contradict each other."""
    tables = {"tvm": target.tvm, "host": target.host}
    for name, table in tables.items():
        for key in table:
            if key not in _TVM_KEYS:
                raise ValueError(unknown_key(key, f"[{name}]", _TVM_KEYS))
    for name in tables if target.device_type != CPU else ("tvm",):
        if "kind" not in tables[name]:
            raise ValueError(f"kind is missing in [{name}]")
    if target.emulated and not target.tracker_key:
        raise ValueError("emulated boards have a tracker_key, which is missing")
    return target


def _name_of(place: Place) -> str:
    """Return a key as a reader of the file finds it."""
    match place:
        case ():
            return ""
        case ("limits", str(key)):
            return f"{key} in [limits]"
        case (("limits" | "tvm" | "host") as table,):
            return table
    return str(place[0])


def _unknown(place: Place) -> str:
    key = str(place[-1])
    inside, kind = ("[limits]", Limits) if len(place) > 1 else ("", Target)
    names = [field.name for field in fields(kind) if field.name not in _NOT_IN_FILES]
    return unknown_key(key, inside, names)


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
