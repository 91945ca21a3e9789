"""The reference of the columns of records, written from the fields of `Record` and their texts."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from mobilebench.reports.records.record import STATUSES, Record

PAGE = Path("docs/reference/columns.md")  # in a checkout, where this is run
_UNITS = {
    "_macs_per_s": "MACs/s",
    "_bytes_per_s": "bytes/s",
    "_per_s": "1/s",
    "_ms": "ms",
    "_s": "s",
    "_bytes": "bytes",
    "_percent": "%",
    "_px": "px",
    "_mhz": "MHz",
    "_c": "°C",
    "_agreement": "0 to 1",
    "_left": "0 to 1",
    "_share": "0 to 1",
    "_fps": "1/s",
    "_j": "J",
    "_w": "W",
}
_HEAD = """# Columns of records

A row is one network on one target, device and runtime, at one precision and number of threads.
`mobilebench report` writes the rows as `records.csv` with these columns, and the store's table
`records` has them too. A column that may be empty is empty where the quantity does not exist or
was never reached: a failed row keeps what was known when it failed.

`python -m mobilebench.reports.records.columns` writes this page; a test holds it to the code.
"""


def render_columns() -> str:
    """Return the reference as Markdown: a table for each group of columns."""
    lines = [_HEAD]
    for group, columns in _groups():
        lines += [f"## {group[0].upper()}{group[1:]}", ""]
        lines += ["| column | type | unit | what it is |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(column)} |" for column in columns]
        lines.append("")
    lines += ["## Values of `status`", "", *(f"- `{status}`" for status in STATUSES), ""]
    return "\n".join(lines)


def unit_of(column: str) -> str:
    """Return the unit of a column, which is in its name; empty if it has none."""
    return next((unit for end, unit in _UNITS.items() if column.endswith(end)), "")


def _groups() -> Iterator[tuple[str, list[tuple[str, str, str, str]]]]:
    """Yield the groups of fields: a comment of its own line begins each."""
    source = inspect.getsource(Record)
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)
    heads = {
        number: found[1]
        for number, line in enumerate(source.splitlines(), 1)
        if (found := re.fullmatch(r"    # (.+)", line))
    }
    name, columns = "", list[tuple[str, str, str, str]]()
    last = 0
    for field, text in zip(body.body, body.body[1:], strict=False):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        new = [head for number, head in heads.items() if last < number < field.lineno]
        if new and columns:
            yield name, columns
            columns = []
        name, last = (new or [name])[-1], field.lineno
        assert isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant), field.target.id
        columns.append(_row(field.target.id, ast.unparse(field.annotation), str(text.value.value)))
    yield name, columns


def _row(column: str, annotation: str, text: str) -> tuple[str, str, str, str]:
    kind, _, optional = annotation.partition(" | ")
    kind = "str" if kind == "Status" else kind
    return f"`{column}`", f"{kind}, may be empty" if optional else kind, unit_of(column), text


if __name__ == "__main__":
    PAGE.write_text(render_columns(), encoding="utf-8")
