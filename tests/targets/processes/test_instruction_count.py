"""Python asks for the count of instructions as C++ does."""

import re

from mobilebench.targets.emulated.counter import HEADER
from mobilebench.targets.processes.instruction_count import ASK_FOR_COUNT, instructions_of


def test_both_ask_with_the_same_option() -> None:
    found = re.search(r"kAskForCount = (0x\w+);", HEADER.read_text())
    assert found and int(found[1], 16) == ASK_FOR_COUNT


def test_where_nobody_counts_nothing_is_called() -> None:
    calls: list[None] = []
    assert instructions_of(lambda: calls.append(None)) is None
    assert calls == []
