"""A store comes back from Parquet files as it was, into a store of either kind."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mobilebench.reports.errors import ReportError
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.confirmation import Confirmation
from mobilebench.reports.records.record import KernelTime
from mobilebench.reports.records.store import Run, Store
from mobilebench.reports.records.trace import TracePoint
from mobilebench.reports.records.transfer import export_store, import_store

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROOT = Path(__file__).parents[3]
RUN = "20260102-030405-abcd"
ROWS = {"runs": 2, "records": 5, "confirmations": 1}


@pytest.fixture
def full(store: Store, make_record: Any, make_needs: Any) -> Store:
    """Return a store that has something of everything."""
    store.begin_run(Run("b", "2026-02-01T00:00:00+00:00", {"variant": ["x"], "trials": None}))
    kernels = [KernelTime("pointwise 8x8", 2, 3, 4, 0.1), KernelTime("stem", 1, 9, 9, 1 / 3, 17)]
    trace = [TracePoint(1.0, 1 / 3, 3, 41.5, power_w=2.5), TracePoint(2.0, 0.5, 2)]
    store.add(make_record(), [[0.1, 1 / 3], [2]], kernels, make_needs(), trace)
    store.add(make_record(run_id="b", temperature_c=41.1, artifact_key="a-b"), [[5.0]])
    store.add(make_record(threads=2, status="crashed", latency_ms=None, error='"ü"\n\u2028'))
    store.add(make_record(run_id="b", threads=2, emulated=True), kernels=kernels)
    store.add(make_record(run_id="b", threads=3, macs=2**53 + 1), activations=make_needs())
    store.add_confirmation(
        Confirmation(
            run_id="b",
            base_run_id=make_record().run_id,
            cell=CellKey(
                variant="mobilenet_v2_1.0_224",
                target="native",
                device="workbench",
                runtime="tvm",
                threads=1,
                precision="float32",
                optimize_for="latency",
                weights="random",
            ),
            measured_at="2026-02-01T00:00:00+00:00",
            base_rounds_ms=[[0.1], [0.2, 0.3]],
            head_rounds_ms=[[1 / 3], []],
        )
    )
    return store


def content(store: Store) -> list[Any]:
    """Return all that there is in a store, in its order."""
    runs = store.runs()
    records = store.records([run.run_id for run in runs])
    beside = [
        (store.rounds_ms(r), store.kernels(r), store.activations(r), store.trace(r))
        for r in records
    ]
    calibrations = store.calibrations([run.run_id for run in runs])
    return [runs, records, beside, calibrations, store.confirmations([one.run_id for one in runs])]


@pytest.fixture
def exported(full: Store, tmp_path: Path) -> Path:
    """Return the directory of an export of that store."""
    assert export_store(full, tmp_path / "deep" / "export") == ROWS
    return tmp_path / "deep" / "export"


@pytest.fixture
def other(url: str) -> str:
    """Return the URL of another database, of each kind in turn."""
    return url.replace("store.sqlite", "other.sqlite")


def test_import_restores_the_exported_store(
    full: Store, exported: Path, other: str, tmp_path: Path
) -> None:
    with Store(other) as copy:
        assert import_store(copy, exported) == ROWS
        assert content(copy) == content(full)
        export_store(copy, tmp_path / "again")
    for file in exported.iterdir():
        assert pq.read_table(file).equals(pq.read_table(tmp_path / "again" / file.name))


def test_an_import_adds_what_is_missing_and_nothing_twice(
    full: Store, exported: Path, other: str
) -> None:
    (newest,) = [one for one in full.records(["b"]) if one.threads == 3]
    changed = replace(newest, device="another")
    with Store(other) as copy:
        copy.begin_run(Run("b", "2026-02-01T00:00:01+00:00", {}))
        copy.add(changed, [[7.0]])
        assert import_store(copy, exported) == {"runs": 1, "records": 4, "confirmations": 1}
        assert import_store(copy, exported) == {"runs": 0, "records": 0, "confirmations": 0}
        assert copy.find_run("b").suite == {}
        assert changed in copy.records(["b"])
        assert copy.rounds_ms(changed) == [[7.0]]
        copy.add(replace(newest, threads=4))  # numbers of rows go on


def test_rows_are_read_in_pieces(
    full: Store, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobilebench.reports.records.transfer.ROWS_AT_ONCE", 2)
    monkeypatch.setattr("mobilebench.reports.records.parquet.ROWS_AT_ONCE", 2)
    monkeypatch.setattr("mobilebench.reports.records.parquet._GROUP_ROWS", 3)
    told: list[int] = []
    assert export_store(full, tmp_path / "export", told.append) == ROWS
    assert pq.ParquetFile(tmp_path / "export" / "records.parquet").num_row_groups == 2
    with Store(other) as copy:
        import_store(copy, tmp_path / "export", told.append)
        assert content(copy) == content(full)
    assert sum(told) == 2 * sum(ROWS.values())


def test_an_empty_store_comes_back_empty(tmp_path: Path) -> None:
    with Store(str(tmp_path / "a.sqlite")) as empty, Store(str(tmp_path / "b.sqlite")) as copy:
        export_store(empty, tmp_path / "export")
        assert import_store(copy, tmp_path / "export") == dict.fromkeys(ROWS, 0)


def test_pandas_reads_an_export(exported: Path) -> None:
    import pandas as pd

    frame = pd.read_parquet(exported / "records.parquet", columns=["run_id", "threads"])
    assert frame["threads"].tolist() == [1, 1, 2, 2, 3]


def test_two_imports_at_once_add_everything_once(full: Store, exported: Path, other: str) -> None:
    Store(other).close()
    together = threading.Barrier(3)

    def import_it() -> dict[str, int]:
        with Store(other) as copy:
            together.wait()
            return import_store(copy, exported)

    with ThreadPoolExecutor(3) as pool:
        added = [one.result() for one in [pool.submit(import_it) for _ in range(3)]]
    assert {name: sum(one[name] for one in added) for name in ROWS} == ROWS
    with Store(other) as copy:
        assert content(copy) == content(full)


@pytest.mark.parametrize("there", ["file", "directory"])
def test_an_export_replaces_nothing(full: Store, tmp_path: Path, there: str) -> None:
    out = tmp_path / "export"
    if there == "directory":
        out.mkdir()
        (out / "letter.txt").write_text("Dear reader")
    else:
        out.write_text("Dear reader")
    with pytest.raises(ReportError, match="is there already"):
        export_store(full, out)
    assert (out / "letter.txt" if there == "directory" else out).read_text() == "Dear reader"


def test_a_killed_export_leaves_no_directory_of_that_name(full: Store, tmp_path: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from mobilebench.reports.records import transfer
from mobilebench.reports.records.store import Store
write = transfer.write_file
def write_and_die(directory, layout, pieces):
    write(directory, layout, pieces)
    os.kill(os.getpid(), signal.SIGKILL)
transfer.write_file = write_and_die
transfer.export_store(Store(sys.argv[1]), Path(sys.argv[2]))
"""
    command = [sys.executable, "-c", code, full.url, str(tmp_path / "export")]
    done = subprocess.run(command, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "export").exists()
    export_store(full, tmp_path / "export")


def test_an_export_that_cannot_be_written_is_refused(full: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="file"):
        export_store(full, tmp_path / "file" / "export")


def damage(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4)
        file.write(b"\xff" * (size // 2))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def unmark(path: Path) -> None:
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)


def from_the_future(path: Path) -> None:
    pq.write_table(pq.read_table(path).replace_schema_metadata({"mobilebench_schema": "99"}), path)


def without_a_column(path: Path) -> None:
    pq.write_table(pq.read_table(path).drop_columns(["latency_p50_ms"]), path)


def with_another_type(path: Path) -> None:
    table = pq.read_table(path)
    place = table.column_names.index("threads")
    pq.write_table(table.set_column(place, "threads", pa.array(["many"] * len(table))), path)


def with_nothing_where_something_must_be(path: Path) -> None:
    table = pq.read_table(path)
    place = table.column_names.index("threads")
    nothing = pa.array([None] * len(table), pa.int64())
    pq.write_table(table.set_column(place, "threads", nothing), path)


def with_broken_json(path: Path) -> None:
    table = pq.read_table(path)
    place = table.column_names.index("activations")
    pq.write_table(table.set_column(place, "activations", pa.array(["{"] * len(table))), path)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (Path.unlink, "No such file"),
        (damage, "store dump"),
        (cut, "store dump"),
        (lambda path: path.write_text("run_id\n"), "store dump"),
        (unmark, "was not written by"),
        (from_the_future, "has schema 99"),
        (without_a_column, "no column latency_p50_ms"),
        (with_another_type, "many"),
        (with_nothing_where_something_must_be, "threads"),
        (with_broken_json, "store dump"),
    ],
)
def test_a_directory_that_is_no_export_is_refused(
    exported: Path, tmp_path: Path, harm: Any, reason: str
) -> None:
    harm(exported / "records.parquet")
    with Store(str(tmp_path / "other.sqlite")) as copy:
        with pytest.raises(ReportError, match=reason) as refusal:
            import_store(copy, exported)
        assert "\n" not in str(refusal.value)
        assert str(exported / "records.parquet") in str(refusal.value)
        assert copy.runs() == []


def test_an_export_of_an_older_schema_is_filled_up(
    full: Store, exported: Path, tmp_path: Path
) -> None:
    path = exported / "records.parquet"
    older = pq.read_table(path).drop_columns(["artifact_key", "miou_percent", "trace"])
    pq.write_table(older.replace_schema_metadata({"mobilebench_schema": "4"}), path)
    with Store(str(tmp_path / "other.sqlite")) as copy:
        import_store(copy, exported)
        (first, *_) = copy.records(["b"])
        assert copy.trace(full.records([RUN])[0]) == []
    assert first == replace(full.records(["b"])[0], artifact_key="")


def test_text_with_null_characters_is_imported_into_postgresql(
    full: Store, tmp_path: Path, other: str
) -> None:
    with sqlite3.connect(full.url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE records SET error = 'core' || char(0) || 'dumped'")
    export_store(full, tmp_path / "export")
    with Store(other) as copy:
        import_store(copy, tmp_path / "export")
        assert copy.records(["b"])[0].error == "core\N{REPLACEMENT CHARACTER}dumped"


def test_the_missing_extra_is_named(
    full: Store, exported: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for transfer in (export_store, import_store):
        with pytest.raises(ReportError, match=r"pip install 'mobilebench\[parquet\]'"):
            transfer(full, tmp_path / "elsewhere")
