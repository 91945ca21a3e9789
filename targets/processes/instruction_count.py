"""How many instructions a thread of an emulated board's Python program has executed.

The same as `targets/emulated/instruction_count.h`, for programs that are no C++.
"""

import ctypes
import os
import struct
from collections.abc import Callable
from typing import Any

ASK_FOR_COUNT = 0x6D626963
"""An option of prctl(2) that is none: Linux refuses it, and qemu's plug-in answers."""


_COUNTS = 3


def least_of_few(count: Callable[[], int | None]) -> int | None:
    """Return the least of a few counts; None if nobody counts.

    Allocators look for room more or less long.
    """
    counts = [count() for _ in range(_COUNTS)]
    return min((one for one in counts if one is not None), default=None)


def instructions_of(call: Callable[[], Any]) -> int | None:
    """Return how many instructions this thread executes in a call; None where nobody counts.

    Nothing is called then.
    """
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    try:
        if _count(reader, writer) is None:
            return None
        before = _count(reader, writer)
        call()
        after = _count(reader, writer)
        assert before is not None and after is not None
        return after - before
    finally:
        os.close(reader)
        os.close(writer)


def _count(reader: int, writer: int) -> int | None:
    ctypes.CDLL(None).prctl(ASK_FOR_COUNT, writer, 0, 0, 0)
    try:
        (count,) = struct.unpack("Q", os.read(reader, 8))
    except BlockingIOError:
        return None
    return int(count)
