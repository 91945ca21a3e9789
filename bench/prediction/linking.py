"""Machine code as it lies in an emulator's memory, so that it runs without its libraries."""

import re
import struct
from dataclasses import dataclass

from mobilebench.bench.prediction.machine_code import AARCH64, X86_64, MachineCode, Relocation

_STUB = struct.Struct("<QQQ8x")  # what a table of addresses has, a pointer to code, and the code
_CODE_IN_STUB = 16

_RETURN = {AARCH64: 0xD65F03C0, X86_64: 0xC3}
_NOTHING = {AARCH64: (0xD503201F).to_bytes(4, "little"), X86_64: b"\x90"}
_ARITHMETIC = {  # vector instructions that touch registers alone
    AARCH64: re.compile(r"(?!.*\[(?:x|sp)).*\b[vqdshbzp]\d+\b"),
    X86_64: re.compile(r"v|.*%(?:[xyz]mm|k)\d"),  # those that touch memory change no address
}


@dataclass(frozen=True)
class Image:
    """Bytes to lie at an address, and where it calls functions of other libraries."""

    content: bytes
    stubs: dict[int, str]  # by the address of what stands in for each: it returns at once

    @property
    def nbytes(self) -> int:
        """How long it is."""
        return len(self.content)


def link(code: MachineCode, base: int) -> Image:
    """Return code as it lies at an address, a whole page, without its arithmetic.

    Constants beside the code have no place: what is read there is some of the code.
    """
    content = bytearray(code.instructions[-1].end)
    nothing, arithmetic = _NOTHING[code.architecture], _ARITHMETIC[code.architecture]
    for one in code.instructions:
        left_out = arithmetic.match(one.text)
        count = len(one.code) // len(nothing)
        content[one.address : one.end] = nothing * count if left_out else one.code
    content += bytes(-len(content) % _STUB.size)
    stubs: dict[int, str] = {}
    addresses: dict[str, int] = {}
    patched = [place for place in code.relocations if place.kind in _PATCHES]
    for symbol in dict.fromkeys(place.symbol for place in patched):
        address = base + len(content)
        pointer, stub = address + 8, address + _CODE_IN_STUB
        content += _STUB.pack(pointer, stub, _RETURN[code.architecture])
        addresses[symbol], stubs[stub] = address, symbol
    for place in patched:
        _patch(content, place, base, addresses[place.symbol])
    return Image(bytes(content), stubs)


def _patch(content: bytearray, place: Relocation, base: int, stub: int) -> None:
    """Write into the code at `place` where a function's stub begins."""
    (word,) = struct.unpack_from("<I", content, place.address)
    word = _PATCHES[place.kind](word, base + place.address, stub)
    struct.pack_into("<I", content, place.address, word & 0xFFFFFFFF)


def _arm_call(word: int, at: int, stub: int) -> int:
    return word & ~0x3FFFFFF | (stub + _CODE_IN_STUB - at) >> 2 & 0x3FFFFFF


def _arm_page(word: int, at: int, stub: int) -> int:
    pages = (stub >> 12) - (at >> 12)
    return word & ~0x60FFFFE0 | (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5


def _arm_load(word: int, _at: int, stub: int) -> int:
    return word & ~0x3FFC00 | (stub & 0xFFF) >> 3 << 10


def _x86_call(_word: int, at: int, stub: int) -> int:
    return stub + _CODE_IN_STUB - (at + 4)


def _x86_load(_word: int, at: int, stub: int) -> int:
    return stub - (at + 4)


# ELF for the Arm 64-bit Architecture and the x86-64 psABI, "Relocation types".
_PATCHES = {
    "R_AARCH64_CALL26": _arm_call,
    "R_AARCH64_JUMP26": _arm_call,
    "R_AARCH64_ADR_GOT_PAGE": _arm_page,
    "R_AARCH64_LD64_GOT_LO12_NC": _arm_load,
    "R_X86_64_PLT32": _x86_call,
    "R_X86_64_GOTPCREL": _x86_load,
    "R_X86_64_GOTPCRELX": _x86_load,
    "R_X86_64_REX_GOTPCRELX": _x86_load,
}
