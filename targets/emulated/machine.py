"""What an emulated board says of itself: its processor's name and features, and its host name.

qemu shows files of the machine below where the board's root has none of that name; old versions
show its /proc/cpuinfo too, on which libraries that look for an Arm processor stumble.
"""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mobilebench.targets.catalog.arm_cores import core_of
from mobilebench.targets.catalog.instruction_sets import arm_features
from mobilebench.targets.emulated.image import write_launcher
from mobilebench.targets.errors import BenchError

# What the processor has, by what qemu tells every program: AT_HWCAP and AT_HWCAP2.
_ASK = (
    "import struct; words = struct.iter_unpack('QQ', open('/proc/self/auxv', 'rb').read()); "
    "found = dict(words); print(found.get(16, 0), found.get(26, 0))"
)
# Where programs and libraries lie. Of a directory in which the cache may lie there must be no link:
# who resolves a path of the cache would be led into the image.
_LINKED = ("bin", "etc", "lib", "lib64", "sbin", "usr")
_CPUINFO = """processor\t: 0
Features\t: {features}
CPU implementer\t: {implementer}
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: {part}
CPU revision\t: 0
"""


@dataclass(frozen=True)
class Machine:
    """An emulated board's hardware and name."""

    qemu: Path
    cpu: str
    host: str
    options: tuple[str, ...] = ()  # for qemu
    packages: tuple[Path, ...] = ()  # directories of further Python packages


def make_machine(machine: Machine, image: Path, directory: Path) -> Path:
    """Return the launcher of a board's Python; what is made in `directory` is made anew.

    The board's root is the image's, but for the files in which a machine tells what it is. Raises
    BenchError if qemu does not run.
    """
    shutil.rmtree(directory, ignore_errors=True)
    root = directory / "root"
    (root / "proc/sys/kernel").mkdir(parents=True)
    for name in _LINKED:
        if (image / "root" / name).exists():
            (root / name).symlink_to(image / "root" / name)
    (root / "proc/sys/kernel/hostname").write_text(f"{machine.host}\n")
    cpu, options = machine.cpu, machine.options
    launcher = write_launcher(
        *(directory / "python", image, root, machine.qemu, cpu, options), packages=machine.packages
    )
    (root / "proc/cpuinfo").write_text(_cpuinfo(cpu, _features(launcher)))
    return launcher


def _features(launcher: Path) -> Sequence[str]:
    """Return the features of the emulated CPU, as Linux names them."""
    command = [str(launcher), "-S", "-E", "-c", _ASK]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise BenchError(f"qemu cannot run the board's Python: {lines[-1]}")
    return arm_features(*map(int, done.stdout.split()))


def _cpuinfo(cpu: str, features: Sequence[str]) -> str:
    implementer, part = core_of(cpu)
    return _CPUINFO.format(features=" ".join(features), implementer=implementer, part=part)
