"""Files and servers that cannot be opened, are full, locked or gone."""

import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mobilebench.reports.errors import ReportError
from mobilebench.reports.records.store import Run, Store
from tests.postgres import PostgresServer
from tests.waiting import wait_until


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
        ("postgresql://127.0.0.1:1/store", "refused"),
        ("postgresql+psycopg://127.0.0.1:1/store", "refused"),
    ],
)
def test_a_store_that_cannot_be_opened_is_refused(url: str, reason: str) -> None:
    with pytest.raises(ReportError, match=reason) as refusal:
        Store(url)
    assert "\n" not in str(refusal.value)


def test_a_missing_driver_is_named_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ReportError, match=r"pip install 'mobilebench\[postgres\]'"):
        Store("postgresql://127.0.0.1:1/store")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@127.0.0.1:1/store",
        "postgresql://me@127.0.0.1:1/store?password=secret",
    ],
)
def test_passwords_are_never_printed(url: str) -> None:
    with pytest.raises(ReportError) as refusal:
        Store(url)
    assert "@127.0.0.1:1/store" in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader, " * 100)
    with pytest.raises(ReportError, match="not a database"):
        Store(str(path))
    assert path.read_text().startswith("Dear reader")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="unable to open"):
        Store(str(tmp_path))


@pytest.mark.parametrize("create", [True, False])
def test_a_read_only_store_is_read_and_refuses_writes(
    store: Store, make_record: Any, tmp_path: Path, create: bool
) -> None:
    store.add(make_record())
    path = f"sqlite:///file:{tmp_path / 'store.sqlite'}?mode=ro&uri=true"
    with Store(path, create=create) as read_only:
        assert read_only.records([make_record().run_id]) == [make_record()]
        with pytest.raises(ReportError, match="readonly"):
            read_only.add(make_record(threads=2))


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Return another program's connection to the store."""
    path = tmp_path / "store.sqlite"
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    yield connection
    connection.close()


def test_a_permanently_locked_store_is_reported(
    store: Store, make_record: Any, holder: sqlite3.Connection
) -> None:
    with Store(f"{store.url}?timeout=0.2") as impatient:  # seconds
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ReportError, match="locked"):
            impatient.add(make_record())


def test_a_store_that_is_locked_for_a_while_is_waited_for(
    store: Store, make_record: Any, holder: sqlite3.Connection
) -> None:
    holder.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.5, holder.execute, ["COMMIT"])
    release.start()
    store.add(make_record())
    release.join()
    assert store.records([make_record().run_id]) == [make_record()]


def test_a_long_read_does_not_block_writers(
    store: Store, make_record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobilebench.reports.records.reading._ROWS_AT_ONCE", 1)
    for threads in (1, 2):
        store.add(make_record(threads=threads))
    with Store(f"{store.url}?timeout=0.2") as impatient:
        ask = store.database.ask

        def ask_and_write(query: Any) -> Any:
            rows = ask(query)
            if len(impatient.records([make_record().run_id])) == 2:
                impatient.add(make_record(threads=3))
            return rows

        monkeypatch.setattr(store.database, "ask", ask_and_write)
        assert store.frame(["threads"])["threads"].tolist() == [1, 2, 3]


@contextmanager
def small_files(path: Path) -> Iterator[None]:
    """Let no file of this process grow beyond what the store is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Fill the disk that the store is on."""
    ballast = path.with_name("ballast")
    try:
        with ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        yield
    finally:
        ballast.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a directory on a disk of 2 MB."""
    path = tmp_path / "disk"
    path.mkdir()
    options = ("-t", "tmpfs", "-o", "size=2m", "tmpfs")
    if subprocess.run(["mount", *options, path], check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    yield path
    subprocess.run(["umount", path], check=True)


def assert_survives(full: Callable[[Path], Any], path: Path, make_record: Any) -> None:
    """Write until there is no room, see what is left, make room and go on."""
    rounds = [[1.0] * 2000] * 5
    with Store(str(path)) as store:
        store.begin_run(Run(make_record().run_id, "2026-01-02T03:04:05+00:00", {}))
        store.add(make_record(), rounds)
        with full(path), pytest.raises(ReportError, match="make room") as refusal:
            for threads in range(2, 1000):
                store.add(make_record(threads=threads), rounds)
        assert "\n" not in str(refusal.value)
    with Store(str(path)) as store:
        kept = store.records([make_record().run_id])
        assert len(store.rounds_of(store.frame([]).index)) == len(kept) >= 1
        store.add(make_record(threads=len(kept) + 1), rounds)
        assert len(store.records([make_record().run_id])) == len(kept) + 1
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_full_disk_costs_the_row_that_it_has_no_room_for(
    small_disk: Path, make_record: Any
) -> None:
    assert_survives(full_disk, small_disk / "store.sqlite", make_record)


def test_a_file_that_may_not_grow_costs_the_row_that_it_has_no_room_for(
    tmp_path: Path, make_record: Any
) -> None:
    assert_survives(small_files, tmp_path / "store.sqlite", make_record)


@pytest.fixture
def server(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """Return the server; it runs again afterwards."""
    yield postgres
    if not postgres.is_running:
        postgres.start()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_server_restarted_between_two_writes_costs_nothing(
    server: PostgresServer, make_record: Any, how: signal.Signals
) -> None:
    with Store(server.new_database()) as store:
        store.add(make_record())
        server.stop(how)
        server.start()
        store.add(make_record(threads=2), [[1.0]])
        server.stop(how)
        server.start()
        assert [one.threads for one in store.records([make_record().run_id])] == [1, 2]


def test_a_server_restarted_under_writers_costs_nothing_and_doubles_nothing(
    server: PostgresServer, make_record: Any
) -> None:
    url = server.new_database()
    written = {"one": 0, "two": 0}
    enough = threading.Event()

    def write(run_id: str) -> None:
        with Store(url) as store:
            while not enough.is_set():
                store.add(make_record(run_id=run_id, threads=written[run_id]), [[1.0] * 1000])
                written[run_id] += 1

    writers = [threading.Thread(target=write, args=(run_id,)) for run_id in written]

    def await_five_rows_of_each() -> None:
        aims = {run_id: rows + 5 for run_id, rows in written.items()}
        wait_until(
            lambda: (
                all(written[run_id] >= aim for run_id, aim in aims.items())
                or not all(writer.is_alive() for writer in writers)
            ),
            "both to write five rows",
        )
        assert all(writer.is_alive() for writer in writers)

    for writer in writers:
        writer.start()
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGINT, signal.SIGQUIT):
        await_five_rows_of_each()
        server.stop(how)
        server.start()
    enough.set()
    for writer in writers:
        writer.join()
    with Store(url) as store:
        for run_id, rows in written.items():
            frame = store.frame(["threads"], [run_id])
            assert frame["threads"].tolist() == list(range(rows))
            assert len(store.rounds_of(frame.index)) == rows


@pytest.mark.parametrize("comes_through", [True, False])
def test_a_row_whose_commit_was_never_answered_is_there_once(
    postgres: PostgresServer,
    make_record: Any,
    monkeypatch: pytest.MonkeyPatch,
    comes_through: bool,
) -> None:
    import psycopg

    with Store(postgres.new_database()) as store:
        dialect = store.database._engine.dialect
        commit, commits = dialect.do_commit, []

        def lose_the_first_answer(connection: Any) -> None:
            commits.append(connection)
            if len(commits) == 1:
                if comes_through:
                    commit(connection)
                connection.driver_connection.close()
                raise psycopg.OperationalError("server closed the connection unexpectedly")
            commit(connection)

        monkeypatch.setattr(dialect, "do_commit", lose_the_first_answer)
        record = make_record(temperature_c=41.1, error="odd \0 text")
        store.add(record, [[0.1, 0.2]])
        assert len(commits) == 2
        assert len(store.records([record.run_id])) == 1
        assert store.rounds_ms(record) == [[0.1, 0.2]]


def test_waiting_for_a_lost_server_ends(server: PostgresServer, make_record: Any) -> None:
    with Store(server.new_database(), lost_wait_s=0.3) as store:
        server.stop()
        with pytest.raises(ReportError) as refusal:
            store.add(make_record())
        assert "\n" not in str(refusal.value)
        server.start()
        store.add(make_record())
        assert len(store.records([make_record().run_id])) == 1
