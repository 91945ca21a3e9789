"""Which C++ compiler links what is built for a target."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from targets.errors import BenchError

TOOLCHAINS = ("host",)
_CANDIDATES = ("g++", "clang++", "c++")


@dataclass(frozen=True)
class Toolchain:
    """A C++ compiler that links shared libraries for a target."""

    name: str
    compiler: tuple[str, ...]  # path of the executable, behind a launcher such as ccache

    def version(self) -> str:
        """Return the first line of the compiler's own account of itself."""
        lines = self._run(["--version"]).splitlines()
        return lines[0] if lines else ""

    def link_shared(self, output: str, inputs: str | list[str], options: object = None) -> None:
        """Link objects into a shared library; the signature is that of TVM's `fcompile`."""
        objects = [inputs] if isinstance(inputs, str) else [str(path) for path in inputs]
        self._run(["-shared", "-fPIC", "-o", str(output), *objects])

    def link_with(self, beside: Sequence[Path]) -> Callable[..., None]:
        """Return `link_shared` with further objects."""

        def link(output: str, inputs: list[str], options: object = None) -> None:
            self.link_shared(output, [*inputs, *map(str, beside)])

        return link

    def compile_shared(self, output: Path, source: Path, flags: list[str]) -> None:
        """Compile one C++ source into a shared library."""
        self._run(["-shared", "-fPIC", "-std=c++17", "-O2", *flags, "-o", str(output), str(source)])

    def compile_object(self, output: Path, source: Path, flags: list[str]) -> None:
        """Compile one C++ source into an object for a shared library."""
        self._run(["-c", "-fPIC", "-std=c++17", "-O2", *flags, "-o", str(output), str(source)])

    def _run(self, arguments: list[str]) -> str:
        done = subprocess.run(
            [*self.compiler, *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            reason = next(
                (line for line in done.stderr.splitlines() if "error" in line), done.stderr[:300]
            )
            raise BenchError(f"{self.compiler[-1]} failed: {reason.strip()}")
        return done.stdout


def find_toolchain(name: str) -> Toolchain:
    """Return the toolchain of that name.

    Raises BenchError, saying what to install, if its compiler is not on this machine.
    """
    chosen = os.environ.get("CXX")
    candidates = (chosen,) if chosen else _CANDIDATES
    for candidate in candidates:
        program, *rest = shlex.split(candidate)
        path = shutil.which(program)
        if path:
            return Toolchain(name, (path, *rest))
    looked_for = f"CXX={chosen}" if chosen else ", ".join(candidates)
    raise BenchError(
        f"no C++ compiler (looked for {looked_for}); install one (apt-get install g++) or point "
        "CXX at it"
    )
