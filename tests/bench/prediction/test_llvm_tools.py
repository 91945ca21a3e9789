"""Finding LLVM's programs."""

from pathlib import Path

import pytest

from mobilebench.bench.prediction.llvm_tools import find_llvm_tools
from mobilebench.targets.errors import BenchError


def install(directory: Path, version: str, suffix: str) -> None:
    for program in ("llvm-mca", "llvm-objdump"):
        path = directory / f"{program}{suffix}"
        path.write_text(f"#!/bin/sh\necho 'Debian LLVM version {version}'\n")
        path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only directory where programs are looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_the_newest_is_taken(programs: Path) -> None:
    for version, suffix in (("14.0.6", ""), ("19.1.7", "-19"), ("22.1.8", "-22")):
        install(programs, version, suffix)
    tools = find_llvm_tools()
    assert (tools.version, tools.major, tools.mca.name) == ("22.1.8", 22, "llvm-mca-22")


def test_a_version_that_is_asked_for_is_taken(programs: Path) -> None:
    install(programs, "19.1.7", "-19")
    install(programs, "22.1.8", "")
    assert find_llvm_tools(19).version == "19.1.7"
    assert find_llvm_tools(22).objdump == programs / "llvm-objdump"


@pytest.mark.parametrize("installed", ["", "14.0.6"])
def test_without_one_that_is_new_enough_what_installs_it_is_said(
    programs: Path, installed: str
) -> None:
    if installed:
        install(programs, installed, "")
    with pytest.raises(BenchError, match=r"LLVM 19 or newer; apt-get install llvm-19"):
        find_llvm_tools()


@pytest.mark.usefixtures("programs")
def test_a_version_that_is_not_there_is_named() -> None:
    with pytest.raises(BenchError, match=r"no llvm-mca .* of LLVM 22; apt-get install llvm-22"):
        find_llvm_tools(22)


def test_a_version_that_is_too_old_is_refused() -> None:
    with pytest.raises(BenchError, match="LLVM 19 or newer is needed"):
        find_llvm_tools(14)
