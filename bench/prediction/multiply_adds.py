"""Instructions that multiply and add, and how many multiply-accumulates each does."""

import re
from collections import Counter
from collections.abc import Iterable

from mobilebench.bench.prediction.blocks import Block

# Arm's Architecture Reference Manual and Intel's Software Developer's Manual, by their names.
_MACS = {
    r"fml[as]\tv\d+\.4s": 4,
    r"fml[as]\tv\d+\.8h": 8,
    r"[su]ml[as]l2?\tv\d+\.4s|[su]mull2?\tv\d+\.4s": 4,
    r"[su]ml[as]l2?\tv\d+\.8h|[su]mull2?\tv\d+\.8h": 8,
    r"(?:us|su|s|u)dot\tv\d+\.4s": 16,
    r"(?:us|s|u)mmla\tv\d+\.4s": 32,
    r"vfn?madd\d+ps\t.*%zmm\d+$": 16,
    r"vfn?madd\d+ps\t.*%ymm\d+$": 8,
    r"vfn?madd\d+ps\t.*%xmm\d+$": 4,
    r"vpmaddwd\t.*%zmm\d+$|vpdpwssds?\t.*%zmm\d+$": 32,
    r"vpmaddwd\t.*%ymm\d+$|vpdpwssds?\t.*%ymm\d+$": 16,
    r"vpmaddwd\t.*%xmm\d+$|vpdpwssds?\t.*%xmm\d+$": 8,
    r"vpmaddubsw\t.*%ymm\d+$|vpdpbusds?\t.*%ymm\d+$": 32,
    r"vpdpbusds?\t.*%zmm\d+$": 64,
    r"vpdpbusds?\t.*%xmm\d+$": 16,
}
_PATTERNS = [(re.compile(pattern), macs) for pattern, macs in _MACS.items()]


def macs_of(line: str) -> int:
    """Return how many multiply-accumulates an instruction does, a line of LLVM's assembly."""
    return next((macs for pattern, macs in _PATTERNS if pattern.match(line)), 0)


def main_multiply_add(blocks: Iterable[Block]) -> str:
    """Return the instruction that does the most of some code's multiply-accumulates.

    Empty if there is none; its operands are those of one of its places.
    """
    done: Counter[str] = Counter()
    places: dict[str, str] = {}
    for block in blocks:
        for line in block.lines:
            if macs := macs_of(line):
                kind = f"{line.partition(chr(9))[0]} {macs}"
                done[kind] += macs * block.executions
                places.setdefault(kind, line)
    return places[done.most_common(1)[0][0]] if done else ""
