"""A slower machine is not taken for slower code."""

from typing import Any

import pytest

from mobilebench.reports.records.calibration import Calibration
from mobilebench.reports.records.confirmation import Confirmation
from mobilebench.reports.records.store import Store
from tests.reports.two_runs import BASE, HEAD, Nights, rounds_ms


@pytest.fixture
def nights(store: Store, make_record: Any) -> Nights:
    return Nights(store, make_record)


def both(nights: Nights, times: float, base: dict[str, Any], head: dict[str, Any]) -> Any:
    nights.add(BASE, rounds_ms(0), **base)
    nights.add(HEAD, rounds_ms(1, times), **head)
    return nights.only()


def calibrated(before_ms: float, after_ms: float | None = None, **others: Any) -> dict[str, Any]:
    return {"calibration_before_ms": before_ms, "calibration_after_ms": after_ms, **others}


@pytest.mark.parametrize(("times", "was"), [(1.45, "slower"), (0.7, "faster")])
def test_one_library_in_both_runs_says_nothing_of_the_code(
    nights: Nights, times: float, was: str
) -> None:
    change = both(nights, times, {"artifact_key": "same"}, {"artifact_key": "same"})
    assert change.verdict == "unclear"
    assert change.doubts[0] == (
        f"both runs measured the same library, so that the machine was {was} in HEAD"
    )


@pytest.mark.parametrize(
    "others", [{"artifact_key": "new"}, {"artifact_key": "same", "os": "Linux 7"}, {}]
)
def test_another_library_or_another_system_may_be_slower(
    nights: Nights, others: dict[str, Any]
) -> None:
    assert both(nights, 1.45, {"artifact_key": "same"}, others).verdict == "slower"


@pytest.mark.parametrize(
    ("times", "base", "head", "verdict"),
    [
        (1.45, calibrated(2.0), calibrated(2.8), "unclear"),
        (1.45, calibrated(2.0, 2.0), calibrated(2.0, 2.8), "unclear"),  # at the end alone
        (1.60, calibrated(2.0), calibrated(2.8), "slower"),  # more than that
        (1.45, calibrated(2.0), calibrated(2.0), "slower"),
        (1.45, calibrated(2.0), calibrated(1.5), "slower"),  # on a faster machine
        (1.45, {}, calibrated(2.8), "slower"),  # nothing is known of BASE's
        (0.70, calibrated(2.8), calibrated(2.0), "unclear"),
        (0.60, calibrated(2.8), calibrated(2.0), "faster"),
    ],
)
def test_a_change_must_be_more_than_the_calibration_kernel_s(
    nights: Nights, times: float, base: dict[str, Any], head: dict[str, Any], verdict: str
) -> None:
    change = both(nights, times, base, head)
    assert change.verdict == verdict
    if verdict == "unclear":
        was = "slower" if times > 1 else "faster"
        assert change.doubts[0] == (
            f"the machine may have been 1.40 times {was} in HEAD, by its calibration kernel"
        )


def test_libraries_that_were_measured_in_turns_need_no_calibration(nights: Nights) -> None:
    cell = both(nights, 1.45, calibrated(2.0), calibrated(2.8)).cell
    again = Confirmation(
        run_id=HEAD.run_id,
        base_run_id=BASE.run_id,
        cell=cell,
        measured_at="2026-01-02T01:00:00+00:00",
        base_rounds_ms=rounds_ms(2),
        head_rounds_ms=rounds_ms(3, 1.2),
    )
    nights.store.add_confirmation(again)
    change = nights.only()
    assert change.verdict == "slower"
    assert change.latency is not None
    assert change.latency.confirmed
    assert not change.latency.why_unclear


def moments(**others: list[float]) -> dict[str, list[Calibration]]:
    """Return the moments around rounds, in which a kernel took so long."""
    usual = {"arithmetic_ms": 0.2, "caches_ms": 0.1, "memory_ms": 0.1, "others": 0}
    (kernel, values), *_ = others.items()
    return {"calibrations": [Calibration(**(usual | {kernel: one})) for one in values]}  # type: ignore[arg-type]


QUIET = moments(arithmetic_ms=[0.2] * 6)


@pytest.mark.parametrize(
    ("times", "base", "head", "why"),
    [
        (1.45, QUIET, QUIET, ""),
        (1.45, QUIET, moments(caches_ms=[0.14] * 6), "HEAD, by its calibration kernel of caches"),
        (1.45, QUIET, moments(memory_ms=[0.14] * 6), ""),  # it changes on an idle machine, too
        (1.45, QUIET, moments(caches_ms=[0.1] * 3 + [0.14] * 3), "HEAD, by its calibration kernel"),
        (1.45, QUIET, moments(caches_ms=[0.1] * 5 + [0.9]), ""),  # at one moment alone
        (1.60, QUIET, moments(arithmetic_ms=[0.28] * 6), ""),  # more than that
        (0.69, moments(arithmetic_ms=[0.28] * 6), QUIET, "1.40 times faster in HEAD, by its"),
        (1.45, QUIET, moments(others=[0, 0, 0, 0, 1, 2]), "HEAD: other programs ran at 2 of 6"),
        (0.69, moments(others=[1] * 6), QUIET, "BASE: other programs ran at 6 of 6 moments"),
        (1.45, QUIET, moments(others=[0, 0, 0, 0, 0, 3]), ""),  # too seldom to move a median
    ],
)
def test_what_the_machine_did_between_rounds_counts(
    nights: Nights, times: float, base: dict[str, Any], head: dict[str, Any], why: str
) -> None:
    change = both(nights, times, base, head)
    assert change.latency is not None
    assert (change.verdict == "unclear") is bool(why)
    assert why in change.latency.why_unclear
