"""The files in which Linux tells what its sensors measure, here or on a board."""

from pathlib import Path
from typing import Protocol


class Files(Protocol):
    """Reads the files of one machine."""

    def read_text(self, path: str) -> str:
        """Return a text file; empty if it cannot be read."""
        ...

    def list_names(self, path: str) -> list[str]:
        """Return what is in a directory, sorted; empty if that cannot be read."""
        ...


class LocalFiles:
    """The files of this machine, below a root: a test gives a directory of its own."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def read_text(self, path: str) -> str:
        """Return a text file; empty if it cannot be read."""
        try:
            return (self._root / path.lstrip("/")).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def list_names(self, path: str) -> list[str]:
        """Return what is in a directory, sorted; empty if that cannot be read."""
        try:
            return sorted(one.name for one in (self._root / path.lstrip("/")).iterdir())
        except OSError:
            return []


def number_in(files: Files, path: str) -> float | None:
    """Return the number that a file begins with; None if it cannot be read or begins with none."""
    return as_number(files.read_text(path))


def as_number(text: str) -> float | None:
    """Return the number that a text begins with; None if it begins with none."""
    try:
        return float(text.split(maxsplit=1)[0])
    except (IndexError, ValueError):
        return None
