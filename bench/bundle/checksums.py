"""A directory's files and their SHA-256, as `sha256sum` writes them."""

from pathlib import Path, PurePosixPath

from bench.cache import file_sha256

SUMS = "SHA256SUMS"


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


def check_sums(directory: Path) -> str:
    """Compare files with SHA256SUMS; returns its own SHA-256, which stands for all of them.

    Raises ValueError with the first thing that is not as it says: a line, a file that is missing,
    changed or not named. OSError if SHA256SUMS cannot be read.
    """
    expected = read_sums(directory)
    found = set(files_below(directory))
    for name, digest in expected.items():
        path = directory / name
        if name not in found:
            raise ValueError(f"{name} is missing; get the bundle again")
        if path.is_symlink() or not path.is_file():
            raise ValueError(f"{name} is not a plain file; get the bundle again")
        if file_sha256(path) != digest:
            raise ValueError(f"{name} is not the file that {SUMS} names; get the bundle again")
    if foreign := sorted(found - set(expected)):
        raise ValueError(f"{foreign[0]} is not named in {SUMS}; take it away")
    return file_sha256(directory / SUMS)


def read_sums(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of each file as SHA256SUMS has it; raises ValueError for a bad line."""
    sums: dict[str, str] = {}
    for number, line in enumerate((directory / SUMS).read_text(encoding="utf-8").splitlines(), 1):
        digest, separator, name = line.partition("  ")
        inside = name and not PurePosixPath(name).is_absolute() and ".." not in name.split("/")
        if len(digest) != 64 or not separator or not inside or name in sums:
            raise ValueError(f"line {number} of {SUMS} is damaged; get the bundle again")
        sums[name] = digest
    return sums
