"""A night says with which earlier nights it was compared."""

from typing import Any

import pytest

from mobilebench.reports.history.compared import compared_with
from mobilebench.reports.history.timeline import night_names
from mobilebench.reports.records.store import Run, Store

NOTHING = "nothing to compare with: no earlier run "


def begin(store: Store, number: int, *, asked: bool = True) -> Run:
    suite = {"check_regressions": asked}
    run = Run(f"run-{number}", f"2026-03-{number + 1:02}T02:00:00+00:00", suite)
    store.begin_run(run)
    return run


@pytest.fixture
def store(tmp_path: Any) -> Store:
    return Store(str(tmp_path / "store.sqlite"))


def test_the_newest_earlier_night_with_a_cell_of_it_is_named(
    store: Store, make_record: Any
) -> None:
    for number, devices in enumerate((["a"], ["a", "b"], ["c"])):
        run = begin(store, number)
        for threads, device in enumerate(devices, 1):
            store.add(make_record(run_id=run.run_id, device=device, threads=threads))
    run = begin(store, 3)
    for threads in (1, 3):
        store.add(make_record(run_id=run.run_id, threads=threads))
    text = "compared with 3 runs, the newest of them run-2 (1 of 2 cells)"
    assert compared_with(store, run) == text


def test_ordinary_runs_are_compared_with_nothing(store: Store, make_record: Any) -> None:
    ordinary = begin(store, 0, asked=False)
    store.add(make_record(run_id=ordinary.run_id))
    run = begin(store, 1)
    store.add(make_record(run_id=run.run_id))
    assert compared_with(store, run) == f"{NOTHING}in the store had --check-regressions"


def test_a_night_of_other_cells_is_nothing_to_compare_with(store: Store, make_record: Any) -> None:
    for number in range(2):
        run = begin(store, number)
        store.add(make_record(run_id=run.run_id, threads=number + 1))
    assert compared_with(store, run) == f"{NOTHING}with --check-regressions shares a cell"


def test_nights_are_named_by_as_much_of_their_time_as_tells_them_apart() -> None:
    def names(*times: str) -> list[str]:
        return night_names([Run(f"r{n}", f"2026-01-{t}+00:00", {}) for n, t in enumerate(times)])

    assert names("01T02:00:00", "02T02:00:00") == ["2026-01-01", "2026-01-02"]
    assert names("01T02:00:00", "01T02:01:00") == ["2026-01-01T02:00", "2026-01-01T02:01"]
    assert names("01T02:00:00", "01T02:00:01") == ["2026-01-01T02:00:00", "2026-01-01T02:00:01"]
    assert names("01T02:00:00", "01T02:00:00") == [
        "2026-01-01T02:00:00 r0",
        "2026-01-01T02:00:00 r1",
    ]
