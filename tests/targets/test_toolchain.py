import ctypes
from pathlib import Path

import pytest

from targets.errors import BenchError
from targets.toolchain import find_toolchain


def test_the_host_s_compiler_is_found_and_says_its_version() -> None:
    assert any(character.isdigit() for character in find_toolchain("host").version())


def test_a_source_becomes_a_library(tmp_path: Path) -> None:
    source = tmp_path / "answer.cc"
    source.write_text('extern "C" int answer() { return 42; }')
    find_toolchain("host").compile_shared(tmp_path / "answer.so", source, [])
    assert ctypes.CDLL(str(tmp_path / "answer.so")).answer() == 42


def test_a_source_with_an_error_is_refused_with_the_compiler_s_words(tmp_path: Path) -> None:
    source = tmp_path / "broken.cc"
    source.write_text("int answer( { return 42; }")
    with pytest.raises(BenchError, match="error"):
        find_toolchain("host").compile_shared(tmp_path / "broken.so", source, [])


def test_cxx_chooses_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "nosuch-compiler")
    with pytest.raises(BenchError, match=r"no C\+\+ compiler .*CXX=nosuch-compiler.*install"):
        find_toolchain("host")


def test_cxx_may_have_a_launcher_in_front(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", "env g++")
    source = tmp_path / "answer.cc"
    source.write_text('extern "C" int answer() { return 42; }')
    find_toolchain("host").compile_shared(tmp_path / "answer.so", source, [])
    assert ctypes.CDLL(str(tmp_path / "answer.so")).answer() == 42


def test_without_a_compiler_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "/nosuch")
    with pytest.raises(BenchError, match=r"apt-get install g\+\+"):
        find_toolchain("host")
