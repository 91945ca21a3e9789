"""A run measures every cell once, and a resumed one what is still open."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mobilebench.bench.bundle.bundle import open_bundle
from mobilebench.bench.config.bundle_suite import bundle_suite
from mobilebench.bench.config.suite import Suite
from mobilebench.bench.measure.plan import open_cells
from mobilebench.bench.measure.run_context import RunContext
from mobilebench.bench.models.weights import Weights
from mobilebench.reports.records.record import Record
from mobilebench.reports.records.store import Run, Store
from mobilebench.targets.devices.own_name import own_device_name
from mobilebench.targets.errors import BenchError

RUN = "20260102-030405-abcd"
SUITE = Suite(
    variants=("mobilenet_v2_0.35_96", "mobilenet_v2_1.0_224"),
    targets=("native", "x86-64-v3"),
    runtimes=("tvm", "torch"),
    threads=(1, 2),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return an empty store."""
    with Store(str(tmp_path / "store.sqlite")) as store:
        yield store


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    """Return a run of the suite."""
    return RunContext(Run(RUN, "2026-01-02T03:04:05+00:00", {}), SUITE, (Weights(),), tmp_path)


def suite_with(context: RunContext, **others: Any) -> Suite:
    """Return the suite, changed."""
    return context.suite.model_copy(update=others)


def record(**others: Any) -> Record:
    """Return a record of the first cell and runtime of the suite."""
    values: dict[str, Any] = {
        "run_id": RUN,
        "started_at": "2026-01-02T03:04:05+00:00",
        "variant": "mobilenet_v2_0.35_96",
        "task": "classify",
        "width_multiplier": 0.35,
        "expansion_factor": 6,
        "height": 96,
        "width": 96,
        "precision": "float32",
        "target": "native",
        "device": own_device_name(),
        "emulated": False,
        "runtime": "tvm",
        "runtime_version": "1",
        "threads": 1,
        "trials": 0,
        "optimize_for": "latency",
        "effort": "quick",
        "weights": "random(seed 0)",
        "status": "ok",
        "macs": 1,
        "params_count": 1,
        "largest_tensor_bytes": 1,
    }
    return Record(**(values | others))


def open_of(context: RunContext, store: Store) -> list[tuple[str, str, int, str]]:
    return [
        (cell.variant.name, cell.target.name, cell.threads, runtime)
        for cell in open_cells(context, store)
        for runtime in cell.runtimes
    ]


def test_a_new_run_has_every_combination_once(context: RunContext, store: Store) -> None:
    cells = open_of(context, store)
    assert len(cells) == len(set(cells)) == 2 * 2 * 2 * 2


def test_runtimes_of_a_cell_stay_together_variant_after_variant(
    context: RunContext, store: Store
) -> None:
    cells = open_cells(context, store)
    assert all(cell.runtimes == ("tvm", "torch") for cell in cells)
    assert [cell.title for cell in cells[:3]] == [
        "mobilenet_v2_0.35_96 on native, 1 thread",
        "mobilenet_v2_0.35_96 on native, 2 threads",
        "mobilenet_v2_0.35_96 on x86-64-v3, 1 thread",
    ]


@pytest.mark.parametrize("status", ["ok", "wrong", "crashed", "compile_failed"])
def test_cells_with_a_row_are_not_measured_again(
    context: RunContext, store: Store, status: str
) -> None:
    before = open_of(context, store)
    store.add(record(status=status))
    missing = set(before) - set(open_of(context, store))
    assert missing == {("mobilenet_v2_0.35_96", "native", 1, "tvm")}
    assert open_cells(context, store)[0].runtimes == ("torch",)


def test_a_cell_whose_runtimes_all_have_rows_is_closed(context: RunContext, store: Store) -> None:
    for runtime in SUITE.runtimes:
        store.add(record(runtime=runtime))
    assert len(open_cells(context, store)) == 2 * 2 * 2 - 1


def test_rows_of_other_runs_do_not_count(context: RunContext, store: Store) -> None:
    store.add(record(run_id="another"))
    assert len(open_of(context, store)) == 2 * 2 * 2 * 2


def test_boards_come_first_and_run_tvm_alone(context: RunContext, store: Store) -> None:
    suite = suite_with(context, targets=("native", "raspberry-pi-4"))
    cells = open_cells(replace(context, suite=suite), store)
    assert [cell.target.name for cell in cells] == ["raspberry-pi-4"] * 4 + ["native"] * 4
    assert [cell.runtimes for cell in cells] == [("tvm",)] * 4 + [("tvm", "torch")] * 4


def test_runtimes_that_were_named_are_measured_on_boards_too(
    context: RunContext, store: Store
) -> None:
    suite = suite_with(context, targets=("raspberry-pi-5", "opencl"), runtimes_named=True)
    cells = open_cells(replace(context, suite=suite), store)
    found = {cell.target.name: cell for cell in cells}
    assert found["raspberry-pi-5"].runtimes == ("tvm", "torch")
    assert found["raspberry-pi-5"].supported == ("tvm",)
    assert found["opencl"].runtimes == ("tvm",)


def test_a_target_without_a_precision_has_one_row_that_says_so(
    context: RunContext, store: Store
) -> None:
    suite = suite_with(
        context, targets=("native", "opencl"), precisions=("float32", "float16", "int8")
    )
    cells = open_cells(replace(context, suite=suite.model_copy(update={"threads": (1,)})), store)
    assert [(c.target.name, c.precision, c.runtimes, c.supported) for c in cells[:6]] == [
        ("native", "float32", ("tvm", "torch"), ("tvm", "torch")),
        ("native", "float16", ("tvm", "torch"), ("tvm",)),
        ("native", "int8", ("tvm", "torch"), ("tvm",)),
        ("opencl", "float32", ("tvm",), ("tvm",)),
        ("opencl", "float16", ("tvm",), ("tvm",)),
        ("opencl", "int8", ("tvm",), ()),
    ]
    assert len(cells) == 2 * 6
    assert cells[1].unsupported == {"torch": "torch is measured at float32 only"}
    assert cells[2].unsupported == {"torch": "torch is measured at float32 only"}
    assert cells[5].unsupported == {
        "tvm": "target opencl is an OpenCL device, which computes in float32 and float16"
    }
    assert [cell.title for cell in cells[3:5]] == [
        "mobilenet_v2_0.35_96 on opencl, 1 thread",
        "mobilenet_v2_0.35_96 on opencl, 1 thread, float16",
    ]


def test_a_row_in_one_precision_leaves_the_other_open(context: RunContext, store: Store) -> None:
    suite = suite_with(
        context, targets=("opencl",), precisions=("float32", "float16"), threads=(1,)
    )
    store.add(record(target="opencl", precision="float16"))
    first, *_ = cells = open_cells(replace(context, suite=suite), store)
    assert len(cells) == 2 * 2 - 1
    assert (first.variant.name, first.precision) == ("mobilenet_v2_0.35_96", "float32")


def test_a_row_counts_whichever_board_it_is_from(context: RunContext, store: Store) -> None:
    suite = suite_with(context, targets=("raspberry-pi-4",))
    store.add(record(target="raspberry-pi-4", device="the second pi"))
    assert len(open_of(replace(context, suite=suite), store)) == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"variants": ("resnet50",)}, "unknown variant 'resnet50'"),
        ({"targets": ("abacus",)}, "unknown target 'abacus'"),
    ],
)
def test_a_suite_of_another_version_is_refused(
    tmp_path: Path, store: Store, change: dict[str, Any], reason: str
) -> None:

    run = Run(RUN, "2026-01-02T03:04:05+00:00", {})
    with pytest.raises(BenchError, match=reason):
        open_cells(RunContext(run, SUITE.model_copy(update=change), (Weights(),), tmp_path), store)


def test_a_checkpoint_is_measured_with_the_variants_that_it_is_for(
    context: RunContext, store: Store
) -> None:
    checkpoints = tuple(
        Weights(source=f"/tmp/{name}.pth", width_multiplier=multiplier, sha256=name)
        for name, multiplier in (("small", 0.35), ("wide", 1.0), ("any", None))
    )
    cells = open_cells(replace(context, weights=checkpoints), store)
    found = {(cell.variant.width_multiplier, cell.weights.label) for cell in cells}
    assert found == {
        (0.35, "small.pth"),
        (0.35, "any.pth"),
        (1.0, "wide.pth"),
        (1.0, "any.pth"),
    }
    assert cells[0].title == "mobilenet_v2_0.35_96 on native, 1 thread, small.pth"


def test_a_bundle_is_a_cell_of_its_own_and_let_cool_as_asked(
    context: RunContext, store: Store, exported_bundle: Path
) -> None:
    bundle = open_bundle(exported_bundle)
    suite = bundle_suite([bundle], {"cool_below_c": 55.0})
    run = replace(context, suite=suite, bundles=(bundle,))
    (cell,) = open_cells(run, store)
    assert cell.bundle is bundle
    assert (cell.variant, cell.threads, cell.runtimes) == (bundle.variant, 1, ("tvm",))
    assert cell.target.cool_below_c == 55.0
    assert run.targets == [cell.target]


def test_bundles_whose_targets_share_a_name_are_refused(exported_bundle: Path) -> None:
    bundle = open_bundle(exported_bundle)
    other = replace(bundle, manifest=replace(bundle.manifest, threads=2))
    assert bundle_suite([bundle, other], {}).threads == (1, 2)
    target = replace(bundle.target, cores=(0,))
    other = replace(other, manifest=replace(other.manifest, target=target))
    with pytest.raises(BenchError, match="a different target of the name native"):
        bundle_suite([bundle, other], {})
