"""How tests wait: for an event, and long enough for a machine that is busy with something else."""

import time
from collections.abc import Callable

import psutil

HANG_S = 600.0
"""After so long something hangs. No test that passes comes near it, however slow the machine."""

_POLL_S = 0.02


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds; fails, saying what was waited for, if it never does."""
    end = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < end, f"waited {HANG_S:g} s in vain: {what}"
        time.sleep(_POLL_S)


def has_ended(process: psutil.Process) -> bool:
    """Whether a process has ended; where nobody reaps orphans it stays a zombie."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until_ended(*processes: psutil.Process) -> None:
    """Wait until every one of the processes has ended."""
    wait_until(lambda: all(map(has_ended, processes)), f"{processes} to end")
