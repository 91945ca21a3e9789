"""Which files of a directory are images, and which lie there beside them."""

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".jp2", ".jxl", ".avif", ".heic", ".heif"),
)
"""Of image files, in lower case; one that cannot be decoded is refused by its name later."""

# What file managers, archives and network drives leave behind.
_LEFT_BEHIND = frozenset(
    {
        "__macosx",
        "__pycache__",
        "@eadir",
        "$recycle.bin",
        "desktop.ini",
        "lost+found",
        "system volume information",
        "thumbs.db",
    }
)


def passed_over(name: str) -> bool:
    """Whether a file or directory of this name is hidden, or not the user's own."""
    return name.startswith(".") or name.lower() in _LEFT_BEHIND


def is_image(file: Path) -> bool:
    """Whether a file is an image by its name; so is a link to one that is gone."""
    if file.suffix.lower() not in SUFFIXES or passed_over(file.name):
        return False
    return file.is_file() or (file.is_symlink() and not file.exists())


def folders_in(directory: Path) -> list[Path]:
    """Return the directories in a directory, in the order of their names."""
    return sorted(one for one in directory.iterdir() if one.is_dir() and not passed_over(one.name))


def images_below(directory: Path) -> Iterator[Path]:
    """Yield the images in a directory and in those below it, in the order of their names."""
    for file in sorted(directory.rglob("*")):
        parts = file.relative_to(directory).parts
        if is_image(file) and not any(map(passed_over, parts)):
            yield file


class NamedFiles:
    """The files that a list in a directory means by their names.

    Lists are carried from one machine to another: a name may have backslashes, a suffix in another
    case, accents written in another way (`é` as one character or as two), or be encoded otherwise
    than names of files are here.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._entries: dict[Path, dict[str, list[str]]] = {}  # folded names of each directory

    def find(self, name: str) -> Path:
        """Return the file; if there is none, where it should be."""
        plain = name.replace("\\", "/")
        for spelt in dict.fromkeys([name, plain, *_spellings(plain)]):
            if _is_file(self._directory / spelt):
                return self._directory / spelt
        folder, wanted = (self._directory / plain).parent, Path(plain).name
        if folder not in self._entries:
            self._entries[folder] = _folded_names(folder)
        alike = self._entries[folder].get(_folded(wanted), ())
        return folder / alike[0] if len(alike) == 1 else self._directory / name


def _spellings(name: str) -> Iterator[str]:
    for form in ("NFC", "NFD"):
        spelt = unicodedata.normalize(form, name)
        yield spelt
        for encoding in ("utf-8", "latin-1"):
            try:
                yield os.fsdecode(spelt.encode(encoding))
            except UnicodeEncodeError:
                continue


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or cannot be encoded
        return False


def _folded_names(directory: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    try:
        for entry in directory.iterdir():
            found.setdefault(_folded(entry.name), []).append(entry.name)
    except (OSError, ValueError):
        return {}
    return found


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
