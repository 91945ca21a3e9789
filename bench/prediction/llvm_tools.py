"""LLVM's programs that read machine code and model processors, as they are installed here."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mobilebench.targets.errors import BenchError

OLDEST = 19
"""Version of LLVM from which on its models of Neoverse N1 and V1 are these processors' own."""
_NEWEST = 60  # that programs are looked for
_PROGRAMS = ("llvm-objdump", "llvm-mca")


@dataclass(frozen=True)
class LlvmTools:
    """Programs of one version of LLVM."""

    version: str
    objdump: Path
    mca: Path

    @property
    def major(self) -> int:
        """The first number of the version."""
        return int(self.version.partition(".")[0])


def find_llvm_tools(version: int | None = None) -> LlvmTools:
    """Return the programs of a version of LLVM, or of the newest that is installed here.

    Raises BenchError, saying what to install, if they are not there, or too old.
    """
    if version is not None and version < OLDEST:
        raise BenchError(
            f"llvm {version}: its models of Arm's cores are wrong by twice; LLVM {OLDEST} or newer "
            f"is needed: apt-get install llvm-{OLDEST}"
        )
    wanted = range(_NEWEST, OLDEST - 1, -1) if version is None else (version,)
    found = (_tools(suffix) for suffix in (*(f"-{one}" for one in wanted), ""))
    for one in found:
        if one and one.major in wanted:
            return one
    asked = f"LLVM {version}" if version else f"LLVM {OLDEST} or newer"
    raise BenchError(
        f"no llvm-mca and llvm-objdump of {asked}; apt-get install llvm-{version or OLDEST}"
    )


def _tools(suffix: str) -> LlvmTools | None:
    paths = [shutil.which(f"{program}{suffix}") for program in _PROGRAMS]
    if not all(paths):
        return None
    objdump, mca = (Path(str(path)) for path in paths)
    told = subprocess.run([mca, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"LLVM version (\d+)(\S*)", told)
    return LlvmTools("".join(version.groups()), objdump, mca) if version else None
