"""A made-up /sys: a directory tree whose root is given to whoever reads it."""

from pathlib import Path


def write_tree(root: Path, files: dict[str, object]) -> None:
    """Write the files of a tree, by path below its root."""
    for path, text in files.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
