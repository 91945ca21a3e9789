"""LLVM's programs that read machine code and model processors, as they are installed here."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mobilebench.targets.errors import BenchError

OLDEST = 19
"""Version of LLVM from which on its models of Neoverse N1 and V1 are these processors' own."""
_NEWEST_TRIED = 30
_PROGRAMS = ("llvm-objdump", "llvm-mca")


@dataclass(frozen=True)
class LlvmTools:
    """Programs of one version of LLVM."""

    version: str
    objdump: Path
    mca: Path


def find_llvm_tools() -> LlvmTools:
    """Return the newest LLVM's programs that are installed here.

    Raises BenchError, saying what to install, if there are none, or only old ones.
    """
    found = [_tools(f"-{version}") for version in range(_NEWEST_TRIED, OLDEST - 1, -1)]
    newest = next((one for one in (*found, _tools("")) if one), None)
    if newest is None:
        raise BenchError(
            f"no llvm-mca and llvm-objdump of LLVM {OLDEST} or newer; apt-get install llvm-{OLDEST}"
        )
    return newest


def _tools(suffix: str) -> LlvmTools | None:
    paths = [shutil.which(f"{program}{suffix}") for program in _PROGRAMS]
    if not all(paths):
        return None
    objdump, mca = (Path(str(path)) for path in paths)
    told = subprocess.run([mca, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"LLVM version (\d+)(\S*)", told)
    if version is None or int(version[1]) < OLDEST:
        return None
    return LlvmTools("".join(version.groups()), objdump, mca)
