"""Straight pieces of code."""

from collections import Counter

from mobilebench.bench.prediction.blocks import Block, blocks_of
from mobilebench.bench.prediction.machine_code import Instruction, MachineCode


def code_of(*texts: str) -> MachineCode:
    instructions = (Instruction(4 * at, bytes(4), text) for at, text in enumerate(texts))
    return MachineCode("aarch64", 0, tuple(instructions), ())


def counts_of(*times: int) -> Counter[int]:
    return Counter({4 * at: count for at, count in enumerate(times) if count})


def test_a_block_ends_where_the_count_changes() -> None:
    code = code_of("mov\tw8, #0xa", "add\tx0, x0, #0x1", "subs\tw8, w8, #0x1", "b.ne\t0x4", "nop")
    assert blocks_of(code, counts_of(1, 10, 10, 10, 1)) == [
        Block(("mov\tw8, #0xa",), False, 1),
        Block(("add\tx0, x0, #0x1", "subs\tw8, w8, #0x1", "b.ne\t."), True, 10),
        Block(("nop",), False, 1),
    ]


def test_two_loops_that_run_equally_often_are_two_blocks() -> None:
    code = code_of("subs\tw8, w8, #0x1", "b.ne\t0x0", "subs\tw9, w9, #0x1", "b.ne\t0x8")
    first, second = blocks_of(code, counts_of(5, 5, 5, 5))
    assert first.loops and second.loops
    assert (first.lines[0], second.lines[0]) == ("subs\tw8, w8, #0x1", "subs\tw9, w9, #0x1")


def test_the_end_of_an_outer_loop_is_not_followed_by_itself() -> None:
    code = code_of("mov\tw8, #0xa", "subs\tw8, w8, #0x1", "b.ne\t0x4", "subs\tw9, w9", "b.ne\t0x0")
    blocks = blocks_of(code, counts_of(3, 30, 30, 3, 3))
    assert [block.loops for block in blocks] == [False, True, False]


def test_a_jump_forward_that_is_never_taken_ends_no_block() -> None:
    code = code_of("cbz\tx0, 0x100", "add\tx0, x0, #0x1")
    assert blocks_of(code, counts_of(3, 3)) == [
        Block(("cbz\tx0, .", "add\tx0, x0, #0x1"), False, 3)
    ]


def test_code_that_is_not_executed_is_in_no_block() -> None:
    code = code_of("add\tx0, x0, #0x1", "nop", "add\tx1, x1, #0x1")
    assert [block.lines for block in blocks_of(code, counts_of(2, 0, 2))] == [
        ("add\tx0, x0, #0x1",),
        ("add\tx1, x1, #0x1",),
    ]


def test_calls_are_left_out() -> None:
    code = code_of("mov\tw0, #0x1", "bl\t0x40", "ret")
    assert blocks_of(code, counts_of(1, 1, 1)) == [Block(("mov\tw0, #0x1",), False, 1)]


def test_bits_are_no_calls_and_immediates_no_places() -> None:
    lines = ("bic\tv0.4h, #0x80", "mov\tw8, #0xa", "bif\tv0.8b, v1.8b, v2.8b")
    assert blocks_of(code_of(*lines), counts_of(1, 1, 1)) == [Block(lines, False, 1)]
