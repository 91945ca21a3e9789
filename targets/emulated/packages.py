"""Python packages for emulated 64-bit Arm boards: wheels that pip fetches by their hashes."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from mobilebench.targets.errors import BenchError, unknown

Say = Callable[[str], None]

PYTHON_VERSION = "3.11"  # of the boards
_RUNTIMES = Path(__file__).parent / "runtimes"
_GLIBCS = ("2_28", "2_27", "2_17")  # that the boards' is new enough for
_TAGS = (*(f"--platform=manylinux_{one}_aarch64" for one in _GLIBCS), "--implementation=cp")


def runtimes() -> tuple[str, ...]:
    """Return the names of the runtimes that boards can have beside TVM."""
    return tuple(sorted(path.stem for path in _RUNTIMES.glob("*.txt")))


def fetch_runtime(name: str, cache_dir: Path, say: Say) -> Path:
    """Return the directory of a runtime's packages, fetched into the cache if need be.

    Raises BenchError for an unknown runtime, or if pip fails.
    """
    if name not in runtimes():
        raise unknown("runtime of emulated boards", name, runtimes())
    requirements = _RUNTIMES / f"{name}.txt"
    recipe = (PYTHON_VERSION, requirements.read_text())
    digest = hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]
    packages = cache_dir / "boards" / f"{name}-{digest}"
    if packages.is_dir():
        return packages
    say(f"fetching {name}'s arm64 wheels with pip")
    packages.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=packages.parent, ignore_cleanup_errors=True) as scratch:
        fetched = Path(scratch) / name
        install(requirements, fetched)
        fetched.rename(packages)
    return packages


def install(requirements: Path, directory: Path) -> None:
    """Unpack the wheels that a file lists, with their hashes, into a directory.

    Raises BenchError if pip fails.
    """
    how = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", *_TAGS]
    what = [f"--python-version={PYTHON_VERSION}", f"--target={directory}", "-r", str(requirements)]
    run([sys.executable, "-P", "-m", "pip", "install", *how, *what])


def run(command: list[str]) -> None:
    """Run a program; raises BenchError with its last words if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        raise BenchError(f"{Path(command[0]).name} failed: {lines[-1]}")
