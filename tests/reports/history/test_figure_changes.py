from collections.abc import Callable
from typing import Any

import pytest

from mobilebench.reports.history.figure_changes import judge_figures
from mobilebench.reports.history.finding import Finding, format_finding
from mobilebench.reports.history.timeline import read_timeline
from mobilebench.reports.records.record import Record
from mobilebench.reports.records.store import Run, Store


@pytest.fixture
def findings_of(store: Store, make_record: Callable[..., Record]) -> Callable[..., list[Finding]]:
    """Return a function that makes nights of a cell of columns, and judges the newest."""
    names = iter(range(1000))

    def judged(column: str, values: list[float | None], **others: list[Any] | Any) -> list[Finding]:
        runs = []
        for index, value in enumerate(values):
            run = Run(f"night-{next(names):03}", f"{index:03}", {})
            store.begin_run(run)
            more = {k: v[index] if isinstance(v, list) else v for k, v in others.items()}
            fixed = {"arena_bytes": None, "peak_rss_bytes": None}
            store.add(make_record(run_id=run.run_id, **(fixed | more | {column: value})))
            runs.append(run)
        return judge_figures(read_timeline(store, runs))

    return judged


def kinds(findings: list[Finding]) -> list[str]:
    return [finding.kind for finding in findings]


@pytest.mark.parametrize(
    ("column", "before", "after", "kind"),
    [
        ("instructions", 123_456_789, 124_074_073, "regression"),
        ("instructions", 123_456_789, 123_000_000, "improvement"),
        ("arena_bytes", 1_000_000, 1_020_000, "regression"),
        ("arena_bytes", 1_000_000, 900_000, "improvement"),
        ("artifact_bytes", 5_000_000, 5_200_000, "regression"),
        ("top1_percent", 71.0, 70.0, "regression"),
        ("map_percent", 20.0, 21.0, "improvement"),
        ("miou_percent", 70.0, 69.0, "regression"),
    ],
)
def test_figures_without_noise_are_called_at_once(
    findings_of: Callable[..., list[Finding]],
    column: str,
    before: float,
    after: float,
    kind: str,
) -> None:
    (finding,) = findings_of(column, [before, None, after], images=1000, data="some")
    assert (finding.kind, finding.column) == (kind, column)
    assert finding.worse == (kind == "regression")
    assert finding.ratio == pytest.approx(after / before)
    assert finding.low is None


@pytest.mark.parametrize(
    ("column", "before", "after"),
    [
        ("instructions", 123_456_789, 123_460_000),
        ("arena_bytes", 1_000_000, 1_005_000),
        ("top1_percent", 71.0, 70.6),
    ],
)
def test_differences_within_the_limits_are_no_change(
    findings_of: Callable[..., list[Finding]], column: str, before: float, after: float
) -> None:
    assert findings_of(column, [before, after], images=1000, data="some") == []


def test_accuracy_on_other_images_is_not_compared(
    findings_of: Callable[..., list[Finding]],
) -> None:
    assert findings_of("top1_percent", [71.0, 50.0], images=[1000, 50], data="some") == []
    assert findings_of("top1_percent", [71.0, 50.0], images=1000, data=["some", "others"]) == []


def test_half_a_percent_more_instructions_can_be_read_in_the_line(
    findings_of: Callable[..., list[Finding]],
) -> None:
    (finding,) = findings_of("instructions", [100e6, 100.5e6], emulated=True)
    line = format_finding(finding)
    assert "instructions 1.0050 times what it was; 100,500,000 after 100,000,000 in run" in line


STEADY = [100e6 * (1 + 0.002 * (-1) ** n) for n in range(10)]


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        ([100e6], []),
        ([105e6, 105e6], []),
        ([120e6], ["pending"]),
        ([120e6, 120e6], ["regression"]),
        ([120e6, 120e6, 120e6], []),
        ([120e6, 100e6], []),
        ([80e6, 80e6], ["improvement"]),
    ],
)
def test_noisy_figures_are_called_when_two_nights_agree(
    findings_of: Callable[..., list[Finding]], newest: list[float], expected: list[str]
) -> None:
    findings = findings_of("peak_rss_bytes", STEADY + newest)
    assert kinds(findings) == expected
    if expected == ["regression"]:
        assert findings[0].ratio == pytest.approx(1.2, rel=0.01)
        assert findings[0].since_run_id == "night-010"


def test_a_figure_that_always_varies_as_much_is_not_called(
    findings_of: Callable[..., list[Finding]],
) -> None:
    assert findings_of("compile_s", [10.0, 17.0, 26.0] * 5 + [26.0, 26.0]) == []


def test_a_library_from_the_cache_was_not_compiled_again(
    findings_of: Callable[..., list[Finding]],
) -> None:
    keys = [f"library-{n}" for n in range(10)]
    slow = [10.0, 10.1] * 5 + [30.0, 30.0]
    assert kinds(findings_of("compile_s", slow, artifact_key=[*keys, "new", "newer"])) == [
        "regression"
    ]
    assert findings_of("compile_s", slow, artifact_key=[*keys, "new", "new"]) == []
