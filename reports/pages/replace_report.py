"""Puts a new report in the place of an older one, of which nothing is left."""

from collections.abc import Iterable
from pathlib import Path

LISTING = ".files"  # in a report's directory: names of the report's files, one a line


def replace_report(new: Path, directory: Path, last: str) -> None:
    """Move the files of the report in `new` into `directory`, each whole, and `last` in the end.

    What the listing there names and the new report lacks is deleted; files that no report wrote are
    left alone. Raises OSError.
    """
    names = {file.name for file in new.iterdir()}
    older = _listed(directory)
    _list(directory, names | older)  # before anything is moved: an interrupted move leaves nothing
    for name in sorted(names, key=lambda name: name == last):
        (new / name).replace(directory / name)
    for name in older - names:
        (directory / name).unlink(missing_ok=True)
    _list(directory, names)


def _listed(directory: Path) -> set[str]:
    """Return the names in the listing that are of files in the directory itself."""
    try:
        text = (directory / LISTING).read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return set()
    lines = text.splitlines()
    return {line for line in lines if line == Path(line).name and (directory / line).is_file()}


def _list(directory: Path, names: Iterable[str]) -> None:
    text = "".join(f"{name}\n" for name in sorted(names))
    (directory / LISTING).write_text(text, encoding="utf-8")
