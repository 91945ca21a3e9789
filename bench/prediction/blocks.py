"""Straight pieces of a kernel's code, and how often each is executed."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from mobilebench.bench.prediction.machine_code import Instruction, MachineCode

_CALL = re.compile(r"(?:blr?|ret|callq?|retq?)\b")
_JUMP = re.compile(r"(?:b|b\.\w+|cbn?z|tbn?z|j\w+)\t")
_TARGET = re.compile(r"\b0x[0-9a-f]+$")
_PLACE = re.compile(r"(?<![#\w$])0x[0-9a-f]+$")  # that a jump goes to, or a constant lies at
_HERE = "."


@dataclass(frozen=True)
class Block:
    """Instructions that are executed one after the other, always as often as each other."""

    lines: tuple[str, ...]  # LLVM's assembly; where a jump goes is left out
    loops: bool  # whether it is followed by itself: the last jump goes back into it
    executions: int  # in an inference


def blocks_of(code: MachineCode, counts: Counter[int]) -> list[Block]:
    """Return a kernel's code as blocks, given how often the instruction at each address runs.

    A loop's last jump ends a block, and calls are left out.
    """
    return [
        Block(
            lines=tuple(_PLACE.sub(_HERE, one.text) for one in piece),
            loops=piece[0].address <= _jumps_to(piece[-1]) <= piece[-1].address,
            executions=counts[piece[0].address],
        )
        for piece in _pieces(code, counts)
    ]


def _pieces(code: MachineCode, counts: Counter[int]) -> Iterator[list[Instruction]]:
    piece: list[Instruction] = []
    for address in sorted(counts):
        one = code.at[address]
        follows = piece and piece[-1].end == address
        if piece and not (follows and counts[piece[-1].address] == counts[address]):
            yield piece
            piece = []
        if _CALL.match(one.text):
            if piece:
                yield piece
            piece = []
            continue
        piece.append(one)
        if _jumps_to(one) <= address:
            yield piece
            piece = []
    if piece:
        yield piece


def _jumps_to(one: Instruction) -> int:
    """Return the address that a jump goes to; of what is no jump, that of what follows."""
    target = _TARGET.search(one.text) if _JUMP.match(one.text) else None
    return int(target[0], 16) if target else one.end
