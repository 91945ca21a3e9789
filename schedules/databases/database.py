"""What tuning found: the best tile of each kernel, in one JSON file per target.

A file is bound to a TVM version, whose passes and code generator it was measured with, and to a
vector unit. It serves its own target first, and others with the same vector unit after that.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import platformdirs

from mobilebench.schedules.machine import Processor
from mobilebench.targets.catalog.target import Target
from mobilebench.targets.errors import BenchError

PACKAGED = Path(__file__).parent
DIRECTORY_VARIABLE = "MOBILEBENCH_DATABASES"
_FORMAT = 2
_NAMES_IN_FORMAT_1 = {"device": "device_type", "guess_microseconds": "default_microseconds"}


@dataclass(frozen=True)
class Entry:
    """The best that is known for one kernel on so many threads."""

    kernel: str  # title and digest of the task
    threads: int
    tile: dict[str, Any] | None  # None: nothing was better than the template's default tile
    microseconds: float  # of a call inside the networks that were tuned; median
    default_microseconds: float  # the same with the default tile, measured beside it
    trials: int  # candidates measured


@dataclass(frozen=True)
class TileDatabase:
    """The entries of one file."""

    target: str
    vector_floats: int
    registers: int
    cpu_model: str  # that the entries were measured on
    device_type: str = "cpu"  # as TVM's runtime calls it
    emulated: bool = False  # the times are an emulator's, and say nothing of other targets
    tvm_version: str = field(default_factory=lambda: version("apache-tvm"))
    entries: tuple[Entry, ...] = ()

    @property
    def sha256(self) -> str:
        """The hash of its file."""
        return hashlib.sha256(_text(self).encode()).hexdigest()

    def fits(self, machine: Processor) -> bool:
        """Whether code for that machine may use the entries."""
        own = (self.device_type, self.vector_floats, self.registers)
        return own == (machine.device_type, machine.vector_floats, machine.registers)

    def updated(self, entries: Iterable[Entry]) -> "TileDatabase":
        """Return a database with these entries in place of those of the same kernels."""
        merged = {(one.kernel, one.threads): one for one in (*self.entries, *entries)}
        return replace(self, entries=tuple(merged[key] for key in sorted(merged)))


def user_directory() -> Path:
    """Return where `tune` keeps databases: $MOBILEBENCH_DATABASES, or the user's data directory.

    Raises BenchError for a user without a home.
    """
    if chosen := os.environ.get(DIRECTORY_VARIABLE):
        return Path(chosen)
    try:
        return Path(platformdirs.user_data_dir("mobilebench")) / "databases"
    except RuntimeError as error:
        raise BenchError(
            "tuned databases: this user has no home directory; set HOME, or point "
            f"{DIRECTORY_VARIABLE} at a directory that can be written"
        ) from error


def directories() -> tuple[Path, ...]:
    """Return where databases are looked for: the user's directory if any, then the project's."""
    try:
        return (user_directory(), PACKAGED)
    except BenchError:
        return (PACKAGED,)


def find_databases(
    directories: Iterable[Path], target: Target, machine: Processor
) -> tuple[list[TileDatabase], list[str]]:
    """Return the databases that serve a target, the most specific first, and what was refused.

    What was tuned on one OpenCL device serves no other, not even under the same target.

    A refusal is one line that says which file, why, and what to do; the code is then built with the
    templates' default tiles.
    """
    own: list[TileDatabase] = []
    kindred: list[TileDatabase] = []
    refused: list[str] = []
    for directory in directories:
        for path in sorted(directory.glob("*.json")):
            try:
                database = read_database(path)
            except BenchError as error:
                refused.append(str(error))
                continue
            if not database.fits(machine):
                continue
            if database.target != target.name:
                kindred += [database] if _serves_others(database) else []
            elif target.processor in ("", database.cpu_model):
                own.append(database)
    return own + kindred, refused


def _serves_others(database: TileDatabase) -> bool:
    """Whether what was measured on one device may hold for another: not on GPUs, or emulated."""
    return database.device_type == "cpu" and not database.emulated


def read_database(path: Path) -> TileDatabase:
    """Read a file; raises BenchError for one that is damaged or of another TVM version."""
    try:
        table = json.loads(path.read_text())
        if table.pop("format") not in (1, _FORMAT):
            raise ValueError("it has another format")
        entries = tuple(Entry(**_renamed(entry)) for entry in table.pop("entries"))
        database = TileDatabase(**_renamed(table), entries=entries)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise BenchError(
            f"tuned database {path}: damaged ({reason}); default tiles are used instead; delete "
            "it and run `mobilebench tune`"
        ) from error
    here = version("apache-tvm")
    if database.tvm_version != here:
        raise BenchError(
            f"tuned database {path}: made with TVM {database.tvm_version}, this is {here}; default "
            "tiles are used instead; run `mobilebench tune`"
        )
    return database


def _renamed(table: dict[str, Any]) -> dict[str, Any]:
    """Return a table of a file with the names that format 2 has for its fields."""
    return {_NAMES_IN_FORMAT_1.get(key, key): value for key, value in table.items()}


def write_database(path: Path, database: TileDatabase) -> None:
    """Write a file at once and whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".writing")
    scratch.write_text(_text(database))
    scratch.replace(path)


def _text(database: TileDatabase) -> str:
    """Return a file's text, a line per entry so that changes can be read."""
    head = asdict(database)
    entries = head.pop("entries")
    fields = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    lines = ",\n".join("  " + json.dumps(entry) for entry in entries)
    text = ",\n".join([f'"format": {_FORMAT}', *fields, f'"entries": [\n{lines}\n]'])
    return "{" + text + "}\n"
