"""`mobilebench choose`: what it prints and what it refuses."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from mobilebench.bench.cli.run_line import run_line
from mobilebench.bench.config.commands import RunOptions
from mobilebench.bench.config.declaration import options_of
from mobilebench.bench.models.variant import timm_grid
from mobilebench.reports.choice.missing import Missing
from mobilebench.reports.records.store import Run, Store
from tests.bench.cli.test_refusals import assert_refused
from tests.reports.choice.test_estimate import NAMES, kernels_of, known_us, measure
from tests.reports.conftest import RUN, make_record  # noqa: F401  (a fixture)

STORE = "mobilebench.sqlite"


@pytest.fixture
def store(tmp_path: Path, make_record: Any) -> Store:  # noqa: F811
    found = Store(str(tmp_path / STORE))
    found.begin_run(Run(RUN, "2026-01-02T03:04:05+00:00", {}))
    for name, latency_ms in (("1.4_224", 20.0), ("1.0_224", 9.0), ("0.35_96", 1.0)):
        found.add(make_record(f"mobilenet_v2_{name}", latency_ms=latency_ms))
    return found


@pytest.mark.usefixtures("store")
def test_the_answer_comes_first_then_what_was_left_out_and_what_is_missing(
    mobilebench: Any,
) -> None:
    done = mobilebench("choose", "--latency-ms", 10)
    assert (done.returncode, done.stderr) == (0, "")
    first, _, _, chosen, *others = done.stdout.splitlines()
    assert first.startswith("mobilenet_v2_1.0_224 (224 x 224 pixels) at float32 in tvm on 1 thr")
    assert chosen.startswith("chosen       mobilenet_v2_1.0_224 ")
    assert [line.split("  ")[0] for line in others[:3:2]] == ["runner-up", "over budget"]
    assert "mobilebench run --target native --variant mobilenet_v2_1.3_224" in done.stdout


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("budget", ["10", "10ms", "0.01s"])
def test_a_budget_may_have_its_unit(mobilebench: Any, budget: str) -> None:
    done = mobilebench("choose", "--latency-ms", budget, "--format", "json")
    assert json.loads(done.stdout)["choice"]["variant"] == "mobilenet_v2_1.0_224"


@pytest.mark.usefixtures("store")
def test_json_has_all_of_it(mobilebench: Any) -> None:
    done = mobilebench("choose", "--latency-ms", 10, "--memory-mb", 100, "--format", "json")
    answer = json.loads(done.stdout)
    assert (answer["target"], answer["task"]) == ("native", "classify")
    assert answer["budgets"] == {
        "latency_ms": 10, "memory_bytes": 100e6, "accuracy_percent": None,
    }  # fmt: skip
    assert [one["variant"] for one in answer["runners_up"]] == ["mobilenet_v2_0.35_96"]
    assert [one["variant"] for one in answer["over_budget"]] == ["mobilenet_v2_1.4_224"]
    assert all(one["run"].startswith("mobilebench run ") for one in answer["missing"])


@pytest.mark.usefixtures("store")
def test_where_nothing_meets_the_budgets_the_nearest_is_named(mobilebench: Any) -> None:
    done = mobilebench("choose", "--latency-ms", 0.5)
    assert_refused(
        done,
        "nothing that was measured meets --latency-ms 0.5",
        "the nearest is mobilenet_v2_0.35_96",
        "0.500 ms (100 %) slower than the budget",
        "mobilebench run --target native",
    )
    assert done.stdout == ""
    done = mobilebench("choose", "--latency-ms", 0.5, "--format", "json")
    assert done.returncode == 2
    answer = json.loads(done.stdout)
    assert answer["choice"] is None
    assert answer["over_budget"][0]["variant"] == "mobilenet_v2_0.35_96"


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("--latency-ms 10h", "--latency-ms 10h: unknown unit 'h'; give a number of ms"),
        ("--memory-mb 8megs", "--memory-mb 8megs: unknown unit 'megs'; give a number of MB"),
        ("--latency-s 10", "unknown option --latency-s; did you mean --latency-ms?"),
        ("--latency-ms 0", "--latency-ms must be a number above 0"),
        ("--latency-ms -1", "--latency-ms must be a number above 0"),
        ("--latency-ms nan", "--latency-ms must be a number above 0"),
        ("--memory-mb plenty", "--memory-mb must be a number above 0"),
        ("--min-top1 101", "--min-top1 must be a number above 0 and at most 100, not 101"),
        ("--min-top1 60 --min-map 20", "--min-top1 and --min-map: a network is for one task"),
        ("--min-top1 60 --task detect", "--min-top1: it is no figure of --task detect"),
        ("--task cook", "unknown task 'cook'"),
        ("--precision int4", "unknown precision 'int4'"),
        ("--runtime tvn", "unknown runtime 'tvn'; did you mean tvm?"),
        ("--target raspbery-pi-5", "unknown target 'raspbery-pi-5'; did you mean raspberry-pi-5"),
        ("--device nobody", "nothing of target native was measured on it; give one of workbench"),
        ("--precision int8", "no row is ok of task classify among those asked for"),
        ("--task segment", "no row is ok of task segment among those asked for"),
        ("--store other.sqlite", "no such file"),
    ],
)
def test_a_bad_request_is_refused_in_one_line(mobilebench: Any, words: str, part: str) -> None:
    assert_refused(mobilebench("choose", *words.split()), part)


@pytest.mark.usefixtures("store")
def test_a_target_that_was_never_measured_is_refused_with_the_run_that_would(
    mobilebench: Any,
) -> None:
    done = mobilebench("choose", "--target", "raspberry-pi-5", "--threads", 2)
    assert_refused(
        done,
        "nothing was measured on target raspberry-pi-5; it has rows of native",
        "mobilebench run --target raspberry-pi-5 --variant published --threads 2",
    )


def test_emulated_and_real_devices_are_refused_together(
    mobilebench: Any,
    store: Store,
    make_record: Any,  # noqa: F811
) -> None:
    store.add(make_record("mobilenet_v2_1.3_224", device="a fake", emulated=True))
    assert_refused(mobilebench("choose"), "emulated and real devices", "--device")
    assert mobilebench("choose", "--device", "workbench").returncode == 0


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (Missing("", ("mobilenet_v2_1.0_224",), "float32", (1,)), "--variant mobilenet_v2_1.0_224"),
        (
            Missing("", ("mobilenet_v2_1.0_224",), "int8", (1, 2), ("tvm",)),
            "--variant mobilenet_v2_1.0_224 --precision int8 --threads 1 --threads 2 --runtime tvm",
        ),
        (
            Missing(
                "", ("mobilenet_v2_1.0_224",), "int8", (1,), (), ("random(seed 0)",), data=True
            ),
            "--variant mobilenet_v2_1.0_224 --precision int8 --weights CHECKPOINT --data IMAGES "
            "--calibration IMAGES",
        ),
        (
            Missing("", ("mobilenet_v2_1.0_224",), "float32", (1,), (), ("my net.pth",), data=True),
            "--variant mobilenet_v2_1.0_224 --weights 'my net.pth' --data IMAGES",
        ),
        (
            Missing("", ("mine",), "float32", (1,), (), ("mine.onnx@0123456789ab",), data=True),
            "--model mine.onnx --data IMAGES",
        ),
        (
            Missing("", tuple(one.name for one in timm_grid()), "float32", (1,)),
            "--variant timm",
        ),
    ],
)
def test_the_line_that_measures_what_is_missing(missing: Missing, expected: str) -> None:
    line = run_line(missing, "arm.toml", "sqlite:///mobilebench.sqlite")
    assert line == f"mobilebench run --target arm.toml {expected}"
    flags = {option.flag for option in options_of(RunOptions)}
    assert {word for word in shlex.split(line) if word.startswith("--")} <= flags


def test_a_store_of_another_name_is_in_the_line() -> None:
    line = run_line(Missing("", ("mine",), "float32", (1,)), "native", "other.sqlite")
    assert line.endswith(f"--store {Path.cwd() / 'other.sqlite'}")


def test_estimates_fill_what_was_never_measured(
    mobilebench: Any,
    tmp_path: Path,
    make_record: Any,  # noqa: F811
) -> None:
    kept = Store(str(tmp_path / STORE))
    kept.begin_run(Run(RUN, "2026-01-02T03:04:05+00:00", {}))
    for one in measure([name for name in NAMES if name != "mobilenet_v2_1.0_192"]):
        record = make_record(one.outline.variant, latency_ms=one.latency_ms)
        kept.add(record, kernels=kernels_of(one.outline, known_us))
    limit = 1.1 * measure(["mobilenet_v2_1.0_192"])[0].latency_ms
    measured, estimated = (
        json.loads(mobilebench("choose", "--latency-ms", limit, "--format", "json", *more).stdout)
        for more in ((), ("--estimate",))
    )
    assert measured["choice"]["variant"] == "mobilenet_v2_0.75_224"
    assert estimated["choice"]["variant"] == "mobilenet_v2_1.0_192"
    assert "% (median)" in estimated["choice"]["estimated"]
    assert estimated["missing"][0]["run"].endswith("--variant mobilenet_v2_1.0_192 --runtime tvm")
    printed = mobilebench("choose", "--latency-ms", limit, "--estimate")
    assert printed.stdout.splitlines()[3].startswith("chosen       mobilenet_v2_1.0_192 ")


@pytest.mark.usefixtures("store")
def test_estimates_without_measured_kernels_are_refused(mobilebench: Any) -> None:
    assert_refused(
        mobilebench("choose", "--estimate"),
        "--estimate: of native the kernels of more than 4 networks",
        "mobilebench run --target native --variant published --kernels",
    )
    done = mobilebench("choose", "--estimate", "--task", "detect")
    assert_refused(done, "--estimate: only classifiers are estimated, not --task detect")
