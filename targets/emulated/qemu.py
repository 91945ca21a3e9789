"""The emulator of programs for 64-bit Arm, and the processors that it has."""

import re
import shutil
import subprocess
from pathlib import Path

from mobilebench.targets.catalog.target import Target
from mobilebench.targets.errors import BenchError, unknown

ANY = "max"
"""The emulated CPU that has every instruction which qemu knows."""
_PROGRAMS = ("qemu-aarch64", "qemu-aarch64-static")


def find_qemu() -> Path:
    """Return the emulator, one that takes plug-ins if there is any.

    Debian's static one takes none. Raises BenchError if none is installed.
    """
    found = [Path(path) for path in map(shutil.which, _PROGRAMS) if path]
    if not found:
        raise BenchError("no qemu-aarch64; apt-get install qemu-user")
    return next(filter(takes_plugins, found), found[0])


def takes_plugins(qemu: Path) -> bool:
    """Whether the emulator was built with support for plug-ins."""
    return "-plugin" in _output(qemu, "-h")


def known_cpus(qemu: Path) -> tuple[str, ...]:
    """Return the names of the CPUs that it emulates."""
    return tuple(re.findall(r"^\s+(\S+)\s*$", _output(qemu, "-cpu", "help"), re.MULTILINE))


def cpu_of(target: Target, qemu: Path, asked: str = "") -> str:
    """Return the emulated CPU of a target's boards: the one that was asked for, if any.

    Else it is the CPU that the target's code is made for, or `max` where qemu does not have that.
    Raises BenchError for a CPU that it does not emulate.
    """
    known = known_cpus(qemu)
    if asked:
        if asked not in known:
            raise unknown("emulated CPU", asked, known)
        return asked
    own = str(target.tvm.get("mcpu", ""))
    return own if own in known else ANY


def _output(qemu: Path, *arguments: str) -> str:
    done = subprocess.run([qemu, *arguments], capture_output=True, text=True, check=False)
    return done.stdout
