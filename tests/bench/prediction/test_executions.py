"""How often instructions are executed, of programs whose loops are known."""

import sys
from collections import Counter

import pytest

from mobilebench.bench.prediction.executions import count_executions
from mobilebench.bench.prediction.machine_code import MachineCode
from mobilebench.targets.errors import BenchError
from tests.bench.prediction.conftest import listed_code

pytest.importorskip("unicorn")


def by_mnemonic(code: MachineCode, counts: Counter[int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for address, times in counts.items():
        found[code.at[address].text.split()[0]] += times
    return found


def test_each_loop_is_counted_in_its_kernel() -> None:
    code = listed_code("aarch64")
    kernels = {number: by_mnemonic(code, one) for number, one in count_executions(code).items()}
    assert kernels == {
        0: Counter({"fmla": 80, "subs": 10, "b.ne": 10, "mov": 2, "bl": 1}),
        1: Counter({"ldr": 12, "subs": 15, "b.ne": 15, "mov": 5, "bl": 1}),
    }


def test_each_loop_is_counted_in_its_kernel_on_x86() -> None:
    code = listed_code("x86_64")
    kernels = {number: by_mnemonic(code, one) for number, one in count_executions(code).items()}
    assert kernels == {
        0: Counter({"vfmadd231ps": 80, "decl": 10, "jne": 10, "movl": 1, "xorl": 1, "callq": 1}),
        1: Counter({"addl": 12, "decl": 15, "jne": 15, "movl": 5, "callq": 1}),
    }


def test_code_that_leaves_its_memory_is_refused() -> None:
    code = listed_code("aarch64")
    wild = tuple(  # the pointer to memory becomes a number that is none
        type(one)(one.address, bytes.fromhex("1400f0d2"), "mov\tx20, #-0x8000000000000000")
        if one.text.startswith("ldr\tx20")
        else one
        for one in code.instructions
    )
    rest = tuple(one for one in code.relocations if "LD64" not in one.kind)
    with pytest.raises(BenchError, match="the emulator stopped 0x"):
        count_executions(MachineCode(code.architecture, code.entry, wild, rest))


def test_a_missing_emulator_is_named_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, code: MachineCode
) -> None:
    monkeypatch.setitem(sys.modules, "unicorn", None)
    with pytest.raises(BenchError, match=r"unicorn is not installed; pip install .*predict"):
        count_executions(code)
