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

from reports.confirmation import Confirmation
from reports.errors import ReportError
from reports.store import SCHEMA_VERSION, Run, Store
from tests.reports.conftest import RUN


def test_a_record_comes_back_as_it_was(store: Store, make_record: Any) -> None:
    record = make_record(warnings="spread: 20%", temperature_c=41.5)
    store.add(record, [[1.0, 2.0], [3.0]])
    assert store.records([record.run_id]) == [record]
    assert store.rounds_ms(record) == [[1.0, 2.0], [3.0]]


def test_activations_come_back_as_they_were(
    store: Store, make_record: Any, make_needs: Any
) -> None:
    store.add(make_record(), activations=make_needs())
    store.add(make_record(runtime="torch"))
    assert store.activations(make_record()) == make_needs()
    assert store.activations(make_record(runtime="torch")) is None


def test_confirmations_come_back_as_they_were(store: Store) -> None:
    seen = Confirmation(
        run_id="b",
        base_run_id="a",
        variant="mobilenet_v2_1.0_224",
        target="native",
        device="workbench",
        runtime="tvm",
        threads=1,
        precision="float32",
        weights="random",
        measured_at="2026-01-02T03:04:05+00:00",
        base_rounds_ms=[[3.0, 3.25], [3.5]],
        head_rounds_ms=[[3.25], [3.75, 4.0]],
    )
    other_night = replace(seen, run_id="c")
    store.add_confirmation(seen)
    store.add_confirmation(other_night)
    assert store.confirmations(["b"]) == [seen]
    assert store.confirmations(["b", "c"]) == [seen, other_night]
    with pytest.raises(ReportError, match="UNIQUE"):
        store.add_confirmation(seen)


def test_a_failed_record_has_no_samples(store: Store, make_record: Any) -> None:
    record = make_record(status="crashed", latency_ms=None)
    store.add(record)
    assert store.rounds_ms(record) == []


def test_a_cell_is_kept_once_per_run(store: Store, make_record: Any) -> None:
    store.add(make_record())
    with pytest.raises(ReportError, match="UNIQUE"):
        store.add(make_record(latency_ms=9.0))
    store.add(make_record(threads=2))
    store.add(make_record(run_id="another"))
    assert len(store.records([make_record().run_id, "another"])) == 3


def test_runs_come_back_oldest_first_and_latest_is_the_newest(store: Store) -> None:
    store.begin_run(Run("b", "2026-03-01T00:00:00+00:00", {"variants": ["x"]}))
    store.begin_run(Run("a", "2026-02-01T00:00:00+00:00", {}))
    assert [run.run_id for run in store.runs()][1:] == ["a", "b"]
    assert store.find_run("latest").suite == {"variants": ["x"]}


def test_runs_are_counted_back_from_a_name(store: Store) -> None:
    store.begin_run(Run("b~1", "2026-03-01T00:00:00+00:00", {}))
    store.begin_run(Run("a", "2026-02-01T00:00:00+00:00", {}))
    names = {"latest~0": "b~1", "latest~1": "a", "a": "a", "a~1": RUN, "latest~2": RUN}
    assert {name: store.find_run(name).run_id for name in names} == names
    for name in ("latest~3", "a~2", "latest~", "latest~x", "latest~-1", "~1", ""):
        with pytest.raises(ReportError, match="no run"):
            store.find_run(name)


def test_measurements_are_records_with_their_samples(store: Store, make_record: Any) -> None:
    timed = make_record()
    failed = make_record(runtime="torch", status="crashed", latency_ms=None)
    store.add(timed, [[1.0, 2.0], [3.0]])
    store.add(failed)
    store.add(make_record(run_id="another"), [[9.0]])
    assert store.measurements([RUN]) == [(timed, [[1.0, 2.0], [3.0]]), (failed, [])]


def test_a_resumed_run_is_not_begun_twice(store: Store) -> None:
    store.begin_run(store.find_run("latest"))
    assert len(store.runs()) == 1


def test_an_unknown_run_names_the_known_ones(store: Store) -> None:
    with pytest.raises(ReportError, match=r"no run 'x'; the newest are 20260102-030405-abcd"):
        store.find_run("x")


def test_a_store_without_runs_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="mobilebench run"):
        Store(str(tmp_path / "store.sqlite")).find_run("latest")


def test_reading_does_not_make_a_store(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no such file"):
        Store(str(tmp_path / "store.sqlite"), create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("/nonexistent/store.sqlite", "unable to open"),
        ("nosuch://host/store", "not a database URL"),
        ("postgresql://host:port/store", "not a database URL"),
        ("postgresql://localhost/store", "driver is missing; pip install psycopg"),
    ],
)
def test_what_cannot_be_opened_is_refused(url: str, reason: str) -> None:
    with pytest.raises(ReportError, match=reason):
        Store(url)


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader, " * 100)
    with pytest.raises(ReportError, match="not a database"):
        Store(str(path))
    assert path.read_text().startswith("Dear reader")


@pytest.mark.parametrize("create", [True, False])
def test_another_program_s_database_is_refused_and_kept(tmp_path: Path, create: bool) -> None:
    path = tmp_path / "albums.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE records (title TEXT)")
    with pytest.raises(ReportError, match=r"albums\.sqlite"):
        Store(str(path), create=create)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("records",)]


def test_what_may_only_be_read_is_read_but_not_written(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    store.add(make_record())
    read_only = Store(f"sqlite:///file:{tmp_path / 'store.sqlite'}?mode=ro&uri=true")
    assert read_only.records([make_record().run_id]) == [make_record()]
    with pytest.raises(ReportError, match="readonly"):
        read_only.add(make_record(threads=2))


def test_two_that_make_one_store_at_the_same_moment_both_get_it(tmp_path: Path) -> None:
    openers = 8
    for attempt in range(5):
        path, together = tmp_path / f"store{attempt}.sqlite", threading.Barrier(openers)

        def open_it(path: Path = path, together: threading.Barrier = together) -> int:
            together.wait()
            with Store(str(path)) as store:
                return len(store.runs())

        with ThreadPoolExecutor(openers) as pool:
            opened = [pool.submit(open_it) for _ in range(openers)]
        assert [one.result() for one in opened] == [0] * openers


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="unable to open"):
        Store(str(tmp_path))


@pytest.mark.parametrize("version", [3, 99])
def test_another_schema_is_refused(store: Store, tmp_path: Path, version: int) -> None:
    store.close()
    with sqlite3.connect(tmp_path / "store.sqlite") as connection:
        connection.execute(f"UPDATE mobilebench_schema SET version = {version}")
    with pytest.raises(ReportError, match=f"has schema {version}, this mobilebench reads 4 to 6"):
        Store(str(tmp_path / "store.sqlite"))
    assert version_of(tmp_path / "store.sqlite") == version


@pytest.fixture(params=[4, 5])
def older(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return a store as a mobilebench with an older schema has written it."""
    path = tmp_path / "older.sqlite"
    script = Path(__file__).with_name(f"store_of_schema_{request.param}.sql")
    with sqlite3.connect(path) as connection:
        connection.executescript(script.read_text())
    return path


def version_of(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        (found,) = connection.execute("SELECT version FROM mobilebench_schema").fetchone()
    return int(found)


@pytest.mark.parametrize("create", [True, False])
def test_an_older_store_is_brought_up_to_date_and_loses_nothing(
    older: Path, make_record: Any, create: bool
) -> None:
    for _ in range(2):  # it is done once
        with Store(str(older), create=create) as store:
            run = store.find_run("latest")
            tvm, torch = store.records([run.run_id])
            assert run.suite["data"] == "images"
            assert (tvm.runtime, tvm.samples, tvm.images) == ("tvm", 445, 250)
            assert (tvm.top1_percent, torch.pytorch_top5_percent) == (73.6, 90.8)
            assert (torch.map_percent, tvm.max_box_error_px) == (None, None)
            assert (tvm.artifact_key, torch.artifact_key) == ("", "")
            assert store.confirmations([run.run_id]) == []
            assert store.rounds_ms(torch) == [[2.5, 2.25], [2.75]]
        assert version_of(older) == SCHEMA_VERSION
    with Store(str(older)) as store:
        found = make_record(
            run_id=run.run_id, miou_percent=75.7, max_box_error_px=0.25, artifact_key="a-b-c"
        )
        store.add(found)
        assert store.records([run.run_id])[-1] == found


def test_an_older_store_has_the_tables_of_a_new_one_afterwards(older: Path, store: Store) -> None:
    Store(str(older)).close()
    assert tables_of(older) == tables_of(Path(store.url.removeprefix("sqlite:///")))


def tables_of(path: Path) -> dict[str, list[tuple[str, str, int]]]:
    """Return the columns of every table: name, type, and whether they must have a value."""
    found = {}
    with sqlite3.connect(path) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in names:
            columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
            found[table] = sorted((name, kind, needed) for _, name, kind, needed, *_ in columns)
    return found


def test_two_that_open_an_older_store_at_the_same_moment_both_get_it(older: Path) -> None:
    openers = 8
    together = threading.Barrier(openers)

    def open_it() -> int:
        together.wait()
        with Store(str(older)) as store:
            return len(store.records([store.find_run("latest").run_id]))

    with ThreadPoolExecutor(openers) as pool:
        opened = [pool.submit(open_it) for _ in range(openers)]
    assert [one.result() for one in opened] == [2] * openers


def test_an_older_store_that_may_only_be_read_is_refused_and_kept(older: Path) -> None:
    before = version_of(older)
    with pytest.raises(ReportError, match="readonly"):
        Store(f"sqlite:///file:{older}?mode=ro&uri=true")
    assert version_of(older) == before < SCHEMA_VERSION


def test_a_store_that_is_locked_for_good_is_told(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    path = tmp_path / "store.sqlite"
    with (
        Store(f"sqlite:///{path}?timeout=0.2") as impatient,  # seconds; 5 by default
        sqlite3.connect(path, isolation_level=None) as connection,
    ):
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ReportError, match="locked"):
            impatient.add(make_record())


def test_a_killed_writer_loses_nothing_that_it_finished(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    store.close()
    path = tmp_path / "store.sqlite"
    (tmp_path / "record.py").write_text(
        f"from reports.record import Record\nrecord = {make_record()!r}"
    )
    writer = """
import itertools, sys
from dataclasses import replace
from record import record
from reports.store import Store
store = Store(sys.argv[1])
for threads in itertools.count(1):
    store.add(replace(record, threads=threads), [[1.0] * 1000] * 5)
    print(threads, flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", writer, str(path)],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
        text=True,
    )
    assert process.stdout is not None
    told = 0
    for line in process.stdout:
        told = int(line)
        if told == 20:
            process.send_signal(signal.SIGKILL)
    process.wait()
    kept = Store(str(path)).records([make_record().run_id])
    assert len(kept) in (told, told + 1)
    assert all(len(Store(str(path)).rounds_ms(record)) == 5 for record in kept[-2:])
