"""A table as data, and as Markdown; the page shows the same ones."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Cells as text; the first column names the row."""

    title: str
    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1  # columns on the left that are words; the others are numbers

    def to_markdown(self) -> str:
        """Return the table in GitHub's Markdown, heading and caption included."""
        lines = [f"### {self.title}", "", self.caption, "", _line(self.headers)]
        lines += [
            "|".join(["", *("---" if i < self.words else "---:" for i in range(self.width)), ""])
        ]
        return "\n".join([*lines, *map(_line, self.rows), ""])

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.headers)


def milliseconds(value: float) -> str:
    """Show three significant digits, and no fewer than the unit."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _line(cells: Sequence[str]) -> str:
    return "|".join(["", *map(_escaped, cells), ""])


def _escaped(cell: str) -> str:
    # Markdown takes what looks like a tag for one and hides it, as in "<class 'OSError'>".
    safe = cell.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return " ".join(safe.splitlines())
