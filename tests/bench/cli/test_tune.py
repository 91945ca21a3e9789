"""Tuning from end to end, and what a run makes of it."""

import signal
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from mobilebench.bench.cli.progress import TuningDisplay
from mobilebench.bench.tuning import tuning
from mobilebench.bench.tuning.tuning import Tuning, tune
from mobilebench.reports.records.record import Record
from mobilebench.reports.records.store import Store
from mobilebench.schedules.databases.database import read_database, write_database
from mobilebench.targets.errors import BenchError
from tests.waiting import HANG_S, wait_until

VARIANT, OTHER = "mobilenet_v2_0.35_32_t1", "mobilenet_v2_0.35_64_t1"


def records_of(directory: Path) -> list[Record]:
    with Store(str(directory / "mobilebench.sqlite")) as store:
        return store.records([run.run_id for run in store.runs()])


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Path:
    directory = tmp_path_factory.mktemp("tuned")
    request = Tuning((VARIANT,), "native", 1, 1, directory, cache_dir, 120)
    with TuningDisplay(Console(quiet=True), "test") as progress:
        assert tune(request, progress)
    return directory


def test_a_directory_that_cannot_be_written_is_refused_before_the_search(
    tmp_path: Path, cache_dir: Path
) -> None:
    (tmp_path / "file").touch()
    request = Tuning((VARIANT,), "native", 1, 1, tmp_path / "file" / "databases", cache_dir, 120)
    with (
        TuningDisplay(Console(quiet=True), "test") as progress,
        pytest.raises(BenchError, match="give --out, or point MOBILEBENCH_DATABASES at, a"),
    ):
        tune(request, progress)


def test_a_search_says_how_many_kernels_it_made_faster() -> None:
    default: Any = SimpleNamespace(tile=None)
    found: Any = SimpleNamespace(tile={"columns": 4})
    assert tuning._gain([default, found, default]) == (
        "3 kernels, 1 of them faster with a tile that was found"
    )
    assert tuning._gain([default]).startswith("1 kernel, 0 of them")


@pytest.mark.slow
def test_runs_use_tuned_schedules_by_default(tuned: Path, mobilebench: Any, tmp_path: Path) -> None:
    entries = read_database(tuned / "native.json").entries
    kernels = len(entries)
    assert kernels > 20
    # With one trial there is nothing but the guess.
    assert all(entry.tile is None for entry in entries)
    assert all(0 < one.microseconds == one.default_microseconds for one in entries)
    select = ("--variant", VARIANT, "--variant", OTHER, "--runtime", "tvm")
    done = mobilebench("run", *select, MOBILEBENCH_DATABASES=str(tuned))
    assert done.returncode == 0, done.stderr
    known, new = records_of(tmp_path)
    assert (known.database_hits, known.database_misses) == (kernels, 0)
    assert known.trials == 1
    assert "tuned database" not in known.warnings
    assert new.database_misses
    assert f"{new.database_misses} of " in new.warnings
    assert "kernels are not in the tuned database" in new.warnings


@pytest.mark.slow
def test_zero_trials_means_default_tiles(tuned: Path, mobilebench: Any, tmp_path: Path) -> None:
    select = ("--variant", VARIANT, "--runtime", "tvm", "--trials", 0)
    done = mobilebench("run", *select, MOBILEBENCH_DATABASES=str(tuned))
    assert done.returncode == 0, done.stderr
    (record,) = records_of(tmp_path)
    assert (record.trials, record.database_hits, record.database_misses) == (0, 0, 0)


@pytest.mark.slow
def test_an_unusable_database_gives_a_warning_and_the_run_continues(
    mobilebench: Any, tmp_path: Path
) -> None:
    text = (files("mobilebench.schedules") / "databases" / "x86-64-v3.json").read_text()
    (tmp_path / "native.json").write_text(text[: len(text) // 2])
    done = mobilebench(
        "run", "--variant", VARIANT, "--runtime", "tvm", MOBILEBENCH_DATABASES=str(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "damaged" in line]
    assert str(tmp_path / "native.json") in line
    assert "default tiles are used instead" in line


@pytest.mark.slow
def test_tiles_with_wrong_outputs_are_not_kept(
    tuned: Path, cache_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second search finds what the first did; what it builds then computes zeros."""
    before = read_database(tuned / "native.json")
    write_database(tmp_path / "native.json", before)
    infer = tuning.infer_on_device
    monkeypatch.setattr(tuning, "infer_on_device", lambda *args: np.zeros_like(infer(*args)))
    request = Tuning((VARIANT,), "native", 1, 1, tmp_path, cache_dir, 120)
    with TuningDisplay(Console(quiet=True), "test") as progress:
        assert not tune(request, progress)
    assert read_database(tmp_path / "native.json") == before


@pytest.mark.slow
def test_interrupted_tuning_keeps_its_measurements(
    start: Any, cache_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    before = sum(path.stat().st_size for path in _histories(cache_dir))
    process = start("tune", "--variant", OTHER, "--trials", 2, "--out", out)
    wait_until(
        lambda: sum(path.stat().st_size for path in _histories(cache_dir)) != before,
        "the first measurement to be written down",
    )
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=HANG_S)
    assert process.returncode == 130
    assert "the same command again to continue" in stderr.splitlines()[-1]
    assert "Traceback" not in stderr
    assert not out.exists()


def _histories(cache_dir: Path) -> list[Path]:
    return list((cache_dir / "tuning").glob("native-1-*/records.json"))
