"""`mobilebench store`: exports and imports as a user asks for them."""

from pathlib import Path
from typing import Any

import pytest

from mobilebench.reports.records.store import Run, Store

pytest.importorskip("pyarrow")


def test_a_store_is_carried_to_another(mobilebench: Any, tmp_path: Path) -> None:
    with Store(str(tmp_path / "mobilebench.sqlite")) as store:
        store.begin_run(Run("20260101-000000-aaaa", "2026-01-01T00:00:00+00:00", {}))
    done = mobilebench("store", "dump", "nights")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "nights: 1 runs, 0 records, 0 confirmations\n"
    for added in (1, 0):
        done = mobilebench("store", "load", "nights", "--store", "other.sqlite")
        assert done.returncode == 0, done.stderr
        assert f"added {added} runs, 0 records, 0 confirmations; all other rows" in done.stdout
    with Store(str(tmp_path / "other.sqlite")) as copy:
        assert [run.run_id for run in copy.runs()] == ["20260101-000000-aaaa"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["dump", "out"], "no such file; `mobilebench run` makes one"),
        (["load", "nosuch"], "nosuch/runs.parquet: No such file or directory"),
        (["load"], "Missing argument 'DIRECTORY'"),
    ],
)
def test_a_bad_request_is_refused_in_one_line(
    mobilebench: Any, tmp_path: Path, arguments: list[str], part: str
) -> None:
    done = mobilebench("store", *arguments)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert part in done.stderr
    assert list(tmp_path.iterdir()) == []
