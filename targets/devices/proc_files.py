"""Reads the text files of a Linux machine in /proc and /sys."""

import re
from collections import Counter

from mobilebench.targets.catalog.arm_cores import core_name


def cpu_model(cpuinfo: str) -> str:
    """Return the processor's name from a text of /proc/cpuinfo.

    x86 names its model; an Arm kernel lists each core's implementer and part, and a board its name.
    A hypervisor may hide an x86's model: several generations then share a name such as "AMD EPYC",
    and their family and model, as numbers, tell them apart.
    """
    fields = fields_of(cpuinfo)
    if (name := fields.get("model name")) is not None:
        family, model = fields.get("cpu family"), fields.get("model")
        hidden = not re.search(r"\d{3}", re.sub("@.*", "", name))
        return f"{name} (family {family}, model {model})" if hidden and family and model else name
    implementers = re.findall(r"^CPU implementer\s*:\s*(\S+)", cpuinfo, re.M)
    parts = re.findall(r"^CPU part\s*:\s*(\S+)", cpuinfo, re.M)
    kinds = Counter(zip(implementers, parts, strict=False))
    cores = " + ".join(f"{count} x {core_name(*kind)}" for kind, count in kinds.items())
    board = fields.get("Model") or fields.get("Hardware", "")
    return f"{board} ({cores})" if board and cores else board or cores


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
