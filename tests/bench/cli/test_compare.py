"""`mobilebench compare`: what it prints and writes, and what its exit code says."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mobilebench.bench.config.suite import make_suite
from mobilebench.reports.records.store import Store
from tests.bench.cli.test_refusals import assert_refused
from tests.reports.conftest import make_record  # noqa: F401  (a fixture)
from tests.reports.two_runs import BASE, HEAD, Nights, rounds_ms

STORE = "mobilebench.sqlite"


@pytest.fixture
def nights(tmp_path: Path, make_record: Any) -> Nights:  # noqa: F811
    return Nights(Store(str(tmp_path / STORE)), make_record)


@pytest.mark.parametrize(("times", "code"), [(1.0, 0), (0.8, 0), (1.2, 1)])
@pytest.mark.parametrize("names", [("latest~1", "latest"), (BASE.run_id, HEAD.run_id)])
def test_the_exit_code_is_1_if_anything_got_worse(
    mobilebench: Any, nights: Nights, times: float, code: int, names: tuple[str, str]
) -> None:
    nights.add_both(times)
    done = mobilebench("compare", *names)
    assert done.returncode == code
    assert done.stderr == ""
    assert done.stdout.startswith(f"BASE {BASE.run_id}")
    assert ("1 regression in 1 cell" in done.stdout) == (code == 1)


def test_what_cannot_be_confirmed_is_said_and_still_counts(
    mobilebench: Any, nights: Nights
) -> None:
    suite = make_suite({"variants": ("mobilenet_v2_1.0_224",), "runtimes": ("tvm",)})
    head = replace(HEAD, run_id="20260103-000000-next", suite=suite.to_table())
    nights.store.begin_run(head)
    nights.add(BASE, rounds_ms(0))
    nights.add(head, rounds_ms(1, 1.2))
    done = mobilebench("compare", BASE.run_id, "latest", "--confirm")
    assert done.returncode == 1
    assert "not measured again: it was not kept" in done.stderr


def test_the_threshold_can_be_set(mobilebench: Any, nights: Nights) -> None:
    nights.add_both(1.1)
    assert mobilebench("compare", "latest~1", "latest").returncode == 1
    assert mobilebench("compare", "latest~1", "latest", "--threshold", 20).returncode == 0


@pytest.mark.parametrize(
    ("form", "beginning"),
    [("text", "BASE "), ("markdown", "### mobile"), ("json", "{"), ("junit", "<?xml ")],
)
def test_every_format_is_printed_or_written(
    mobilebench: Any, nights: Nights, tmp_path: Path, form: str, beginning: str
) -> None:
    nights.add_both(1.2)
    printed = mobilebench("compare", "latest~1", "latest", "--format", form)
    assert printed.stdout.startswith(beginning)
    out = tmp_path / "comparison"
    out.write_text("of before")
    written = mobilebench("compare", "latest~1", "latest", "--format", form, "--out", out)
    assert written.returncode == printed.returncode == 1
    assert out.read_text() == printed.stdout
    assert written.stdout == f"1 regression in 1 cell: 1 slower; {out}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["comparison", STORE]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["latest", "latest"], ["BASE and HEAD are both run"]),
        (["latest~1", "nosuch"], ["no run 'nosuch'", HEAD.run_id]),
        (["latest~2", "latest"], ["no run 'latest~2'"]),
        (["latest~", "latest"], ["no run 'latest~'"]),
        (["latest"], ["HEAD", "--help"]),
        (
            ["latest~1", "latest", "--format", "xml"],
            ["unknown format 'xml'; give text, markdown, json or junit"],
        ),
        (
            ["latest~1", "latest", "--threshold", "0"],
            ["--threshold must be a number above 0, not 0"],
        ),
        (
            ["latest~1", "latest", "--threshold", "nan"],
            ["--threshold must be a number above 0, not nan"],
        ),
        (
            ["latest~1", "latest", "--threshold", "much"],
            ["--threshold must be a number above 0, not much"],
        ),
        (["latest~1", "latest", "--out", "no/such/file"], ["no/such/file", "No such file"]),
        (["latest~1", "latest", "--out", "."], ["--out .", "directory"]),
        (["latest~1", "latest", "--store", "nosuch.sqlite"], ["nosuch.sqlite", "no such file"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_bad_request_is_refused(
    mobilebench: Any, nights: Nights, tmp_path: Path, arguments: list[str], parts: list[str]
) -> None:
    nights.add_both()
    assert_refused(mobilebench("compare", *arguments), *parts)
    assert [path.name for path in tmp_path.iterdir()] == [STORE]


def test_runs_of_different_machines_are_refused(mobilebench: Any, nights: Nights) -> None:
    nights.add(BASE, rounds_ms(1))
    nights.add(HEAD, rounds_ms(1), device="laptop")
    assert_refused(
        mobilebench("compare", "latest~1", "latest"),
        "no cell in common",
        "device is workbench in BASE and laptop in HEAD",
    )


@pytest.mark.slow
def test_two_real_runs_of_the_same_code_are_compared(mobilebench: Any, tmp_path: Path) -> None:
    for _ in range(2):
        done = mobilebench("run", "--variant", "mobilenet_v2_0.35_32", "--runtime", "tvm")
        assert done.returncode == 0, done.stderr
    compared = mobilebench("compare", "latest~1", "latest", "--format", "json", "--threshold", 300)
    found = json.loads(compared.stdout)
    (cell,) = found["cells"]
    assert compared.returncode == 0
    assert cell["latency"]["low"] < cell["latency"]["ratio"] < cell["latency"]["high"]
    assert {figure["column"] for figure in cell["figures"]} == {
        "arena_bytes", "peak_rss_bytes", "artifact_bytes", "compile_s",
    }  # fmt: skip
    assert found["differences"] == []
