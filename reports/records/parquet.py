"""Tables of a store as Parquet files: what their columns are, and how they are written and read."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import sqlalchemy as sa

from mobilebench.reports.errors import ReportError
from mobilebench.reports.records import renamed
from mobilebench.reports.records.calibration import Calibration
from mobilebench.reports.records.record import KernelTime
from mobilebench.reports.records.schema import CONFIRMATIONS, RECORDS, RUNS, SCHEMA_VERSION
from mobilebench.reports.records.trace import TracePoint

if TYPE_CHECKING:  # an extra, and slow to import
    import pyarrow as pa

ROWS_AT_ONCE = 500  # in memory, with thousands of samples each
_GROUP_ROWS, _GROUP_BYTES = 50_000, 64_000_000  # of what is compressed together, at most
_MARK = b"mobilebench_schema"
_AS_TEXT = ("suite", "activations")  # JSON without a fixed shape
# Lists of these.
_MADE_OF = {"kernels": KernelTime, "trace": TracePoint, "calibrations": Calibration}
_ROUNDS = ("rounds_ms", "base_rounds_ms", "head_rounds_ms")

Row = dict[str, Any]


@dataclass(frozen=True)
class Layout:
    """A table of the store, and what it has beside the table's own columns."""

    table: sa.Table
    beside: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """What the table's file is called."""
        return f"{self.table.name}.parquet"

    def columns(self) -> "pa.Schema":
        """Return names and types of the file's columns; rows are numbered by their order alone."""
        pa = import_pyarrow()
        own = [(c.name, _own_type(c), bool(c.nullable)) for c in self.table.c if c.name != "id"]
        more = [(name, _json_type(name), True) for name in self.beside]
        marks = {_MARK: str(SCHEMA_VERSION).encode()}
        return pa.schema([pa.field(*column) for column in own + more], metadata=marks)


LAYOUTS = (
    Layout(RUNS),
    Layout(RECORDS, ("rounds_ms", "kernels", "activations", "trace", "calibrations")),
    Layout(CONFIRMATIONS),
)


def import_pyarrow() -> Any:
    """Return pyarrow; raises ReportError naming the extra if it is not installed."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ReportError("pyarrow is not installed; pip install 'mobilebench[parquet]'") from error
    return pyarrow


def _own_type(column: sa.Column[Any]) -> Any:
    pa = import_pyarrow()
    if isinstance(column.type, sa.JSON):
        return _json_type(column.name)
    if isinstance(column.type, sa.Boolean):
        return pa.bool_()
    if isinstance(column.type, sa.Integer):
        return pa.int64()
    return pa.string() if isinstance(column.type, sa.String) else pa.float64()


def _json_type(name: str) -> Any:
    """Return the type of what the store has as JSON: text again, where it has no fixed shape."""
    pa = import_pyarrow()
    if name in _ROUNDS:
        return pa.list_(pa.list_(pa.float64()))
    if name in _MADE_OF:
        kinds = {str: pa.string(), int: pa.int64(), float: pa.float64()}
        made_of = fields(_MADE_OF[name])
        own = [(field.name, (*get_args(field.type), field.type)) for field in made_of]
        return pa.list_(pa.struct([(name, kinds[cast(type, of[0])]) for name, of in own]))
    return pa.string()


def write_file(directory: Path, layout: Layout, pieces: Iterable[Sequence[Row]]) -> int:
    """Write rows piece by piece, holding few of them, and return how many there were."""
    pa = import_pyarrow()
    columns, rows = layout.columns(), 0
    waiting: list[Any] = []
    with pa.parquet.ParquetWriter(
        directory / layout.file_name, columns, compression="zstd"
    ) as writer:
        for piece in pieces:
            encoded = [_recoded(row, json.dumps) for row in piece]
            waiting.append(pa.Table.from_pylist(encoded, columns))
            rows += len(piece)
            if (
                sum(one.num_rows for one in waiting) >= _GROUP_ROWS
                or sum(one.nbytes for one in waiting) >= _GROUP_BYTES
            ):
                writer.write_table(pa.concat_tables(waiting))
                waiting.clear()
        if waiting:
            writer.write_table(pa.concat_tables(waiting))
    return rows


def read_file(directory: Path, layout: Layout) -> Iterator[list[Row]]:
    """Yield the rows of a file, piece by piece.

    Columns that a file of an older schema lacks are left out. Raises ReportError, before the first
    row if that is possible, if it is damaged or was not written by `write_file`.
    """
    pa = import_pyarrow()
    path = directory / layout.file_name
    try:
        with path.open("rb") as opened, pa.parquet.ParquetFile(opened) as file:
            columns = _checked(path, file.schema_arrow, layout)
            asked = [_name_in(file.schema_arrow.names, name) for name in columns.names]
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=asked):
                rows = pa.Table.from_batches([batch]).select(asked)
                rows = rows.rename_columns(columns.names).cast(columns)
                rows.validate(full=True)
                yield [_today(_recoded(row, json.loads)) for row in rows.to_pylist()]
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ReportError(
            f"{path}: {reason}; give a directory that `mobilebench store dump` has written"
        ) from error


def _recoded(row: Row, code: Callable[[Any], Any]) -> Row:
    """Return a row whose JSON without a fixed shape is encoded or decoded."""
    return row | {name: code(row[name]) for name in _AS_TEXT if row.get(name) is not None}


def _name_in(found: Sequence[str], name: str) -> str:
    """Return what a file calls a column: what schema 6 called it if that is what it has."""
    if name in found:
        return name
    return next((old for old, new in renamed.COLUMNS.items() if new == name), name)


def _today(row: Row) -> Row:
    """Return a row with the statuses and the keys of suites that are used today."""
    if "suite" in row:
        return row | {"suite": renamed.rename_suite(row["suite"])}
    if "status" in row:
        return row | {"status": renamed.STATUSES.get(row["status"], row["status"])}
    return row


def _checked(path: Path, found: "pa.Schema", layout: Layout) -> "pa.Schema":
    """Return which of a layout's columns a file has; raises ReportError if one is not as here."""
    pa = import_pyarrow()
    version = (found.metadata or {}).get(_MARK)
    if version is None:
        raise ReportError(f"{path}: was not written by `mobilebench store dump`")
    if int(version) > SCHEMA_VERSION:
        raise ReportError(
            f"{path}: has schema {int(version)}, this mobilebench reads up to {SCHEMA_VERSION}; "
            "update it"
        )
    kept = []
    for column in layout.columns():
        own = layout.table.c.get(column.name)
        late = own is None or own.nullable or own.server_default is not None
        if _name_in(found.names, column.name) in found.names:
            kept.append(column)
        elif int(version) == SCHEMA_VERSION or not late:
            raise ReportError(f"{path}: has no column {column.name}")
    return pa.schema(kept)
