"""Stores of other schemas: older ones are brought up to date, all others refused."""

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from mobilebench.reports.errors import ReportError
from mobilebench.reports.records import migrations
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.schema import RECORDS, SAMPLES, SCHEMA_VERSION
from mobilebench.reports.records.store import Run, Store
from mobilebench.reports.records.upgrade import OLDEST_VERSION
from mobilebench.reports.records.upgrade import version_of as stored_version

REVISIONS = {int(one.revision) for one in ScriptDirectory(str(files(migrations))).walk_revisions()}
VERSIONS = sorted({OLDEST_VERSION, *REVISIONS} - {SCHEMA_VERSION})
NOW = f"this mobilebench reads {OLDEST_VERSION} to {SCHEMA_VERSION}"


@pytest.fixture(params=VERSIONS)
def older(url: str, request: pytest.FixtureRequest) -> str:
    """Return the URL of a store as a mobilebench with an older schema has written it."""
    kind = ".postgresql" if url.startswith("postgresql") else ""
    script = Path(__file__).with_name(f"store_of_schema_{request.param}{kind}.sql").read_text()
    if kind:
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            connection.connection.driver_connection.execute(script)  # type: ignore[union-attr]
        engine.dispose()
    else:
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            connection.executescript(script)
    return url


def version_of(url: str) -> int:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = stored_version(connection)
    engine.dispose()
    return int(found)


@pytest.mark.parametrize("create", [True, False])
def test_an_older_store_is_brought_up_to_date_and_loses_nothing(
    older: str, make_record: Any, create: bool
) -> None:
    run = Run("none yet", "", {})
    for _ in range(2):  # it is done once
        with Store(older, create=create) as store:
            run = store.find_run("latest")
            tvm, torch = store.records([run.run_id])
            assert run.suite["data"] == "images"
            assert (tvm.runtime, tvm.samples, tvm.images) == ("tvm", 445, 250)
            assert (tvm.top1_percent, torch.pytorch_top5_percent) == (73.6, 90.8)
            assert (torch.map_percent, tvm.max_box_error_px) == (None, None)
            assert (tvm.artifact_key, torch.artifact_key) == ("", "")
            assert store.rounds_ms(torch) == [[2.5, 2.25], [2.75]]
            assert store.confirmations([run.run_id]) == []
        assert version_of(older) == SCHEMA_VERSION
    with Store(older) as store:
        found = make_record(
            run_id=run.run_id, miou_percent=75.7, max_box_error_px=0.25, artifact_key="a-b-c"
        )
        store.add(found)
        assert store.records([run.run_id])[-1] == found


@pytest.mark.parametrize("older", [6], indirect=True)
def test_renamed_columns_of_schema_6_are_migrated(older: str) -> None:
    with Store(older) as store:
        earlier, latest = store.runs()
        done, failed = store.records([earlier.run_id])
        (confirmation,) = store.confirmations([earlier.run_id])
        assert store.rounds_ms(done) == [[3.5], [3.25]]
    assert (done.optimize_for, done.effort, done.artifact_key) == ("memory", "quick", "a-b-c")
    assert (failed.status, failed.error) == ("to_onnx_failed", "no ONNX of it")
    assert None not in (done.kernel_count, done.to_onnx_s, done.params_count)
    assert earlier.suite["optimize_for"] == "memory"
    assert (earlier.suite["check_regressions"], latest.suite["effort"]) == (True, "quick")
    assert set(latest.suite).isdisjoint({"prefer", "profile", "watch"})
    assert confirmation.cell == CellKey.of(done)
    assert confirmation.head_rounds_ms == [[3.5], [3.25]]


@pytest.mark.parametrize("older", [6], indirect=True)
def test_rows_of_an_upgraded_store_are_still_unique_and_removed_with_their_samples(
    older: str,
) -> None:
    with Store(older) as store:
        (done, _) = store.records([store.runs()[0].run_id])
        with pytest.raises(ReportError, match="has a row of"):
            store.add(done)
        store.database.write(lambda link, _: link.execute(RECORDS.delete()))
        samples = sa.select(sa.func.count()).select_from(SAMPLES)
        assert store.database.read(lambda link: link.scalar(samples)) == 0


def test_the_newest_migration_has_the_number_of_the_tables_of_today() -> None:
    scripts = ScriptDirectory(str(files(migrations)))
    assert scripts.get_heads() == [str(SCHEMA_VERSION)]


def test_a_store_of_today_is_opened_without_alembic(tmp_path: Path) -> None:
    program = (
        "import sys; from mobilebench.reports.records.store import Store\n"
        "for _ in range(2): Store(sys.argv[1]).close()\n"
        "assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "store.sqlite"], check=True)


def test_an_older_store_has_the_tables_of_a_new_one_afterwards(
    older: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    new = f"sqlite:///{tmp_path / 'new.sqlite'}"
    if older.startswith("postgresql"):
        new = request.getfixturevalue("postgres").new_database()
    for url in (older, new):
        Store(url).close()
    assert tables_of(older) == tables_of(new)


def tables_of(url: str) -> dict[str, Any]:
    """Return the columns of every table, and what is indexed."""
    engine = sa.create_engine(url)
    inspector = sa.inspect(engine)
    found = {
        table: (
            sorted(
                (column["name"], str(column["type"]), column["nullable"])
                for column in inspector.get_columns(table)
            ),
            sorted(tuple(one["column_names"]) for one in inspector.get_indexes(table)),
        )
        for table in inspector.get_table_names()
    }
    engine.dispose()
    return found


def test_many_that_open_an_older_store_at_the_same_moment_all_get_it(older: str) -> None:
    openers = 8
    together = threading.Barrier(openers)

    def open_it() -> int:
        together.wait()
        with Store(older) as store:
            return len(store.records([store.find_run("latest").run_id]))

    with ThreadPoolExecutor(openers) as pool:
        opened = [pool.submit(open_it) for _ in range(openers)]
    assert [one.result() for one in opened] == [2] * openers


@pytest.mark.parametrize("version", [OLDEST_VERSION - 1, 99])
def test_another_schema_is_refused(url: str, version: int) -> None:
    Store(url).close()
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE mobilebench_version SET version_num = '{version}'"))
    engine.dispose()
    with pytest.raises(ReportError, match=f"has schema {version}, {NOW}"):
        Store(url)
    assert version_of(url) == version


@pytest.mark.parametrize("create", [True, False])
def test_another_program_s_database_is_refused_and_kept(url: str, create: bool) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE records (title TEXT)"))
    with pytest.raises(ReportError, match="is a database of something else"):
        Store(url, create=create)
    assert sa.inspect(engine).get_table_names() == ["records"]
    engine.dispose()


def test_an_older_store_that_may_only_be_read_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with sqlite3.connect(path) as connection:
        script = Path(__file__).with_name(f"store_of_schema_{VERSIONS[0]}.sql")
        connection.executescript(script.read_text())
    with pytest.raises(ReportError, match="readonly"):
        Store(f"sqlite:///file:{path}?mode=ro&uri=true")
    assert version_of(f"sqlite:///{path}") == VERSIONS[0]
