"""A directory's files and their SHA-256, as `sha256sum` writes them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mobilebench.bench.cache import file_sha256

SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Sums:
    """What SHA256SUMS says."""

    sha256: str  # of itself, which stands for everything that it names
    files: dict[str, str]  # the SHA-256 of each file


def write_sums(directory: Path) -> None:
    """Write SHA256SUMS of all files below a directory."""
    lines = [
        f"{file_sha256(directory / name)}  {name}\n" for name in sorted(files_below(directory))
    ]
    (directory / SUMS).write_text("".join(lines), encoding="utf-8")


def files_below(directory: Path) -> list[str]:
    """Return all that lies below a directory, SHA256SUMS and directories excepted."""
    below = (path for path in directory.rglob("*") if path.is_symlink() or not path.is_dir())
    return [name for path in below if (name := path.relative_to(directory).as_posix()) != SUMS]


def check_sums(directory: Path) -> Sums:
    """Compare files with SHA256SUMS.

    Raises ValueError with the first thing that is not as it says: a line, a file that is missing,
    changed or not named. OSError if SHA256SUMS cannot be read.
    """
    sums = _read(directory)
    found = set(files_below(directory))
    for name, digest in sums.files.items():
        path = directory / name
        if name not in found:
            raise ValueError(f"{name} is missing; get the bundle again")
        if path.is_symlink() or not path.is_file():
            raise ValueError(f"{name} is not a plain file; get the bundle again")
        if file_sha256(path) != digest:
            raise ValueError(f"{name} is not the file that {SUMS} names; get the bundle again")
    if foreign := sorted(found - set(sums.files)):
        raise ValueError(f"{foreign[0]} is not named in {SUMS}; take it away")
    return sums


def _read(directory: Path) -> Sums:
    """Raise ValueError for a bad line."""
    content = (directory / SUMS).read_bytes()
    files: dict[str, str] = {}
    lines = content.decode(errors="replace").removesuffix("\n").split("\n")
    for number, line in enumerate(lines, 1):
        digest, separator, name = line.partition("  ")
        inside = name and not PurePosixPath(name).is_absolute() and ".." not in name.split("/")
        if len(digest) != 64 or not separator or not inside or name in files:
            raise ValueError(f"line {number} of {SUMS} is damaged; get the bundle again")
        files[name] = digest
    return Sums(hashlib.sha256(content).hexdigest(), files)
