"""The machine code of a network as its instructions, before it is linked."""

import re
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mobilebench.bench.prediction.llvm_tools import LlvmTools
from mobilebench.targets.errors import BenchError

AARCH64, X86_64 = "aarch64", "x86_64"
_FORMATS = {"elf64-littleaarch64": AARCH64, "elf64-x86-64": X86_64}
_ENTRY = "network_in_arena_compute_"  # what TVM makes of PlanArena's function, arguments unpacked

_FORMAT = re.compile(r"file format (\S+)")
_FUNCTION = re.compile(r"([0-9a-f]+) <(.+)>:")
_INSTRUCTION = re.compile(r"\s*([0-9a-f]+):\s+([0-9a-f]{2}(?: [0-9a-f]{2})*|[0-9a-f]{8})\s*\t(.*)")
_RELOCATION = re.compile(r"\s*([0-9a-f]+):\s+(R_\w+)\s+([\w.]+)")
_COMMENT = re.compile(r"\s*(?://|#\s).*|\s*<.*>.*")


@dataclass(frozen=True)
class Instruction:
    """One instruction of the function; text is LLVM's assembly without comments."""

    address: int
    code: bytes
    text: str

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.address + len(self.code)


@dataclass(frozen=True)
class Relocation:
    """A place where the linker writes the address of something that has a name."""

    address: int
    kind: str
    symbol: str


@dataclass(frozen=True)
class MachineCode:
    """The instructions of an object file, in the order of their addresses."""

    architecture: str
    entry: int  # address of the network; all its arguments are pointers
    instructions: tuple[Instruction, ...]
    relocations: tuple[Relocation, ...]

    @cached_property
    def at(self) -> dict[int, Instruction]:
        """The instructions by their addresses."""
        return {one.address: one for one in self.instructions}


def read_machine_code(path: Path, tools: LlvmTools) -> MachineCode:
    """Return the code of an object file that holds a network.

    Raises BenchError for a file that holds none, or not as one function.
    """
    command = [str(tools.objdump), "-dr", "--section=.text", "--mattr=+all", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"object {path}: {done.stderr.strip()}; delete its directory")
    return parse_disassembly(done.stdout, path)


def parse_disassembly(text: str, path: Path) -> MachineCode:
    """Return what llvm-objdump has printed of the file at `path`; see `read_machine_code`."""
    instructions: list[Instruction] = []
    relocations: list[Relocation] = []
    functions: dict[str, int] = {}
    found = _FORMAT.search(text)
    architecture = _FORMATS.get(found[1] if found else "", "")
    for line in text.splitlines():
        if one := _FUNCTION.match(line):
            functions[one[2]] = int(one[1], 16)
        elif one := _INSTRUCTION.match(line):
            code = bytes.fromhex(one[2])
            code = code[::-1] if architecture == AARCH64 else code  # printed as a number there
            words = _COMMENT.sub("", one[3]).strip()
            instructions.append(Instruction(int(one[1], 16), code, words))
        elif one := _RELOCATION.match(line):
            relocations.append(Relocation(int(one[1], 16), one[2], one[3]))
    if not architecture or _ENTRY not in functions:
        raise BenchError(
            f"object {path}: its kernels were not merged into one function of a known "
            "architecture; predict a network that runs as one"
        )
    entry = functions[_ENTRY]
    return MachineCode(architecture, entry, tuple(instructions), tuple(relocations))
