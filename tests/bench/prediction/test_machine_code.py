"""Reading machine code as LLVM prints it."""

from pathlib import Path

import pytest

from mobilebench.bench.prediction.llvm_tools import LlvmTools
from mobilebench.bench.prediction.machine_code import (
    Instruction,
    parse_disassembly,
    read_machine_code,
)
from mobilebench.targets.errors import BenchError
from tests.bench.prediction.conftest import LISTINGS, listed_code


def test_instructions_have_their_bytes_and_no_comments() -> None:
    code = listed_code("aarch64")
    assert (code.architecture, code.entry) == ("aarch64", 4)
    assert code.at[0x24] == Instruction(0x24, bytes.fromhex("48018052"), "mov\tw8, #0xa")
    assert code.at[0x4C].text == "b.ne\t0x28"


def test_long_instructions_of_x86_have_all_their_bytes() -> None:
    code = listed_code("x86_64")
    assert (code.architecture, code.entry) == ("x86_64", 1)
    longest = code.at[0x43]
    assert (len(longest.code), longest.end) == (9, 0x4C)
    assert longest.text == "vfmadd231ps\t0x1000(%rsi), %ymm9, %ymm7"
    assert code.at[2].text == "movq\t(%rip), %r15"


@pytest.mark.parametrize("architecture", ["aarch64", "x86_64"])
def test_no_byte_between_instructions_is_lost(architecture: str) -> None:
    instructions = listed_code(architecture).instructions
    ends = [one.end for one in instructions]
    assert ends[:-1] == [one.address for one in instructions[1:]]


def test_calls_of_other_functions_have_their_names() -> None:
    code = listed_code("x86_64")
    assert [one.symbol for one in code.relocations] == [
        "__TVMBackendAllocWorkspace",
        "mobilebench_instrumentation_start",
        *["mobilebench_instrumentation_done"] * 2,
    ]


def test_code_whose_kernels_are_functions_of_their_own_is_refused() -> None:
    text = (LISTINGS / "aarch64.txt").read_text().replace("network_in_arena_compute_", "kernel")
    with pytest.raises(BenchError, match="not merged into one function"):
        parse_disassembly(text, Path("network.o"))


def test_a_file_that_is_no_object_is_refused(tmp_path: Path, tools: LlvmTools) -> None:
    path = tmp_path / "network.o"
    path.write_text("no object")
    with pytest.raises(BenchError, match=f"object {path}"):
        read_machine_code(path, tools)
