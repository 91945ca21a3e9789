"""The plug-in counts every executed instruction; who asks is told its own thread's."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mobilebench.targets.emulated.counter import HEADER, counter_options
from mobilebench.targets.emulated.qemu import find_qemu, takes_plugins
from tests.conftest import skip_or_fail

CROSS_GCC = "aarch64-linux-gnu-g++"
# A loop of three instructions, so often as the argument says; and the same on another thread.
PROGRAM = """
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "instruction_count.h"

static void Loop(long times) {
  asm volatile("1: add x9, x9, #1\\n subs %0, %0, #1\\n b.ne 1b" : "+r"(times) : : "x9", "cc");
}

static void* Elsewhere(void* times) {
  Loop(reinterpret_cast<long>(times));
  return nullptr;
}

int main(int count, char** arguments) {
  long times = count > 1 ? atol(arguments[1]) : 1;
  long before = InstructionCount();
  Loop(times);
  long between = InstructionCount();
  pthread_t other;
  pthread_create(&other, nullptr, Elsewhere, reinterpret_cast<void*>(times));
  pthread_join(other, nullptr);
  long after = InstructionCount();
  printf("%ld %ld %ld\\n", before, between - before, after - between);
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a program for 64-bit Arm that counts its own instructions."""
    directory = tmp_path_factory.mktemp("program")
    if not shutil.which(CROSS_GCC) or not shutil.which("qemu-aarch64"):
        skip_or_fail("apt-get install g++-aarch64-linux-gnu qemu-user")
    (directory / "program.cc").write_text(PROGRAM)
    command = [CROSS_GCC, "-O1", "-static", "-std=c++17", f"-I{HEADER.parent}"]
    output = directory / "program"
    subprocess.run([*command, directory / "program.cc", "-o", output, "-pthread"], check=True)
    return output


@pytest.fixture
def options(program: Path, cache_dir: Path, tmp_path: Path) -> tuple[str, ...]:
    """Return the options with which qemu counts."""
    (tmp_path / "root/bin").mkdir(parents=True)
    shutil.copy(program, tmp_path / "root/bin/true")
    qemu = find_qemu()
    assert takes_plugins(qemu)
    return counter_options(qemu, tmp_path, cache_dir)


def counts(program: Path, options: tuple[str, ...], times: int) -> tuple[int, ...]:
    command = ["qemu-aarch64", *options, program, str(times)]
    return tuple(map(int, subprocess.check_output(command, text=True).split()))


def test_every_instruction_counts_and_the_count_is_the_same_in_every_run(
    program: Path, options: tuple[str, ...]
) -> None:
    _, few, _ = counts(program, options, 1000)
    _, many, _ = counts(program, options, 51_000)
    assert many - few == 3 * 50_000
    assert counts(program, options, 51_000)[1] == many


def test_other_threads_do_not_count(program: Path, options: tuple[str, ...]) -> None:
    before, own, others = counts(program, options, 1_000_000)
    assert before > 0
    assert own > 3_000_000
    assert 0 < others < 100_000


def test_without_the_plugin_nobody_counts(program: Path) -> None:
    assert counts(program, (), 1000) == (-1, 0, 0)


def test_an_emulator_that_cannot_run_it_counts_nothing(
    program: Path, cache_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "root/bin").mkdir(parents=True)
    (tmp_path / "root/bin/true").write_text("no program")
    assert counter_options(find_qemu(), tmp_path, cache_dir) == ()
