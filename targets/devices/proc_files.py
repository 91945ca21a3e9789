"""Reads the text files of a Linux machine in /proc and /sys."""

import re
from collections import Counter

# Linux, arch/arm64/include/asm/cputype.h: implementer and part of MIDR_EL1.
_ARM, _QUALCOMM, _AMPERE = "0x41", "0x51", "0xc0"
_CORES = {
    (_ARM, "0xd03"): "Cortex-A53",
    (_ARM, "0xd04"): "Cortex-A35",
    (_ARM, "0xd05"): "Cortex-A55",
    (_ARM, "0xd07"): "Cortex-A57",
    (_ARM, "0xd08"): "Cortex-A72",
    (_ARM, "0xd09"): "Cortex-A73",
    (_ARM, "0xd0a"): "Cortex-A75",
    (_ARM, "0xd0b"): "Cortex-A76",
    (_ARM, "0xd0c"): "Neoverse-N1",
    (_ARM, "0xd0d"): "Cortex-A77",
    (_ARM, "0xd40"): "Neoverse-V1",
    (_ARM, "0xd41"): "Cortex-A78",
    (_ARM, "0xd44"): "Cortex-X1",
    (_ARM, "0xd46"): "Cortex-A510",
    (_ARM, "0xd47"): "Cortex-A710",
    (_ARM, "0xd48"): "Cortex-X2",
    (_ARM, "0xd49"): "Neoverse-N2",
    (_ARM, "0xd4d"): "Cortex-A715",
    (_ARM, "0xd4e"): "Cortex-X3",
    (_ARM, "0xd4f"): "Neoverse-V2",
    (_ARM, "0xd80"): "Cortex-A520",
    (_ARM, "0xd81"): "Cortex-A720",
    (_ARM, "0xd82"): "Cortex-X4",
    (_QUALCOMM, "0x802"): "Kryo 385 Gold",
    (_QUALCOMM, "0x803"): "Kryo 385 Silver",
    (_QUALCOMM, "0x804"): "Kryo 485 Gold",
    (_QUALCOMM, "0x805"): "Kryo 485 Silver",
    (_AMPERE, "0xac3"): "Ampere-1",
}


def cpu_model(cpuinfo: str) -> str:
    """Return the processor's name from a text of /proc/cpuinfo.

    x86 names its model; an Arm kernel lists each core's implementer and part, and a board its name.
    """
    fields = fields_of(cpuinfo)
    if "model name" in fields:
        return fields["model name"]
    implementers = re.findall(r"^CPU implementer\s*:\s*(\S+)", cpuinfo, re.M)
    parts = re.findall(r"^CPU part\s*:\s*(\S+)", cpuinfo, re.M)
    kinds = Counter(zip(implementers, parts, strict=False))
    cores = " + ".join(
        f"{count} x {_CORES.get(kind, f'part {kind[1]} of implementer {kind[0]}')}"
        for kind, count in kinds.items()
    )
    board = fields.get("Model") or fields.get("Hardware", "")
    return f"{board} ({cores})" if board and cores else board or cores


def cpu_flags(cpuinfo: str) -> frozenset[str]:
    """Return the instruction sets that a text of /proc/cpuinfo names."""
    cpu = fields_of(cpuinfo)
    return frozenset(cpu.get("flags", cpu.get("Features", "")).split())


def fields_of(text: str) -> dict[str, str]:
    """Return the `name : value` lines of a /proc file; the first of a name counts."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, separator, value = line.partition(":")
        if separator:
            found.setdefault(name.strip(), value.strip())
    return found


def kib(value: str) -> int:
    """Return the bytes of a size such as `2048 kB`."""
    return int(value.split(maxsplit=1)[0]) * 1024


def number(text: str) -> float | None:
    """Return a number that may be missing."""
    return float(text) if text else None


def count_cores(online: str) -> int | None:
    """Count a kernel's list of processors, e.g. `0-3,6`."""
    if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", online):
        return None
    ranges = (part.split("-") for part in online.split(","))
    return sum(int(ends[-1]) - int(ends[0]) + 1 for ends in ranges)
