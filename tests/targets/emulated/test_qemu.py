"""Which emulator is taken, and which processor it emulates."""

from dataclasses import replace
from pathlib import Path

import pytest

from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.emulated.qemu import cpu_of, find_qemu, known_cpus, takes_plugins
from mobilebench.targets.errors import BenchError

TARGET = find_target("emulated-arm")


def fake(directory: Path, name: str, *, plugins: bool = True) -> Path:
    """Write a program that tells what qemu tells of itself."""
    path = directory / name
    helps = "-plugin  QEMU_PLUGIN  [file=]<file>" if plugins else "-cpu  QEMU_CPU  model"
    cpus = "Available CPUs:\n  cortex-a72\n  cortex-a76\n  max"
    path.write_text(f"#!/bin/sh\n[ \"$1\" = -h ] && echo '{helps}' || echo '{cpus}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory that alone is searched for programs."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_the_emulator_that_takes_plugins_is_taken(path: Path) -> None:
    static = fake(path, "qemu-aarch64-static", plugins=False)
    assert find_qemu() == static
    assert not takes_plugins(static)
    dynamic = fake(path, "qemu-aarch64")
    assert find_qemu() == dynamic
    assert takes_plugins(dynamic)


def test_without_an_emulator_it_is_told_how_to_get_one(path: Path) -> None:
    with pytest.raises(BenchError, match="apt-get install qemu-user"):
        find_qemu()


def test_a_board_has_the_cpu_that_its_code_is_for_or_all_instructions(tmp_path: Path) -> None:
    qemu = fake(tmp_path, "qemu-aarch64")
    assert known_cpus(qemu) == ("cortex-a72", "cortex-a76", "max")
    assert cpu_of(TARGET, qemu) == "cortex-a72"
    assert cpu_of(find_target("emulated-cortex-a76"), qemu) == "cortex-a76"
    assert cpu_of(find_target("emulated-neoverse-v1"), qemu) == "max"
    assert cpu_of(replace(TARGET, tvm={"kind": "llvm"}), qemu) == "max"


def test_another_cpu_may_be_asked_for_if_the_emulator_has_it(tmp_path: Path) -> None:
    qemu = fake(tmp_path, "qemu-aarch64")
    assert cpu_of(TARGET, qemu, "max") == "max"
    with pytest.raises(BenchError, match="unknown emulated CPU 'cortex-a77'; did you mean cort"):
        cpu_of(TARGET, qemu, "cortex-a77")
