"""Which C++ compiler links what is built for a target."""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from mobilebench.targets.errors import BenchError

HOST = "host"
AARCH64_LINUX = "aarch64-linux"
AARCH64_ANDROID = "aarch64-android"
TOOLCHAINS = (HOST, AARCH64_LINUX, AARCH64_ANDROID)

NDK_VARIABLE = "ANDROID_NDK_HOME"
_HOST_CANDIDATES = ("g++", "clang++", "c++")
_CROSS_GCC = "aarch64-linux-gnu-g++"
_OLDEST_GLIBC = "2.28"  # what TVM's own aarch64 wheels ask for
_ANDROID_API = 24
_BIONIC = ("libc.so", "libm.so", "libdl.so")  # Android's
_TVM = ("libtvm_ffi.so", "libtvm_runtime.so")


@dataclass(frozen=True)
class Toolchain:
    """A C++ compiler that links shared libraries for a target."""

    name: str
    compiler: tuple[str, ...]  # path of the executable, behind a launcher such as ccache
    link_flags: tuple[str, ...] = ()  # beside those of every shared library
    needed: tuple[str, ...] = ()  # libraries of the device that what is linked names

    def version(self) -> str:
        """Return the first line of the compiler's `--version`, and its command."""
        lines = self._run(["--version"]).splitlines()
        return " ".join([lines[0] if lines else "", *self.compiler[1:]]).strip()

    def link_shared(self, output: str, inputs: str | list[str], options: object = None) -> None:
        """Link objects into a stripped library; the signature is that of TVM's `fcompile`."""
        objects = [inputs] if isinstance(inputs, str) else [str(path) for path in inputs]
        flags = ["-shared", "-fPIC", "-s", "-Wl,--as-needed", *self.link_flags]
        with TemporaryDirectory() as directory:
            stubs = [self._stub(Path(directory), name) for name in self.needed]
            named = ["-Wl,--no-as-needed", *stubs] if stubs else []
            self._run([*flags, "-o", str(output), *objects, *named])

    def link_with(self, beside: Sequence[Path]) -> Callable[..., None]:
        """Return `link_shared` with further objects."""

        def link(output: str, inputs: list[str], options: object = None) -> None:
            self.link_shared(output, [*inputs, *map(str, beside)])

        return link

    def compile_shared(self, output: Path, source: Path, flags: list[str]) -> None:
        """Compile one C++ source into a shared library."""
        with TemporaryDirectory() as directory:
            compiled = Path(directory) / "source.o"
            self.compile_object(compiled, source, flags)
            self.link_shared(str(output), str(compiled))

    def compile_object(self, output: Path, source: Path, flags: list[str]) -> None:
        """Compile one C++ source into an object for a shared library."""
        self._run(["-c", "-fPIC", "-std=c++17", "-O2", *flags, "-o", str(output), str(source)])

    def _stub(self, directory: Path, name: str) -> str:
        """Make an empty library of that name, to link with in place of a device's own."""
        stub = str(directory / name)
        flags = ["-shared", *self.link_flags, f"-Wl,-soname,{name}"]
        self._run([*flags, "-o", stub, "-x", "c++", os.devnull])
        return stub

    def _run(self, arguments: list[str]) -> str:
        done = subprocess.run(
            [*self.compiler, *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            reason = next(
                (line for line in done.stderr.splitlines() if "error" in line), done.stderr[:300]
            )
            raise BenchError(f"{' '.join(self.compiler)} failed: {reason.strip()}")
        return done.stdout


def find_toolchain(name: str) -> Toolchain:
    """Return the toolchain of that name.

    Raises BenchError, saying what to install, if its compiler is not on this machine.
    """
    return {HOST: _host, AARCH64_LINUX: _aarch64_linux, AARCH64_ANDROID: _aarch64_android}[name]()


def _host() -> Toolchain:
    chosen = os.environ.get("CXX")
    candidates = (chosen,) if chosen else _HOST_CANDIDATES
    for candidate in candidates:
        program, *rest = shlex.split(candidate)
        path = shutil.which(program)
        if path:
            return Toolchain(HOST, (path, *rest))
    looked_for = f"CXX={chosen}" if chosen else ", ".join(candidates)
    raise BenchError(
        f"no C++ compiler (looked for {looked_for}); install one (apt-get install g++) or point "
        "CXX at it"
    )


def _aarch64_linux() -> Toolchain:
    """Return Debian's cross compiler, or Zig's C and C++ compiler from its wheel."""
    path = shutil.which(_CROSS_GCC)
    if path:
        return Toolchain(AARCH64_LINUX, (path,))
    if _zig():
        return Toolchain(AARCH64_LINUX, (*_zig(), "-target", f"aarch64-linux-gnu.{_OLDEST_GLIBC}"))
    raise BenchError(
        f"no compiler for 64-bit Arm Linux (looked for {_CROSS_GCC} and ziglang); apt-get install "
        "g++-aarch64-linux-gnu, or pip install 'mobilebench[cross]'"
    )


def _aarch64_android() -> Toolchain:
    """Return the NDK's clang; without an NDK, Zig's, which has no library of Android.

    What is built calls a handful of functions of C's library and of TVM's. Android, other than
    glibc, looks for them in no library but those that are named, even if the process that loads it
    has others (android-changes-for-ndk-developers.md, "Changes to library search order").
    """
    ndk = os.environ.get(NDK_VARIABLE)
    pages = "-Wl,-z,max-page-size=16384"  # Android 15 has devices with such pages
    if ndk:
        pattern = f"toolchains/llvm/prebuilt/*/bin/aarch64-linux-android{_ANDROID_API}-clang++"
        found = sorted(Path(ndk).glob(pattern))
        if not found:
            raise BenchError(f"{NDK_VARIABLE}={ndk} holds no {pattern}; point it at an Android NDK")
        return Toolchain(AARCH64_ANDROID, (str(found[0]),), ("-static-libstdc++", pages), _TVM)
    if _zig():
        # Zig has no Android headers; Musl's declare the same functions.
        compiler = (*_zig(), "-target", "aarch64-linux-musl")
        return Toolchain(AARCH64_ANDROID, compiler, ("-nostdlib", pages), (*_BIONIC, *_TVM))
    raise BenchError(
        f"no compiler for 64-bit Arm Android ({NDK_VARIABLE} is not set, and ziglang is not "
        f"there); point {NDK_VARIABLE} at an Android NDK, or pip install 'mobilebench[cross]'"
    )


def _zig() -> tuple[str, ...]:
    """Return how Zig's wheel is called, if it is installed."""
    found = importlib.util.find_spec("ziglang")
    return (sys.executable, "-P", "-m", "ziglang", "c++") if found else ()
