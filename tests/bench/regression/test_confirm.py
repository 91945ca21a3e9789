"""What seems to have changed is measured again, in turns, before it is called so."""

from pathlib import Path
from typing import Any

import pytest

from mobilebench.bench.build.artifact import Artifact
from mobilebench.bench.config.effort import find_effort
from mobilebench.bench.config.suite import make_suite
from mobilebench.bench.measure.run_context import RunContext
from mobilebench.bench.regression import remeasure
from mobilebench.bench.regression.confirm import confirm_changes, suspects
from mobilebench.reports.records.store import Store
from mobilebench.targets.devices.own_name import own_device_name
from tests.bench.regression.conftest import VARIANT
from tests.reports.conftest import make_record  # noqa: F401  (a fixture)
from tests.reports.two_runs import BASE, HEAD, Nights, rounds_ms


@pytest.fixture
def nights(tmp_path: Path, make_record: Any) -> Nights:  # noqa: F811
    return Nights(Store(str(tmp_path / "store.sqlite")), make_record)


@pytest.fixture
def context(cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> RunContext:
    monkeypatch.setattr(remeasure, "EFFORT", find_effort("quick"))
    suite = make_suite({"variants": (VARIANT,), "runtimes": ("tvm",)})
    return RunContext(HEAD, suite, (), cache_dir)


def slower(nights: Nights, base: str, head: str, **others: Any) -> None:
    """Write a row of each run; HEAD's took ten times as long."""
    shared = {"variant": VARIANT, "device": own_device_name()} | others
    nights.add(BASE, rounds_ms(0), artifact_key=base, **shared)
    nights.add(HEAD, rounds_ms(1, 10), artifact_key=head, **shared)


def test_both_libraries_decide_when_measured_in_turns(
    nights: Nights, context: RunContext, libraries: tuple[Artifact, Artifact]
) -> None:
    slower(nights, libraries[0].key, libraries[1].key)
    assert nights.only().verdict == "slower"
    said: list[str] = []
    confirm_changes(context, nights.store, nights.compare(), said.append)
    assert said == [f"{VARIANT} on {own_device_name()}, 1 thread: measure both libraries in turns"]
    change = nights.only()
    assert change.latency is not None
    assert change.latency.confirmed
    assert change.latency.ratio < 5  # one library is not ten times as fast as the other
    assert not suspects(nights.compare())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"runtime": "onnxruntime"}, "only TVM's libraries are kept"),
        ({"device": "another machine"}, "it was measured on another machine, and this is"),
        ({"target": "raspberry-pi-4"}, "target raspberry-pi-4 is not one of run"),
        ({}, "is no longer in the cache"),
    ],
)
def test_what_cannot_be_measured_again_stays_and_is_said(
    nights: Nights, context: RunContext, change: dict[str, str], reason: str
) -> None:
    keys = ("", "") if "runtime" in change else ("gone", "gone-too")
    slower(nights, *keys, **change)
    said: list[str] = []
    confirm_changes(context, nights.store, nights.compare(), said.append)
    assert reason in said[-1]
    assert said[-1].startswith("warning: ")
    assert nights.only().verdict == "slower"


@pytest.mark.parametrize(
    ("times", "noise", "suspected"), [(1.0, 0.001, False), (1.0, 0.1, True), (1.2, 0.001, True)]
)
def test_what_is_not_the_same_for_sure_is_a_suspect(
    nights: Nights, times: float, noise: float, suspected: bool
) -> None:
    nights.add(BASE, rounds_ms(0, 1.0, noise), artifact_key="one")
    nights.add(HEAD, rounds_ms(1, times, noise), artifact_key="other")
    assert bool(suspects(nights.compare())) is suspected


def test_one_library_is_not_measured_against_itself(nights: Nights, context: RunContext) -> None:
    slower(nights, "same", "same")
    said: list[str] = []
    confirm_changes(context, nights.store, nights.compare(), said.append)
    assert said == []
    assert nights.only().verdict == "unclear"
