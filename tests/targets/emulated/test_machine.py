"""What an emulated board says of itself."""

from pathlib import Path

import pytest

from mobilebench.targets.catalog.arm_cores import core_name, core_of
from mobilebench.targets.catalog.instruction_sets import arm_features, cpu_flags
from mobilebench.targets.devices.proc_files import cpu_model
from mobilebench.targets.emulated.machine import Machine, make_machine
from mobilebench.targets.errors import BenchError


def fake_qemu(directory: Path, answer: str, code: int = 0) -> Path:
    """Write an emulator that answers as the board's Python would."""
    path = directory / "qemu"
    path.write_text(f"#!/bin/sh\necho '{answer}'\nexit {code}\n")
    path.chmod(0o755)
    return path


def image(directory: Path) -> Path:
    """Make an image of a few files."""
    for name in ("usr/lib", "proc", "root", "tmp"):
        (directory / "image/root" / name).mkdir(parents=True)
    return directory / "image"


def test_features_are_named_by_their_bits() -> None:
    assert arm_features(0b11, 0) == ["fp", "asimd"]
    assert arm_features(1 << 20, 1 << 13) == ["asimddp", "i8mm"]  # asm/hwcap.h
    assert arm_features(1 << 31, 1 << 14) == ["pacg", "bf16"]
    assert arm_features(0, 0) == []


@pytest.mark.parametrize("cpu", ["cortex-a72", "cortex-a76", "neoverse-n1", "max"])
def test_an_emulated_cpu_is_named_as_a_real_one_is(cpu: str) -> None:
    assert core_name(*core_of(cpu)).casefold().removeprefix("qemu ") == cpu


def test_a_cpu_without_a_number_of_its_own_is_taken_for_max() -> None:
    assert core_of("cortex-z9") == core_of("max")


def test_a_board_tells_its_processor_its_features_and_its_name(tmp_path: Path) -> None:
    qemu = fake_qemu(tmp_path, f"{1 << 1 | 1 << 20} {1 << 13}")
    machine = Machine(qemu, "cortex-a76", "emulated-cortex-a76-2", ("-plugin", "/counter.so"))
    for _ in range(2):  # what is there is made anew
        launcher = make_machine(machine, image(tmp_path), tmp_path / "board")
        (tmp_path / "image/root/usr/lib").rmdir()
        for name in ("usr", "proc", "root", "tmp"):
            (tmp_path / "image/root" / name).rmdir()
    proc = tmp_path / "board/root/proc"
    cpuinfo = (proc / "cpuinfo").read_text()
    assert cpu_model(cpuinfo) == "1 x Cortex-A76"
    assert cpu_flags(cpuinfo) == {"asimd", "asimddp", "i8mm"}
    assert (proc / "sys/kernel/hostname").read_text() == "emulated-cortex-a76-2\n"
    assert "QEMU_CPU=cortex-a76" in launcher.read_text()
    assert f"'{qemu}' -plugin /counter.so -L '{tmp_path}/board/root'" in launcher.read_text()


def test_there_is_no_link_in_the_way_of_the_cache(tmp_path: Path) -> None:
    qemu = fake_qemu(tmp_path, "0 0")
    make_machine(Machine(qemu, "max", "board"), image(tmp_path), tmp_path / "board")
    links = {path.name for path in (tmp_path / "board/root").iterdir() if path.is_symlink()}
    assert links == {"usr"}


def test_an_emulator_that_does_not_run_is_told_as_that(tmp_path: Path) -> None:
    qemu = fake_qemu(tmp_path, "", code=3)
    with pytest.raises(BenchError, match="qemu cannot run the board's Python: exit code 3"):
        make_machine(Machine(qemu, "max", "board"), image(tmp_path), tmp_path / "board")
