"""What a store keeps, in SQLite and in PostgreSQL."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mobilebench.reports.errors import ReportError
from mobilebench.reports.records.calibration import Calibration
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.confirmation import Confirmation
from mobilebench.reports.records.record import COLUMNS, KernelTime
from mobilebench.reports.records.store import Run, Store
from mobilebench.reports.records.trace import TracePoint
from tests.reports.conftest import RUN
from tests.waiting import HANG_S

ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """Return an empty store with one run begun."""
    with Store(url) as opened:
        opened.begin_run(Run("20260102-030405-abcd", "2026-01-02T03:04:05+00:00", {}))
        yield opened


def test_a_record_comes_back_as_it_was(store: Store, make_record: Any) -> None:
    record = make_record(warnings="spread: 20%", temperature_c=41.5, artifact_key="a-b-c")
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


def test_a_trace_comes_back_as_it_was(store: Store, make_record: Any) -> None:
    trace = [TracePoint(1.0, 3.5, 285, 41.5, 2400.0, 6.25), TracePoint(2.125, 1 / 3, 284)]
    store.add(make_record(), trace=trace)
    store.add(make_record(runtime="torch"))
    assert store.trace(make_record()) == trace
    assert store.trace(make_record(runtime="torch")) == []
    (first, second) = store.frame().index
    assert store.traces_of([first, second]) == {first: trace}


def test_calibrations_come_back_as_they_were(store: Store, make_record: Any) -> None:
    found = [Calibration(0.16, 0.11, 1 / 3, 2), Calibration(0.17, 0.12, 0.2, None)]
    record = make_record()
    store.add(record, [[1.0]], calibrations=found)
    store.add(make_record(runtime="torch"))
    assert store.calibrations([record.run_id]) == {(record.run_id, CellKey.of(record)): found}
    assert store.calibrations(["another"]) == {}


def test_kernels_come_back_as_they_were(store: Store, make_record: Any) -> None:
    kernels = [KernelTime(f"pointwise {n}", n, 1000 * n, 10 * n, n / 7) for n in (1, 2)]
    store.add(make_record(), kernels=kernels)
    store.add(make_record(runtime="torch"))
    assert store.kernels(make_record()) == kernels
    assert store.kernels(make_record(runtime="torch")) == []


@pytest.fixture
def confirmation() -> Confirmation:
    return Confirmation(
        run_id="b",
        base_run_id="a",
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
        measured_at="2026-01-02T03:04:05+00:00",
        base_rounds_ms=[[3.0, 3.25], [3.5]],
        head_rounds_ms=[[3.25], [3.75, 4.0]],
    )


def test_confirmations_come_back_as_they_were(store: Store, confirmation: Confirmation) -> None:
    other_night = replace(confirmation, run_id="c")
    store.add_confirmation(confirmation)
    store.add_confirmation(other_night)
    assert store.confirmations(["b"]) == [confirmation]
    assert store.confirmations(["b", "c"]) == [confirmation, other_night]
    with pytest.raises(ReportError, match=r"run b has a confirmation of .* against a already"):
        store.add_confirmation(confirmation)


def test_a_failed_record_has_no_samples(store: Store, make_record: Any) -> None:
    record = make_record(status="crashed", latency_ms=None)
    store.add(record)
    assert store.rounds_ms(record) == []


def test_output_of_a_crashed_process_is_stored_without_invalid_characters(
    store: Store, make_record: Any
) -> None:
    store.add(make_record(status="crashed", error="core\0dumped \udcff ü"))
    (kept,) = store.records([make_record().run_id])
    assert kept.error == "core\N{REPLACEMENT CHARACTER}dumped ? ü"


def test_a_cell_is_kept_once_per_run(store: Store, make_record: Any) -> None:
    store.add(make_record())
    with pytest.raises(ReportError, match=r"has a row of mobilenet_v2_1\.0_224 on native in tvm"):
        store.add(make_record(latency_ms=9.0))
    store.add(make_record(threads=2))
    store.add(make_record(run_id="another"))
    assert len(store.records([make_record().run_id, "another"])) == 3


def test_runs_come_back_oldest_first_and_latest_is_the_newest(store: Store) -> None:
    store.begin_run(Run("b", "2026-03-01T00:00:00+00:00", {"variants": ["x"]}))
    store.begin_run(Run("a", "2026-02-01T00:00:00+00:00", {}))
    assert [run.run_id for run in store.runs()][1:] == ["a", "b"]
    assert store.find_run("latest").suite == {"variants": ["x"]}
    assert store.find_run("a").started_at == "2026-02-01T00:00:00+00:00"


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
    store.begin_run(Run("a", "2026-01-01T00:00:00+00:00", {}))
    with pytest.raises(ReportError, match=r"no run 'x'; the newest are a, 20260102-030405-abcd"):
        store.find_run("x")


def test_a_misspelt_run_is_suggested(store: Store) -> None:
    with pytest.raises(ReportError, match=r"no run 'lates'; .*; did you mean latest\?"):
        store.find_run("lates")


def test_a_run_without_rows_names_the_newest_that_has_some(store: Store, make_record: Any) -> None:
    with pytest.raises(ReportError, match=f"run {RUN} has no rows to report yet; nor has any"):
        store.require_rows([RUN], "report")
    for number in (1, 2, 3):
        store.begin_run(Run(f"run-{number}", f"2026-03-0{number}T00:00:00+00:00", {}))
    for number in (1, 2):
        store.add(make_record(run_id=f"run-{number}"))
    store.require_rows(["run-1", "run-2"], "compare")
    with pytest.raises(ReportError, match=r"run-3 has no rows to compare yet; .* is run-2"):
        store.require_rows(["run-1", "run-3"], "compare")


def test_a_store_without_runs_says_how_to_start_one(url: str) -> None:
    with Store(url) as empty, pytest.raises(ReportError, match="mobilebench run"):
        empty.find_run("latest")


def test_runs_are_tallied(store: Store, make_record: Any) -> None:
    store.add(make_record())
    store.add(make_record(threads=2, status="crashed", latency_ms=None))
    store.add(make_record(run_id="another", status="wrong"))
    assert store.tally() == {make_record().run_id: (2, 1), "another": (1, 0)}


def test_a_frame_has_the_columns_asked_for_in_the_order_of_writing(
    store: Store, make_record: Any
) -> None:
    wanted = ["run_id", "runtime", "threads", "latency_p50_ms", "arena_bytes", "emulated"]
    rows = [
        make_record(run_id="b", arena_bytes=None),
        make_record(run_id="a", arena_bytes=2**40),
        make_record(run_id="b", threads=2, arena_bytes=5, latency_ms=None, status="failed"),
    ]
    for row in rows:
        store.add(row)
    frame = store.frame(wanted)
    assert list(frame.columns) == wanted
    assert frame["run_id"].tolist() == ["b", "a", "b"]
    assert frame["threads"].tolist() == [1, 1, 2]
    assert frame["arena_bytes"].isna().tolist() == [True, False, False]
    assert frame["latency_p50_ms"].isna().tolist() == [False, False, True]
    assert [str(kind) for kind in frame.dtypes[2:]] == ["int64", "float64", "float64", "bool"]
    whole = store.frame(["arena_bytes"], run_ids=["a"])["arena_bytes"]
    assert (str(whole.dtype), whole.tolist()) == ("int64", [2**40])
    assert store.frame(wanted, run_ids=["b"])["threads"].tolist() == [1, 2]
    assert store.frame(["run_id"], ["a", "b", "a"])["run_id"].tolist() == ["b", "a", "b"]
    assert store.frame(wanted, statuses=["ok", "wrong"])["threads"].tolist() == [1, 1]
    assert store.frame(run_ids=["nosuch"]).empty
    assert list(store.frame(run_ids=[]).columns) == list(COLUMNS)


def test_a_frame_is_read_in_pieces(
    store: Store, make_record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobilebench.reports.records.reading._ROWS_AT_ONCE", 2)
    monkeypatch.setattr("mobilebench.reports.records.reading._RUNS_AT_ONCE", 1)
    names = ["c", "a", "c", "b", "a"]
    for threads, name in enumerate(names):
        store.add(make_record(run_id=name, threads=threads))
    for frame in (store.frame(["run_id"]), store.frame(["run_id"], ["a", "b", "c"])):
        assert frame["run_id"].tolist() == names
        assert frame.index.is_monotonic_increasing


def test_samples_and_kernels_are_found_by_the_frame_s_index(
    store: Store, make_record: Any, make_needs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobilebench.reports.records.store._AT_ONCE", 2)
    kernel = KernelTime("pointwise", 1, 2, 3, 4.5)
    for threads in range(5):
        store.add(make_record(threads=threads), [[float(threads)]], [kernel], make_needs())
    store.add(make_record(threads=9))
    ids = store.frame(["threads"]).index
    assert store.rounds_of(ids) == {ids[n]: [[float(n)]] for n in range(5)}
    assert store.kernels_of(ids[3:]) == {ids[3]: [kernel], ids[4]: [kernel]}
    assert store.activations_of(ids[:1]) == {ids[0]: make_needs()}
    assert store.rounds_of([]) == {}


def test_many_that_make_one_store_at_the_same_moment_all_get_it(url: str) -> None:
    openers = 8
    together = threading.Barrier(openers)

    def open_it() -> int:
        together.wait()
        with Store(url) as opened:
            return len(opened.runs())

    with ThreadPoolExecutor(openers) as pool:
        opened = [pool.submit(open_it) for _ in range(openers)]
    assert [one.result() for one in opened] == [0] * openers


@pytest.fixture
def start_writer(make_record: Any, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Return a function that starts a process which writes a run's records and tells of each."""
    made = f"from mobilebench.reports.records.record import Record\nrecord = {make_record()!r}"
    (tmp_path / "record.py").write_text(made)
    writer = """
import sys
from dataclasses import replace
from record import record
from mobilebench.reports.records.store import Run, Store
from mobilebench.reports.records.trace import TracePoint
from tests.reports.conftest import RUN
url, run_id, rows = sys.argv[1:]
with Store(url) as store:
    store.begin_run(Run(run_id, "2026-01-03T00:00:00+00:00", {}))
    for threads in range(1, int(rows) + 1):
        store.add(replace(record, run_id=run_id, threads=threads), [[1.0] * 1000] * 5)
        print(threads, flush=True)
"""

    def start(url: str, run_id: str, rows: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", writer, url, run_id, str(rows)],
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
            text=True,
        )

    return start


def test_two_controllers_write_to_one_store_at_once(url: str, start_writer: Any) -> None:
    rows = 40
    writers = [start_writer(url, run_id, rows) for run_id in ("one", "two")]  # they make it too
    assert [writer.wait(HANG_S) for writer in writers] == [0, 0]
    with Store(url) as store:
        assert store.tally() == {"one": (rows, rows), "two": (rows, rows)}
        assert len(store.rounds_of(store.frame([]).index)) == 2 * rows


def test_a_killed_writer_loses_nothing_that_it_finished(url: str, start_writer: Any) -> None:
    process, told = start_writer(url, "killed", 10_000), 0
    for line in process.stdout:
        told = int(line)
        if told == 20:
            process.send_signal(signal.SIGKILL)
    process.wait()
    with Store(url) as store:
        kept = store.records(["killed"])
        assert len(kept) in (told, told + 1)
        assert all(len(store.rounds_ms(record)) == 5 for record in kept[-2:])
