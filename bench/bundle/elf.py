"""Which processors a shared library is for."""

import struct
from pathlib import Path

from mobilebench.targets.errors import BenchError

_MACHINES = {40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}  # e_machine
_HEADER = struct.Struct("<4sBB10xHH")  # magic, class, data; type, machine
_LITTLE_ENDIAN = 1
_SHARED = 3


def architecture_of(library: Path) -> str:
    """Return the architecture as `uname -m` has it; raises BenchError for what is no library."""
    with library.open("rb") as file:
        head = file.read(_HEADER.size)
    if len(head) == _HEADER.size:
        magic, _, order, kind, machine = _HEADER.unpack(head)
        if (magic, order, kind) == (b"\x7fELF", _LITTLE_ENDIAN, _SHARED) and machine in _MACHINES:
            return _MACHINES[machine]
    raise BenchError(f"{library}: not a shared library of a known architecture")
