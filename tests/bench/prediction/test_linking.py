"""Code in an emulator's memory."""

import pytest

from mobilebench.bench.prediction.linking import link
from mobilebench.bench.prediction.machine_code import MachineCode
from tests.bench.prediction.conftest import listed_code

BASE = 0x10000000


def test_arithmetic_does_nothing_and_takes_as_many_bytes(code: MachineCode) -> None:
    content = link(code, BASE).content
    for one in code.instructions:
        if one.text.startswith(("fmla", "vfmadd")):
            there = content[one.address : one.end]
            assert there.replace(b"\x90", b"").replace(bytes.fromhex("1f2003d5"), b"") == b""


def test_loads_that_move_their_address_are_kept() -> None:
    code = listed_code("aarch64")
    load = code.at[0x60]
    assert load.text.startswith("ldr\tq0, [x1], #")
    assert link(code, BASE).content[load.address : load.end] == load.code


def test_every_function_of_others_has_a_stub(code: MachineCode) -> None:
    image = link(code, BASE)
    assert sorted(image.stubs.values()) == sorted({one.symbol for one in code.relocations})
    assert all(BASE < stub < BASE + len(image.content) for stub in image.stubs)


@pytest.mark.parametrize(("architecture", "call"), [("aarch64", 0x20), ("x86_64", 0x17)])
def test_a_call_goes_to_its_stub(architecture: str, call: int) -> None:
    code = listed_code(architecture)
    image = link(code, BASE)
    word = int.from_bytes(image.content[call : call + 4], "little", signed=False)
    if architecture == "aarch64":
        assert word >> 26 == 0b100101  # bl
        target = BASE + call + 4 * (word & 0x3FFFFFF)
    else:
        target = BASE + call + 4 + word
    assert image.stubs[target] == "mobilebench_instrumentation_start"
