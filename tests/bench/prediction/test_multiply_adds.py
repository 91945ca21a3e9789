"""Instructions that multiply and add."""

import pytest

from mobilebench.bench.prediction.blocks import Block
from mobilebench.bench.prediction.multiply_adds import macs_of, main_multiply_add


@pytest.mark.parametrize(
    ("line", "macs"),
    [
        ("fmla\tv0.4s, v1.4s, v2.s[0]", 4),
        ("fmla\tv0.8h, v1.8h, v2.h[0]", 8),
        ("sdot\tv0.4s, v1.16b, v2.4b[1]", 16),
        ("smmla\tv0.4s, v1.16b, v2.16b", 32),
        ("smlal2\tv0.4s, v1.8h, v2.h[0]", 4),
        ("smull\tv0.8h, v1.8b, v2.8b", 8),
        ("vfmadd231ps\t(%rax){1to16}, %zmm1, %zmm2", 16),
        ("vfmadd231ps\t%ymm8, %ymm9, %ymm0", 8),
        ("vpmaddwd\t%ymm8, %ymm9, %ymm0", 16),
        ("vpdpbusd\t%zmm8, %zmm9, %zmm0", 64),
        ("fadd\tv0.4s, v1.4s, v2.4s", 0),
        ("vaddps\t%ymm8, %ymm9, %ymm0", 0),
        ("addl\t(%rsi), %eax", 0),
    ],
)
def test_an_instruction_does_as_many_multiply_accumulates_as_it_has_products(
    line: str, macs: int
) -> None:
    assert macs_of(line) == macs


def test_the_main_one_does_the_most_of_them_and_not_what_is_most_often() -> None:
    scale, dot = "fmla\tv0.4s, v1.4s, v2.4s", "sdot\tv0.4s, v1.16b, v2.16b"
    assert main_multiply_add([Block((scale,), True, 3), Block((dot, "nop"), False, 1)]) == dot


def test_code_without_products_has_none() -> None:
    assert main_multiply_add([Block(("nop",), False, 7)]) == ""
