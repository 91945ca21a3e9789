"""Results on disk, keyed by the content that they were made from."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from mobilebench.targets.errors import BenchError

_SOURCES = (".py", ".cc")
CACHE_VARIABLE = "MOBILEBENCH_CACHE"


def cache_directory() -> Path:
    """Return where the suite caches: $MOBILEBENCH_CACHE, or the user's cache directory.

    Raises BenchError if it cannot be written.
    """
    try:
        path = Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("mobilebench"))
    except RuntimeError as error:
        raise BenchError(
            "cache directory: this user has no home directory; set HOME, or point "
            f"{CACHE_VARIABLE} at a directory that can be written"
        ) from error
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise BenchError(
            f"cache directory {path}: {error.strerror}; point {CACHE_VARIABLE} at one that can be "
            "written"
        ) from error
    return path


def content_key(*parts: object) -> str:
    """Return a hash of the parts, each by its `repr`."""
    return hashlib.sha256("\0".join(map(repr, parts)).encode()).hexdigest()[:24]


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def source_key(*paths: Path) -> str:
    """Return a hash of source files and of all Python and C++ files below directories."""
    files: list[Path] = []
    for path in paths:
        below = [file for file in path.rglob("*") if file.suffix in _SOURCES]
        files += sorted(below) if path.is_dir() else [path]
    return content_key(*((file.name, file.read_bytes()) for file in files))


def write_once(directory: Path, fill: Callable[[Path], None]) -> None:
    """Make a directory that is not there yet, filled by `fill`; nothing half-filled is left.

    Raises BenchError if it cannot be made, or somebody else has made it meanwhile.
    """
    try:
        with _beside(directory) as scratch:
            fill(scratch)
            scratch.rename(directory)  # fails if there is something in it
    except OSError as error:
        raise BenchError(f"directory {directory}: {error.strerror or error}") from error


def cached(directory: Path, fill: Callable[[Path], None], *, again: bool = False) -> Path:
    """Return `directory`, filled by `fill` unless it is there already.

    With `again`, `fill` is called in any case, and what it makes is kept if nothing was there.

    It is filled under another name and renamed when complete, so nothing half-filled is ever found
    here, and of two at once one wins. A killed `fill` leaves a directory `.making-*` beside it.
    """
    if directory.is_dir() and not again:
        return directory
    with _beside(directory) as scratch:
        fill(scratch)
        try:
            scratch.rename(directory)
        except OSError:
            if not directory.is_dir():
                raise
    return directory


@contextmanager
def _beside(directory: Path) -> Iterator[Path]:
    """Make an empty directory on the same file system; what is not renamed goes away again."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=".making-", dir=directory.parent, ignore_cleanup_errors=True
    ) as outer:
        scratch = Path(outer) / directory.name
        scratch.mkdir()
        yield scratch
