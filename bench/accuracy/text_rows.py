"""Lists as they are passed around: rows of text, separated and encoded in one way or another."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mobilebench.bench.accuracy.data_error import DataError

_SEPARATORS = (",", ";", "\t")
_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_ARCHIVES = {".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip"}
_BLANKS = "\t\n\v\f\r"
_NUMBER = re.compile(r"([+-]?\d{1,18})(\.0*|,00?)?", re.ASCII)  # but 1,000 may be a thousand


@dataclass(frozen=True)
class Row:
    """A line of a list."""

    line: int  # from 1
    fields: tuple[str, ...]
    text: str  # as it stands there

    def field(self, column: int) -> str:
        """Return a field; empty if there are fewer."""
        return self.fields[column] if column < len(self.fields) else ""


def is_number(field: str) -> bool:
    """Whether a field is a whole number: 7, or 7.0 as pandas writes it beside a gap, or 7,0."""
    return _NUMBER.fullmatch(field) is not None


def number_of(field: str) -> int | None:
    """Return the whole number that a field is; None if it is none."""
    found = _NUMBER.fullmatch(field)
    return int(found[1]) if found else None


def read_text(path: Path, what: str) -> str:
    """Return a text file's content: UTF-8, UTF-16 with a byte order mark, or else Latin-1.

    Raises BenchError, saying that the file is not `what`, if it is no text.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: not {what}: {error.strerror}") from None
    marked = [code for mark, code in _BYTE_ORDER_MARKS.items() if content.startswith(mark)]
    for encoding in marked or ["utf-8", "latin-1"]:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if all(char >= " " or char in _BLANKS for char in text):
            return text
    hint = "an archive; unpack it first" if path.suffix.lower() in _ARCHIVES else "not a text file"
    raise DataError(f"{path}: not {what}: it is {hint}")


def readings(text: str) -> list[list[Row]]:
    """Return the rows that a text has if commas, semicolons, tabs or blanks separate its fields.

    The reading with the most rows of several fields comes first. Blanks separate only the last
    field, since names of files have blanks too. Empty lines are left out, and comments: lines at
    the beginning that start with `#` and do not end with a number.
    """
    found = [list(_separated(text, separator)) for separator in _SEPARATORS]
    found.append(list(_separated_by_blanks(text)))
    found.sort(key=lambda rows: -sum(len(row.fields) > 1 for row in rows))  # stable
    return [_without_comments(rows) for rows in found]


def _separated(text: str, separator: str) -> Iterator[Row]:
    lines = _lines(text)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    line = 1
    try:
        for fields in reader:
            if any(map(str.strip, fields)):
                said = "".join(lines[line - 1 : reader.line_num]).strip()
                yield Row(line, tuple(map(str.strip, fields)), said)
            line = reader.line_num + 1
    except csv.Error:  # a field that is too long: it is separated otherwise
        return


def _separated_by_blanks(text: str) -> Iterator[Row]:
    for line, said in enumerate(_lines(text), 1):
        fields = said.strip().rsplit(maxsplit=1)
        if fields:
            yield Row(line, tuple(field.strip("\"'") for field in fields), said.strip())


def _lines(text: str) -> list[str]:
    return io.StringIO(text, newline=None).readlines()


def _without_comments(rows: list[Row]) -> list[Row]:
    comments = 0
    while comments < len(rows) and _is_comment(rows[comments]):
        comments += 1
    return rows[comments:]


def _is_comment(row: Row) -> bool:
    return row.text.startswith("#") and not is_number(row.fields[-1])
