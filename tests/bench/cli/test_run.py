"""Runs from end to end: real variants, and what goes wrong in the middle of one."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from mobilebench.bench.build.artifact import Artifact, build_artifact, find_artifact
from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.models.onnx_export import to_onnx
from mobilebench.bench.models.variant import DETECT, SEGMENT, parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.reports.records.activations import LATENCY_PLAN, MEMORY_PLAN, PATTERN_PLAN
from mobilebench.reports.records.record import Record
from mobilebench.reports.records.store import Store
from mobilebench.schedules.databases.database import directories
from mobilebench.targets.catalog.target import find_target
from tests.bench.cli.saboteur import sabotaged
from tests.datasets import answered, save_checkpoint, structured_pixels
from tests.waiting import HANG_S, wait_until, wait_until_ended

VARIANT = "mobilenet_v2_0.35_32"
TWO = ("mobilenet_v2_0.35_32_t1", "mobilenet_v2_0.35_64_t1")  # quick to build
RUNTIMES = ("tvm", "torch")
BOTH = [argument for name in RUNTIMES for argument in ("--runtime", name)]
SELECTED = ["--variant", TWO[0], "--variant", TWO[1], *BOTH]


def records_of(directory: Path) -> list[Record]:
    path = directory / "mobilebench.sqlite"
    if not path.exists():
        return []
    with Store(str(path)) as store:
        return store.records([run.run_id for run in store.runs()])


@pytest.mark.slow
def test_packages_in_the_user_s_folder_are_never_imported(tmp_path: Path) -> None:
    for name in ("bench", "targets", "schedules", "reports", "mobilebench"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('imported')\n")
    program = "from mobilebench.bench.cli.app import main; main()"
    selected = ["run", "--variant", TWO[0], "--runtime", "tvm"]
    # The installed command, like -P, has no folder of the user's on its path.
    command = [sys.executable, "-P", "-c", program, *selected]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (record,) = records_of(tmp_path)
    assert record.status == "ok"


@pytest.mark.slow
def test_accuracy_of_two_checkpoints_on_images(mobilebench: Any, tmp_path: Path) -> None:
    import torch

    from mobilebench.bench.models.mobilenet_v2 import MobileNetV2

    chosen = []
    for multiplier in (0.35, 0.5):
        torch.manual_seed(int(100 * multiplier))
        state = MobileNetV2(parse_variant(f"mobilenet_v2_{multiplier}_32")).state_dict()
        torch.save(state, tmp_path / f"{multiplier}.pth")
        manifest = f"width_multiplier = {multiplier}\nresolution = 32\nresize = 36\n"
        (tmp_path / f"{multiplier}.toml").write_text(manifest)
        chosen += ["--weights", f"{multiplier}.pth"]
    rows = []
    for number in range(60):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{number}")
    (tmp_path / "labels.csv").write_text("\n".join(["file,class_index", *rows]))
    done = mobilebench("run", *chosen, "--data", "labels.csv", "--runtime", "tvm")
    assert done.returncode == 0, done.stderr
    records = records_of(tmp_path)
    assert [record.variant for record in records] == [VARIANT, "mobilenet_v2_0.5_32"]
    for record in records:
        assert record.images == 60
        assert record.data == tmp_path.name
        assert record.images_agreement == 1.0
        assert record.top1_percent == record.pytorch_top1_percent
        assert record.top5_percent == record.pytorch_top5_percent
        assert "of 60 images, hardly more than guessing (0.1 %)" in record.warnings
    page = (tmp_path / "mobilebench-report" / "index.html").read_text()
    assert "top-1 on 60 images" in page or "measured on 60 images" in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("ssdlite_mobilenet_v2_0.35_64", ("map_percent", "map50_percent")),
        ("deeplabv3_mobilenet_v2_0.35_65", ("miou_percent",)),
    ],
)
def test_accuracy_of_other_tasks_on_data(
    mobilebench: Any, tmp_path: Path, name: str, figures: tuple[str, ...]
) -> None:
    variant = parse_variant(name)
    answered(tmp_path / "data", variant, save_checkpoint(tmp_path / "weights.pth", variant))
    done = mobilebench("run", "--weights", "weights.pth", "--data", "data", *BOTH)
    assert done.returncode == 0, done.stderr
    records = records_of(tmp_path)
    assert [(record.variant, record.runtime) for record in records] == [
        (name, runtime) for runtime in RUNTIMES
    ]
    for record in records:
        assert record.images == 3
        assert record.data in ("data", "val")
        assert record.images_agreement == pytest.approx(1, abs=0.01)
        assert record.top1_percent is None
        assert (record.max_box_error_px is None) == (variant.task == SEGMENT)
        for figure in figures:
            assert getattr(record, f"pytorch_{figure}") == pytest.approx(100)
            assert getattr(record, figure) == pytest.approx(100, abs=1)
            low, high = (
                getattr(record, figure.replace("_percent", f"_ci95_{end}_percent"))
                for end in ("low", "high")
            )
            assert low <= getattr(record, figure) <= high
    if variant.task == DETECT:
        assert all(0 <= (record.max_box_error_px or 0) < 0.01 for record in records)
        assert any(record.max_box_error_px for record in records)
    report = (tmp_path / "mobilebench-report" / "report.md").read_text()
    assert f"### Accuracy of {variant.task}" in report


def test_a_run_measures_every_runtime_and_leaves_a_report(
    mobilebench_process: Any, tmp_path: Path, cache_dir: Path
) -> None:
    done = mobilebench_process("run", "--variant", VARIANT, *BOTH)
    assert done.returncode == 0, done.stderr
    page = tmp_path / "mobilebench-report" / "index.html"
    assert f"report: {page.relative_to(tmp_path)}" in done.stdout
    assert page.exists()
    tvm, torch = records_of(tmp_path)
    assert (tvm.runtime, torch.runtime) == RUNTIMES
    for record in (tvm, torch):
        assert record.status == "ok"
        assert record.relative_l2_error is not None
        assert record.relative_l2_error < 1e-5
        assert record.samples >= 50
        assert record.latency_ci95_low_ms is not None
        assert record.latency_p50_ms is not None
        assert record.latency_ci95_high_ms is not None
        assert record.latency_ci95_low_ms <= record.latency_p50_ms <= record.latency_ci95_high_ms
        assert record.peak_rss_bytes is not None
        assert record.base_rss_bytes is not None
        assert record.peak_rss_bytes > record.base_rss_bytes
        assert record.load_ms is not None
        assert record.load_ms > 0
        assert record.first_inference_ms is not None
        assert record.first_inference_ms > 0
    # Weights are float32 without batch norm's scale, but with whole vectors at the edges.
    assert tvm.params_bytes is not None
    assert 0.95 < tvm.params_bytes / (4 * tvm.params_count) < 1.1
    artifact = find_artifact(tvm.artifact_key, cache_dir)
    assert artifact is not None
    assert artifact.manifest.artifact_bytes == tvm.artifact_bytes
    assert torch.artifact_key == ""
    with Store(str(tmp_path / "mobilebench.sqlite")) as store:
        rounds = store.rounds_ms(tvm)
    assert sum(map(len, rounds)) == tvm.samples


def test_stages_from_a_file_to_an_answer_are_timed_if_asked_for(
    mobilebench: Any, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(3):
        picture = Image.fromarray(structured_pixels(100 + number, 130))
        picture.save(tmp_path / "photos" / f"{number}.png")
    done = mobilebench("run", "--variant", VARIANT, *BOTH, "--stages", "photos")
    assert done.returncode == 0, done.stderr
    for record in records_of(tmp_path):
        assert record.status == "ok", record.error
        assert record.stage_images == 3, record.warnings
        stages = ("decode", "resize", "normalise", "inference", "top_k")
        taken = [getattr(record, f"stage_{name}_ms") for name in stages]
        assert all(one > 0 for one in taken)
        assert record.stage_boxes_ms is None
        assert record.end_to_end_ms is not None
        far = abs(sum(taken) - record.end_to_end_ms) > 0.03 * record.end_to_end_ms
        assert far == ("stages: they add up to" in record.warnings)
    report = (tmp_path / "mobilebench-report" / "report.md").read_text()
    assert "### End to end: native" in report
    assert "### Cold start: native" in report


@pytest.mark.slow
def test_memory_is_analysed_if_asked_for(mobilebench: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    done = mobilebench(
        "run", "--variant", VARIANT, "--runtime", "tvm", "--runtime", "onnxruntime", "--memory"
    )
    assert done.returncode == 0, done.stderr
    records = records_of(tmp_path)
    with Store(str(tmp_path / "mobilebench.sqlite")) as store:
        tvm, onnxruntime = (store.activations(record) for record in records)
    assert tvm is not None
    assert onnxruntime is not None
    assert tvm.plans[LATENCY_PLAN] == records[0].arena_bytes
    assert tvm.plans[MEMORY_PLAN] < tvm.working_set_bytes
    assert tvm.working_set_bytes == onnxruntime.working_set_bytes <= onnxruntime.plans[PATTERN_PLAN]
    for needs, plan in ((tvm, LATENCY_PLAN), (onnxruntime, PATTERN_PLAN)):
        added = needs.added_heap_bytes
        assert added is None or added >= needs.plans[plan]
    page = (tmp_path / "mobilebench-report" / "memory.html").read_text()
    assert "Planned activations" in page


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_kernel_times_add_up_to_the_latency(mobilebench: Any, tmp_path: Path, threads: int) -> None:
    done = mobilebench(
        "run", "--variant", TWO[0], "--runtime", "tvm", "--threads", threads, "--kernels",
        "--optimize-for", "memory",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (record,) = records_of(tmp_path)
    assert record.optimize_for == "memory"
    with Store(str(tmp_path / "mobilebench.sqlite")) as store:
        kernels = store.kernels(record)
        samples_ms = [sample for one in store.rounds_ms(record) for sample in one]
    assert len(kernels) == record.kernel_count
    assert sum(kernel.calls for kernel in kernels) == 38  # 36 convolutions, pooling, classifier
    assert all(kernel.microseconds > 0 for kernel in kernels)
    inside_ms = sum(kernel.microseconds for kernel in kernels) / 1000
    assert min(samples_ms) / 10 < inside_ms < 10 * max(samples_ms)  # noisy; not another unit
    assert record.macs <= sum(kernel.macs * kernel.calls for kernel in kernels) < 3 * record.macs
    assert record.peak_macs_per_s is not None
    assert record.read_bytes_per_s is not None
    assert (tmp_path / "mobilebench-report" / "roofline-0.png").exists()
    assert (tmp_path / "mobilebench-report" / "kernels.csv").exists()


@pytest.mark.slow
def test_a_crash_and_a_hang_each_fail_one_row(
    mobilebench: Any, cache_dir: Path, tmp_path: Path
) -> None:
    crashing, hanging = (_artifact(name, cache_dir) for name in TWO)
    with sabotaged(crashing, "abort"), sabotaged(hanging, "pause"):
        done = mobilebench("run", *SELECTED, "--time-limit", 60)
    assert done.returncode == 1
    crashed, first, hung, second = records_of(tmp_path)
    assert (crashed.variant, crashed.runtime, crashed.status) == (TWO[0], "tvm", "crashed")
    assert "SIGABRT" in crashed.error
    assert (hung.variant, hung.runtime, hung.status) == (TWO[1], "tvm", "timed_out")
    assert "60 s" in hung.error
    for fine in (first, second):
        assert (fine.runtime, fine.status) == ("torch", "ok")
    assert not [p for p in psutil.process_iter() if _is_server_in(tmp_path, p)]


@pytest.mark.slow
def test_a_killed_run_resumes_without_losing_or_repeating_a_row(
    start: Any, mobilebench: Any, tmp_path: Path
) -> None:
    process = start("run", *SELECTED, "--out", "its own report")
    wait_until(lambda: len(records_of(tmp_path)) >= 2, "two rows")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = records_of(tmp_path)
    assert 2 <= len(before) < 4
    resumed = mobilebench("run", "--resume", "latest")
    assert resumed.returncode == 0, resumed.stderr
    after = records_of(tmp_path)
    assert after[: len(before)] == before
    assert sorted((r.variant, r.runtime) for r in after) == sorted(
        (variant, runtime) for variant in TWO for runtime in RUNTIMES
    )
    assert len({r.run_id for r in after}) == 1
    assert (tmp_path / "its own report" / "index.html").exists()
    assert not (tmp_path / "mobilebench-report").exists()


@pytest.mark.slow
def test_ctrl_c_keeps_finished_rows_and_says_how_to_go_on(start: Any, tmp_path: Path) -> None:
    others = [f"mobilenet_v2_0.35_{size}" for size in (40, 48, 56)]  # so that some are left
    process = start("run", *SELECTED, *(part for one in others for part in ("--variant", one)))
    children: list[psutil.Process] = []
    wait_until(lambda: records_of(tmp_path), "the first row")
    wait_until(
        lambda: children.extend(psutil.Process(process.pid).children()) or children, "a worker"
    )
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=HANG_S)
    assert process.returncode == 130
    (run_id,) = {record.run_id for record in records_of(tmp_path)}
    assert f"mobilebench run --resume {run_id}" in stderr.splitlines()[-1]
    assert "Traceback" not in stderr
    wait_until_ended(*children)


@pytest.mark.slow
def test_published_variants_match_pytorch_on_this_machine(mobilebench: Any, tmp_path: Path) -> None:
    from mobilebench.reports.published.figures import find_published

    done = mobilebench("run", "--variant", "published", "--runtime", "tvm")
    assert done.returncode == 0, done.stderr
    records = records_of(tmp_path)
    assert len({record.variant for record in records}) == len(records) == 22
    for record in records:
        assert record.status == "ok"
        assert record.relative_l2_error is not None
        assert record.relative_l2_error < 1e-5
        published = find_published(record.width_multiplier, record.height, record.width)
        assert published is not None
        assert int(record.macs / 1e6) == int(published.macs_millions)


def _artifact(variant_name: str, cache_dir: Path) -> Artifact:
    """Return what a run builds of a variant for this machine."""
    exported = to_onnx(parse_variant(variant_name), Weights(), cache_dir)
    options = BuildOptions(find_target("native"), databases=directories())
    return build_artifact(exported, options, cache_dir)


def _is_server_in(directory: Path, process: psutil.Process) -> bool:
    """Whether a process is an RPC server of a run in a directory; others may run beside it."""
    try:
        return (
            "mobilebench.targets.rpc.server_process" in process.cmdline()
            and process.cwd() == str(directory)
        )
    except psutil.Error:
        return False
