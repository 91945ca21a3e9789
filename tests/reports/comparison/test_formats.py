"""A comparison in each of its formats: what people and programs read out of it."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from junitparser import Failure, JUnitXml, Skipped, TestSuite

from mobilebench.reports.comparison.comparison import SEVERITY, Comparison
from mobilebench.reports.comparison.formats import JSON_VERSION, to_json, to_junit
from mobilebench.reports.comparison.wording import to_markdown, to_text
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.confirmation import Confirmation
from mobilebench.reports.records.store import Store
from tests.reports.two_runs import BASE, HEAD, Nights, rounds_ms

SIZES = {
    name: f"mobilenet_v2_1.0_{32 * (number + 2)}"
    for number, name in enumerate((*SEVERITY, "new", "gone", "one round"))
}


@pytest.fixture
def nights(store: Store, make_record: Any) -> Nights:
    return Nights(store, make_record)


@pytest.fixture
def comparison(nights: Nights) -> Comparison:
    """Return one that has a cell of every kind."""
    at: dict[str, dict[str, Any]] = {name: {"variant": size} for name, size in SIZES.items()}
    nights.add(BASE, rounds_ms(1), **at["broken"])
    nights.add(HEAD, **at["broken"], error="died of \x1b[31mSIGSEGV\x1b[0m\nin <main> | a&b")
    nights.add_both(1.2, 1, **at["slower"], git_commit="aaaa")
    place = ("native", "workbench", 1, "float32", "latency")
    cell = CellKey(*place, SIZES["slower"], "random(seed 0)", "tvm")
    nights.store.add_confirmation(
        Confirmation(HEAD.run_id, BASE.run_id, cell, "", rounds_ms(3), rounds_ms(4, 1.2))
    )
    for run, arena in ((BASE, 1_000_000), (HEAD, 1_250_000)):
        nights.add(run, rounds_ms(3), arena_bytes=arena, **at["worse"])
        nights.add(run, rounds_ms(3), arena_bytes=-arena + 3_000_000, **at["better"])
        nights.add(run, **at["failed"])
    nights.add(BASE, **at["fixed"])
    nights.add(HEAD, rounds_ms(1), **at["fixed"])
    nights.add_both(0.8, 5, **at["faster"])
    nights.add(BASE, rounds_ms(6), **at["unclear"])
    nights.add(HEAD, rounds_ms(7, 1.06, round_noise=0.1), **at["unclear"], warnings="spread: 20%")
    nights.add_both(1.0, 8, **at["same"], emulated=True)
    nights.add(HEAD, rounds_ms(1), **at["new"])
    nights.add(BASE, rounds_ms(1), **at["gone"])
    nights.add(BASE, rounds_ms(1, rounds=1), **at["one round"])
    nights.add(HEAD, rounds_ms(1, rounds=1), **at["one round"])
    return nights.compare()


SUMMARY = (
    "3 regressions in 10 cells: 1 broken, 1 slower, 1 worse, 1 fixed, 1 faster, 1 better, "
    "1 failed, 2 unclear, 1 same, 1 new, 1 gone"
)


def test_text_ends_with_the_worst_and_the_summary(comparison: Comparison) -> None:
    lines = to_text(comparison).splitlines()
    assert lines[-1] == SUMMARY
    assert lines[0].startswith(f"BASE {BASE.run_id}, started 2026-01-01")
    (header,) = (index for index, line in enumerate(lines) if line.startswith("verdict"))
    verdicts = [line.split()[0].strip(",") for line in lines[header + 1 :] if line[:1].isalpha()]
    assert verdicts[:10] == ["same", "unclear", "unclear", *reversed(SEVERITY[:7])]
    text = "\n".join(lines)
    assert re.search(
        rf"slower, confirmed +1\.\d+ +\[1\.\d+, 1\.\d+\] +\S+ +3\.\d+ -> 3\.\d+ +{SIZES['slower']} "
        r"tvm \(random\(seed 0\)\), native on workbench, 1 thread",
        text,
    )
    assert "arena 1.00 MB -> 1.25 MB (+25.0%), worse" in text
    assert "1 thread, emulated" in text
    assert "unclear †" in text
    assert "    † HEAD: spread: 20%" in text
    assert "unknown: one round" in text
    assert "ok -> crashed; died of" in text
    assert f"new: {SIZES['new']}" in text
    assert f"gone: {SIZES['gone']}" in text


def test_markdown_shows_regressions_and_folds_the_rest(comparison: Comparison) -> None:
    text = to_markdown(comparison)
    lines = text.splitlines()
    assert lines[0] == f"### mobilebench: {SUMMARY}"
    seen, _, folded = text.partition("<details>")
    for name in ("broken", "slower", "worse"):
        assert SIZES[name] in seen
        assert SIZES[name] not in folded
    for name in ("fixed", "faster", "better", "unclear", "failed", "new", "gone"):
        assert SIZES[name] in folded
        assert SIZES[name] not in seen
    assert SIZES["same"] not in text
    assert text.count("<details>") == text.count("</details>") == 5
    columns = {line.replace("\\|", "").count("|") for line in lines if line.startswith("|")}
    assert columns == {8}  # what a library printed breaks no row
    assert "&lt;main>" in text


def test_markdown_of_a_thousand_of_everything_fits_a_comment(comparison: Comparison) -> None:
    many = replace(
        comparison,
        cells=tuple(
            replace(cell, head_error=1000 * "<long> ", doubts=("noise",))
            for cell in comparison.cells
            for _ in range(1000)
        ),
        new=1000 * comparison.new,
        gone=1000 * comparison.gone,
    )
    text = to_markdown(many)
    assert len(text) < 65_536
    assert "more, which `--format json` has" in text


def test_markdown_without_regressions_has_no_table(nights: Nights) -> None:
    nights.add_both()
    text = to_markdown(nights.compare())
    assert text.startswith("### mobilebench: no regressions in 1 cell: 1 same\n")
    assert f"- BASE {BASE.run_id}, started {BASE.started_at}, 1 row\n" in text
    assert "|" not in text
    assert "<details>" not in text


def test_json_has_everything_and_its_version(comparison: Comparison) -> None:
    found = json.loads(to_json(comparison), parse_constant=pytest.fail)
    assert found["version"] == JSON_VERSION == 1
    assert found["summary"] == SUMMARY
    assert found["regressions"] == 3
    assert found["base"] == {
        "run_id": BASE.run_id,
        "started_at": BASE.started_at,
        "rows": 11,
    }
    cells = {cell["cell"]["variant"]: cell for cell in found["cells"]}
    assert len(cells) == 10
    for name in SEVERITY:
        assert cells[SIZES[name]]["verdict"] == name
    slower = cells[SIZES["slower"]]["latency"]
    assert slower["confirmed"] is True
    assert slower["low"] < slower["ratio"] < slower["high"]
    assert set(slower) == {
        "base_ms", "head_ms", "ratio", "low", "high", "mann_whitney_p", "p", "p_adjusted",
        "verdict", "why_unclear", "confirmed",
    }  # fmt: skip
    alone = cells[SIZES["one round"]]["latency"]
    assert (alone["low"], alone["high"], alone["verdict"]) == (None, None, "unclear")
    assert cells[SIZES["broken"]]["latency"] is None
    assert [lone["cell"]["variant"] for lone in found["new"]] == [SIZES["new"]]
    assert [lone["cell"]["variant"] for lone in found["gone"]] == [SIZES["gone"]]


def test_a_reader_of_junit_finds_a_case_for_every_cell(comparison: Comparison) -> None:
    (suite,) = JUnitXml.fromstring(to_junit(comparison).encode())
    assert isinstance(suite, TestSuite)
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (12, 3, 0, 3)
    assert suite.timestamp == "2026-01-02T00:00:00"
    cases = {case.name.split()[0]: case for case in suite}
    assert len(cases) == len({(case.classname, case.name) for case in suite}) == 12
    kinds = {name: [type(result) for result in cases[size].result] for name, size in SIZES.items()}
    for name in ("broken", "slower", "worse"):
        assert kinds[name] == [Failure]
        (failure,) = cases[SIZES[name]].result
        assert failure.type == name
        assert failure.message.startswith(name)
    for name in ("failed", "new", "gone"):
        assert kinds[name] == [Skipped]
    for name in ("fixed", "faster", "better", "unclear", "same", "one round"):
        assert kinds[name] == []
        assert cases[SIZES[name]].system_out
    assert cases[SIZES["slower"]].classname == "native.workbench"
    assert cases[SIZES["slower"]].time == pytest.approx(0.0037, abs=0.0002)
