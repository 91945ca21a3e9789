"""The newest rows, by the indices of the store."""

from typing import Any

import sqlalchemy as sa

from mobilebench.reports.records.newest import newest_examined, newest_of_target, targets_of
from mobilebench.reports.records.schema import CELL, EXAMINED, RECORDS
from mobilebench.reports.records.store import Run, Store
from tests.reports.conftest import RUN

LATER = "20270101-000000-aaaa"


def filled(url: str, make_record: Any) -> Store:
    store = Store(url)
    for run_id in (RUN, LATER):
        store.begin_run(Run(run_id, run_id, {}))
    for target in ("native", "arm", "x86"):
        store.add(make_record(target=target, images=100, top1_percent=70.0))
    store.add(make_record(run_id=LATER, latency_ms=2.0))
    store.add(make_record(run_id=LATER, runtime="torch", status="crashed", latency_ms=None))
    return store


def test_the_newest_row_of_each_cell_is_found_whatever_its_status(
    url: str, make_record: Any
) -> None:
    with filled(url, make_record) as store:
        found = [record for _, record in newest_of_target(store.database, "native")]
        assert [(one.run_id, one.runtime) for one in found] == [(LATER, "tvm"), (LATER, "torch")]
        assert found[0] == make_record(run_id=LATER, latency_ms=2.0)
        ids = store.frame(["run_id"], [LATER]).index
        assert [number for number, _ in newest_of_target(store.database, "native")] == list(ids)
        assert newest_of_target(store.database, "mali") == []


def test_targets_are_listed_once(url: str, make_record: Any) -> None:
    with filled(url, make_record) as store:
        assert targets_of(store.database) == ["arm", "native", "x86"]
    with Store("sqlite://") as empty:
        assert targets_of(empty.database) == []


def test_rows_with_an_accuracy_are_found_and_no_others(url: str, make_record: Any) -> None:
    with filled(url, make_record) as store:
        (found,) = newest_examined(store.database)
        assert (found.target, found.images) == ("x86", 100)


def test_sqlite_looks_into_the_indices_alone(store: Store) -> None:
    newest = sa.select(sa.func.max(RECORDS.c.id)).where(RECORDS.c.target == "native")
    examined = sa.select(sa.func.max(RECORDS.c.id)).where(EXAMINED)
    queries = {
        "records_cells": newest.group_by(*(RECORDS.c[name] for name in CELL)),
        "records_examined": examined.group_by(RECORDS.c.variant, RECORDS.c.weights),
    }
    for index, query in queries.items():
        words = query.compile(compile_kwargs={"literal_binds": True})
        plan = store.database.ask(sa.text(f"EXPLAIN QUERY PLAN {words}"))
        assert f"USING COVERING INDEX {index}" in str(plan)
