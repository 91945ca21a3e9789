"""What a run keeps so that it can be resumed, and what is said about that."""

import hashlib
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mobilebench.bench.cli.resume import (
    kept_report_directory,
    kept_suite,
    nothing_left,
    resume_hint,
    suite_to_keep,
)
from mobilebench.bench.config.suite import Suite, SuiteFile
from mobilebench.reports.records.store import Run, Store
from mobilebench.targets.errors import BenchError
from tests.reports.conftest import make_record  # noqa: F401  a fixture

VARIANT = "mobilenet_v2_0.35_32"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def begun(suite: Suite, out: str = "report") -> Run:
    return Run("run-1", "2026-01-02T03:04:05+00:00", suite_to_keep(suite, Path(out)))


def finished(make_record: Any, **facts: Any) -> Run:  # noqa: F811
    """Return a stored run whose only row is there."""
    run = begun(Suite(variants=(VARIANT,), runtimes=("tvm",)))
    with Store("mobilebench.sqlite") as store:
        store.begin_run(run)
        store.add(make_record(VARIANT, run_id=run.run_id, **facts))
    return run


def test_paths_are_kept_as_any_directory_finds_them(here: Path) -> None:
    paths = {"data": "images", "calibration_data": "/elsewhere", "dump_ir": Path("ir")}
    suite = Suite(targets=("native", "boards/pi.toml"), **paths)
    again = kept_suite(begun(suite))
    assert again == suite.model_copy(
        update={
            "targets": ("native", str(here / "boards" / "pi.toml")),
            "data": str(here / "images"),
            "dump_ir": here / "ir",
        }
    )


def test_the_report_s_directory_is_kept(here: Path) -> None:
    assert kept_report_directory(begun(Suite(), "my report")) == here / "my report"
    assert kept_report_directory(Run("old", "", {})) is None


def test_a_suite_of_another_version_is_told_as_that(here: Path) -> None:
    run = begun(Suite())
    with pytest.raises(BenchError, match="started by another version"):
        kept_suite(replace(run, suite=run.suite | {"colour": "red"}))


def test_the_hint_names_all_that_is_needed(here: Path) -> None:
    run = begun(Suite())
    where = {"scheduler": "tcp://127.0.0.1:8786", "events": "events", "power_meter": "my meter"}
    events = SuiteFile.model_validate(where)
    with Store("a store.sqlite") as store:
        words = shlex.split(resume_hint(run, store, SuiteFile(), Path("report")))
        assert words[2:] == ["--resume", "run-1", "--store", str(here / "a store.sqlite")]
        more = shlex.split(resume_hint(run, store, events, Path("elsewhere")))
    assert more[: len(words)] == words
    assert more[len(words) :] == [
        *("--out", str(here / "elsewhere"), "--scheduler", "tcp://127.0.0.1:8786"),
        *("--power-meter", "my meter", "--events", str(here / "events")),
    ]


def test_a_run_with_nothing_left_says_so_and_writes_nothing(
    here: Path,
    mobilebench: Any,
    make_record: Any,  # noqa: F811
) -> None:
    run = finished(make_record)
    with Store("mobilebench.sqlite") as store:
        assert "write its report with: mobilebench report" in nothing_left(run, store, here / "r")
    before = files_in(here)
    done = mobilebench("run", "--resume", "latest", "--events", "events.jsonl")
    assert done.returncode == 0, done.stderr
    assert "run-1: nothing is left to measure (1 of 1 rows are ok)" in done.stdout
    assert f"--out {here / 'report'}" in done.stdout
    assert files_in(here) == before


def test_a_finished_run_with_a_failed_row_is_still_not_good(
    here: Path,
    mobilebench: Any,
    make_record: Any,  # noqa: F811
) -> None:
    finished(make_record, latency_ms=None, status="crashed")
    assert mobilebench("run", "--resume", "latest").returncode == 1


def files_in(directory: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file()
    }
