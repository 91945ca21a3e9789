"""Children end with their parents, and memory is that of this process alone."""

import contextlib
import ctypes
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mobilebench.targets.processes.process import heap_bytes, peak_resident_bytes, resident_bytes
from tests.waiting import has_ended, wait_until_ended

ROOT = Path(__file__).parents[3]
MIB = 2**20

# A parent whose child, once bound to it, tells its process id and then never ends of itself.
PARENT = """
import subprocess, sys
child = (
    "import signal; from mobilebench.targets.processes.process import die_with_parent\\n"
    "die_with_parent(); "
    "print('bound', flush=True); signal.pause()"
)
process = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE)
process.stdout.readline()
print(process.pid, flush=True)
input()
"""


@pytest.fixture
def family() -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """Return a parent and its child, which is bound to it."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        yield parent, child
        parent.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        child.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_a_child_ends_with_a_parent_that_is_killed(
    family: tuple[subprocess.Popen[str], psutil.Process], stopped: bool
) -> None:
    parent, child = family
    if stopped:
        child.suspend()
    assert not has_ended(child)
    parent.kill()
    parent.wait()
    wait_until_ended(child)


def test_resident_memory_matches_the_kernel() -> None:
    resident = resident_bytes()
    assert resident is not None
    assert resident == pytest.approx(psutil.Process().memory_info().rss, rel=0.1)


def test_the_peak_is_kept_when_memory_is_given_back() -> None:
    """In a process of its own: what a large one has not used for long may be taken from it."""
    code = (
        "from mobilebench.targets.processes.process import peak_resident_bytes, resident_bytes\n"
        "before = resident_bytes()\n"
        f"block = bytearray({64 * MIB})\n"
        "block[::4096] = b'x' * len(block[::4096])\n"
        "del block\n"
        "print(before, peak_resident_bytes(), resident_bytes())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    before, peak, after = map(int, done.stdout.split())
    assert peak >= before + 60 * MIB
    assert after < peak


def test_the_peak_of_a_process_is_not_its_parent_s() -> None:
    block = bytearray(256 * MIB)
    block[::4096] = b"x" * len(block[::4096])
    code = (
        "from mobilebench.targets.processes.process import peak_resident_bytes\n"
        "print(peak_resident_bytes())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert len(block) == 256 * MIB
    assert 0 < int(done.stdout) < 100 * MIB


def test_the_heap_counts_allocations_that_were_not_freed() -> None:
    c = ctypes.CDLL(None)
    if not hasattr(c, "mallinfo2"):
        pytest.skip("needs glibc 2.33")
    c.malloc.restype, c.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    c.free.restype, c.free.argtypes = None, [ctypes.c_void_p]
    sizes = (48 * MIB, 1 * MIB, 1000)  # a mapping of its own, and not
    before = heap_bytes()
    blocks = [c.malloc(size) for size in sizes]
    taken = heap_bytes()
    for block in blocks:
        c.free(block)
    after = heap_bytes()
    assert before is not None
    assert taken is not None
    assert after is not None
    assert taken - before == pytest.approx(sum(sizes), abs=MIB / 4)
    assert after - before == pytest.approx(0, abs=MIB / 4)


def test_without_glibc_the_heap_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    assert heap_bytes() is None


def test_without_proc_memory_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: object, **__: object) -> str:
        raise FileNotFoundError(self)

    monkeypatch.setattr(Path, "read_text", refuse)
    assert resident_bytes() is None
    assert peak_resident_bytes() is None
