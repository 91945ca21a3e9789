"""Tables on the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table


def or_dash(value: float | None, form: str = "", unit: str = "") -> str:
    """Format a number that may be unknown."""
    return "-" if value is None else f"{value:{form}}{unit}"


def make_table(*headers: str, right: Sequence[str] = ()) -> Table:
    """Return an empty table; columns in `right` hold numbers."""
    table = Table(box=None, pad_edge=False, caption_justify="left")
    for header in headers:
        table.add_column(header, overflow="fold")
    for header in right:
        table.add_column(header, justify="right")
    return table


def print_table(table: Table) -> None:
    """Print a table on standard output."""
    Console().print(table, highlight=False)
