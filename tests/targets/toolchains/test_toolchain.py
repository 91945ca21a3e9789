import ctypes
import importlib.util
import os
import shutil
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mobilebench.targets.devices.probe import build_probe
from mobilebench.targets.errors import BenchError
from mobilebench.targets.toolchains.toolchain import (
    AARCH64_ANDROID,
    AARCH64_LINUX,
    HOST,
    NDK_VARIABLE,
    find_toolchain,
)

CROSS_GCC = "aarch64-linux-gnu-g++"
NDK_CLANG = "toolchains/llvm/prebuilt/linux-x86_64/bin/aarch64-linux-android24-clang++"
MACHINES = {62: "x86_64", 183: "aarch64"}  # EM_X86_64, EM_AARCH64
PT_LOAD, PT_DYNAMIC = 1, 2
DT_NEEDED, DT_STRTAB = 1, 5
HAS_ZIG = importlib.util.find_spec("ziglang") is not None
NDK = os.environ.get(NDK_VARIABLE)

needs_zig = pytest.mark.skipif(not HAS_ZIG, reason="ziglang is not installed")


@dataclass(frozen=True)
class Library:
    """What a loader reads of a shared library, with 64 bits and the least byte first."""

    machine: str
    pages: frozenset[int]  # alignment of what is mapped
    needed: tuple[str, ...]  # the libraries that it names

    @staticmethod
    def read(path: Path) -> "Library":
        data = path.read_bytes()
        assert data[:6] == b"\x7fELF\x02\x01"
        (machine,) = struct.unpack_from("<H", data, 18)
        (start,) = struct.unpack_from("<Q", data, 32)
        size, count = struct.unpack_from("<HH", data, 54)
        # type, flags, offset, address, physical address, size in the file, in memory, alignment
        headers = [struct.unpack_from("<IIQQQQQQ", data, start + n * size) for n in range(count)]
        loads = [header for header in headers if header[0] == PT_LOAD]
        (dynamic,) = (header for header in headers if header[0] == PT_DYNAMIC)
        entries = list(struct.iter_unpack("<QQ", data[dynamic[2] : dynamic[2] + dynamic[5]]))
        address = next(value for tag, value in entries if tag == DT_STRTAB)
        names = next(h[2] + address - h[3] for h in loads if h[3] <= address < h[3] + h[5])
        starts = [names + value for tag, value in entries if tag == DT_NEEDED]
        needed = tuple(data[one : data.index(b"\0", one)].decode() for one in starts)
        return Library(MACHINES[machine], frozenset(header[7] for header in loads), needed)


def executable(path: Path, script: str = "exit 0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only directory in PATH, on a machine without Zig and the NDK."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv(NDK_VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "ziglang", None)
    return programs


@pytest.fixture
def zig(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Return how Zig is called, on a machine with nothing else."""
    package = tmp_path / "packages" / "ziglang"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "ziglang")
    monkeypatch.syspath_prepend(package.parent)
    return (sys.executable, "-P", "-m", "ziglang", "c++")


@pytest.fixture
def ndk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return what an NDK's compiler writes its arguments to, a line for each call."""
    log = tmp_path / "calls.txt"
    executable(tmp_path / "ndk" / NDK_CLANG, f'echo "$@" >>{log}; echo "Android clang 18"')
    monkeypatch.setenv(NDK_VARIABLE, str(tmp_path / "ndk"))
    return log


def test_the_host_s_compiler_is_found_with_its_version() -> None:
    assert any(character.isdigit() for character in find_toolchain("host").version())


def test_a_source_becomes_a_library(tmp_path: Path) -> None:
    source = tmp_path / "answer.cc"
    source.write_text('extern "C" int answer() { return 42; }')
    find_toolchain("host").compile_shared(tmp_path / "answer.so", source, [])
    assert ctypes.CDLL(str(tmp_path / "answer.so")).answer() == 42


def test_a_source_with_an_error_is_refused_with_the_compiler_s_message(tmp_path: Path) -> None:
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


def test_a_missing_compiler_is_reported_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "/nosuch")
    with pytest.raises(BenchError, match=r"apt-get install g\+\+"):
        find_toolchain("host")


def test_debian_s_cross_compiler_comes_before_zig(bare: Path, zig: tuple[str, ...]) -> None:
    gcc = executable(bare / CROSS_GCC)
    assert find_toolchain(AARCH64_LINUX).compiler == (str(gcc),)


def test_without_a_cross_compiler_zig_links_for_an_old_glibc(zig: tuple[str, ...]) -> None:
    assert find_toolchain(AARCH64_LINUX).compiler == (*zig, "-target", "aarch64-linux-gnu.2.28")


def test_a_compiler_s_version_tells_how_it_is_called(bare: Path, zig: tuple[str, ...]) -> None:
    executable(bare / CROSS_GCC, "echo aarch64 g++ 12.2; echo Copyright")
    assert find_toolchain(AARCH64_LINUX).version() == "aarch64 g++ 12.2"


@pytest.mark.usefixtures("bare")
def test_a_missing_arm_linux_compiler_is_reported_with_what_to_install() -> None:
    with pytest.raises(
        BenchError,
        match=r"64-bit Arm Linux \(looked for aarch64-linux-gnu-g\+\+ and ziglang\); apt-get "
        r"install g\+\+-aarch64-linux-gnu, or pip install 'mobilebench\[cross\]'",
    ):
        find_toolchain(AARCH64_LINUX)


def test_the_ndk_comes_before_zig(zig: tuple[str, ...], ndk: Path, tmp_path: Path) -> None:
    toolchain = find_toolchain(AARCH64_ANDROID)
    assert toolchain.compiler == (str(tmp_path / "ndk" / NDK_CLANG),)
    assert toolchain.version() == "Android clang 18"


def test_the_ndk_links_its_cxx_library_in_and_for_large_pages(ndk: Path, tmp_path: Path) -> None:
    find_toolchain(AARCH64_ANDROID).compile_shared(tmp_path / "one.so", tmp_path / "one.cc", [])
    compiling, *_, linking = ndk.read_text().splitlines()
    assert "-c" in compiling.split()
    assert {"-shared", "-static-libstdc++", "-Wl,-z,max-page-size=16384"} <= {*linking.split()}


def test_the_first_of_several_ndk_hosts_is_taken(ndk: Path, tmp_path: Path) -> None:
    other = NDK_CLANG.replace("linux-x86_64", "darwin-x86_64")
    first = executable(tmp_path / "ndk" / other)
    assert find_toolchain(AARCH64_ANDROID).compiler == (str(first),)


def test_a_directory_that_is_no_ndk_is_refused_though_zig_is_there(
    zig: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NDK_VARIABLE, str(tmp_path))
    with pytest.raises(
        BenchError, match=f"{NDK_VARIABLE}={tmp_path} holds no .*; point it at an Android NDK"
    ):
        find_toolchain(AARCH64_ANDROID)


def test_without_an_ndk_zig_links_to_nothing_of_its_own(zig: tuple[str, ...]) -> None:
    toolchain = find_toolchain(AARCH64_ANDROID)
    assert toolchain.compiler == (*zig, "-target", "aarch64-linux-musl")
    assert "-nostdlib" in toolchain.link_flags


@pytest.mark.usefixtures("bare")
def test_a_missing_android_compiler_is_reported_with_what_to_install() -> None:
    with pytest.raises(
        BenchError,
        match=rf"64-bit Arm Android \({NDK_VARIABLE} is not set, and ziglang is not there\); point "
        rf"{NDK_VARIABLE} at an Android NDK, or pip install 'mobilebench\[cross\]'",
    ):
        find_toolchain(AARCH64_ANDROID)


def test_the_host_s_probe_is_for_the_host(tmp_path: Path) -> None:
    library = Library.read(build_probe(find_toolchain(HOST), tmp_path))
    assert library.machine == os.uname().machine
    assert not any("c++" in name for name in library.needed)


@pytest.mark.skipif(shutil.which(CROSS_GCC) is None, reason=f"{CROSS_GCC} is not installed")
def test_debian_s_cross_compiler_makes_a_probe_for_arm(tmp_path: Path) -> None:
    library = Library.read(build_probe(find_toolchain(AARCH64_LINUX), tmp_path))
    assert (library.machine, library.needed) == ("aarch64", ("libc.so.6",))


@needs_zig
@pytest.mark.slow  # Zig builds glibc's stubs first
def test_zig_makes_a_probe_for_arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nosuch")
    library = Library.read(build_probe(find_toolchain(AARCH64_LINUX), tmp_path))
    assert (library.machine, library.needed) == ("aarch64", ("libc.so.6",))


@needs_zig
def test_zig_makes_a_probe_for_android_that_names_what_it_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(NDK_VARIABLE, raising=False)
    library = Library.read(build_probe(find_toolchain(AARCH64_ANDROID), tmp_path))
    assert library.machine == "aarch64"
    assert library.needed == (
        *("libc.so", "libm.so", "libdl.so"),
        *("libtvm_ffi.so", "libtvm_runtime.so"),
    )
    assert library.pages == {16384}


@pytest.mark.skipif(not NDK, reason=f"{NDK_VARIABLE} is not set")
def test_the_ndk_makes_a_probe_that_names_only_what_android_has(tmp_path: Path) -> None:
    library = Library.read(build_probe(find_toolchain(AARCH64_ANDROID), tmp_path))
    assert library.machine == "aarch64"
    tvm = {"libtvm_ffi.so", "libtvm_runtime.so"}
    assert tvm | {"libc.so"} <= {*library.needed} <= tvm | {"libc.so", "libm.so", "libdl.so"}
    assert library.pages == {16384}


def test_the_reader_of_libraries_sees_what_one_needs(tmp_path: Path) -> None:
    source = tmp_path / "greeting.cc"
    source.write_text("#include <iostream>\nvoid greet() { std::cout << 42; }")
    find_toolchain(HOST).compile_shared(tmp_path / "greeting.so", source, [])
    needed = Library.read(tmp_path / "greeting.so").needed
    assert any("c++" in name for name in needed)
