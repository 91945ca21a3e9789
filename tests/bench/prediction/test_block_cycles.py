"""What LLVM's models say of blocks whose cycles are known."""

from dataclasses import replace

import pytest

from mobilebench.bench.prediction.block_cycles import (
    DISPATCH,
    Model,
    check_model,
    loop_cycles,
    straight_cycles,
)
from mobilebench.bench.prediction.llvm_tools import LlvmTools
from mobilebench.targets.errors import BenchError

EIGHT = tuple(f"fmla\tv{number}.4s, v16.4s, v17.4s" for number in range(8))


@pytest.fixture
def neoverse_n1(tools: LlvmTools) -> Model:
    return Model("aarch64", "neoverse-n1", tools)


def test_two_multiply_adds_a_cycle(neoverse_n1: Model) -> None:
    cycles = loop_cycles([EIGHT], neoverse_n1)[EIGHT]
    assert cycles.cycles == 4
    assert cycles.units["N1UnitV0"] + cycles.units["N1UnitV1"] == 8
    assert DISPATCH in cycles.units


def test_a_repetition_waits_for_the_one_before(neoverse_n1: Model) -> None:
    one_sum, many_sums = ("fmul\tv0.4s, v0.4s, v1.4s",), ("fmul\tv0.4s, v1.4s, v2.4s",)
    found = loop_cycles([one_sum, many_sums], neoverse_n1)
    assert (found[one_sum].cycles, found[many_sums].cycles) == (3, 0.5)


def test_a_long_block_takes_as_long_as_its_parts(neoverse_n1: Model) -> None:
    assert loop_cycles([EIGHT * 10], neoverse_n1)[EIGHT * 10].cycles == 40


def test_straight_code_waits_for_nothing_that_is_around_it(neoverse_n1: Model) -> None:
    one_sum = ("fmul\tv0.4s, v0.4s, v1.4s",)
    found = straight_cycles([one_sum, EIGHT], neoverse_n1)
    assert (found[one_sum].cycles, found[EIGHT].cycles) == (0.5, 4)


def test_units_of_a_kind_have_numbers(neoverse_n1: Model) -> None:
    load = ("ldr\tq0, [x0]",)
    units = straight_cycles([load], neoverse_n1)[load].units
    assert (units["N1UnitL.0"], units["N1UnitL.1"]) == (0.5, 0.5)


def test_no_blocks_take_no_cycles(neoverse_n1: Model) -> None:
    assert loop_cycles([], neoverse_n1) == straight_cycles([], neoverse_n1) == {}


def test_an_unknown_processor_is_refused_with_those_like_it(neoverse_n1: Model) -> None:
    with pytest.raises(BenchError, match=r"knows no CPU 'neoverse-n9' .* did you mean .*neoverse-"):
        check_model(replace(neoverse_n1, cpu="neoverse-n9"))


def test_a_processor_without_a_model_is_refused(tools: LlvmTools) -> None:
    with pytest.raises(BenchError, match="has no model of i386; name one like it with --cpu"):
        check_model(Model("x86_64", "i386", tools))


def test_an_instruction_that_the_processor_does_not_have_is_refused(tools: LlvmTools) -> None:
    product = ("sdot\tv0.4s, v1.16b, v2.16b",)
    with pytest.raises(BenchError, match=r"model of cortex-a72 cannot run this code: .*dotprod"):
        loop_cycles([product], Model("aarch64", "cortex-a72", tools))
