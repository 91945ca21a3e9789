"""Processes that never outlive whoever started them."""

import ctypes
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies, however that dies (Linux).

    A parent killed with SIGKILL cannot clean up, and a stopped or hung child would not notice.
    Elsewhere this does nothing.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def resident_bytes() -> int | None:
    """Resident memory of this process now, in bytes; None where /proc does not report it."""
    return _status_bytes("VmRSS")


def peak_resident_bytes() -> int | None:
    """Peak resident memory of this process, in bytes; None where /proc does not report it.

    Read from VmHWM: `getrusage` would carry over the peak of the process that started this one.
    """
    return _status_bytes("VmHWM")


def heap_bytes() -> int | None:
    """What this process has taken from malloc and not given back; None where glibc is not there.

    Unlike resident memory it has nothing in it that was freed and kept for the next time.
    """
    read = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if read is None:
        return None
    read.restype = _HeapInfo
    info = read()
    return int(info.uordblks + info.hblkhd)


class _HeapInfo(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = (
        *((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks")),
        ("hblkhd", ctypes.c_size_t),  # bytes of blocks with a mapping of their own
        *((name, ctypes.c_size_t) for name in ("usmblks", "fsmblks")),
        ("uordblks", ctypes.c_size_t),  # bytes of all others
        *((name, ctypes.c_size_t) for name in ("fordblks", "keepcost")),
    )


def _status_bytes(key: str) -> int | None:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0]) * 1024
    return None
