"""Runs from end to end: real variants, and what goes wrong in the middle of one."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from bench.cache import cache_directory, file_sha256
from bench.models.weights import Weights
from bench.variant import parse_variant
from bench.workshop import Workshop
from reports.activations import LATENCY_PLAN, MEMORY_PLAN, PATTERN_PLAN
from reports.record import Record
from reports.store import Store
from schedules.database import directories
from targets.target import find_target

VARIANTS = ("mobilenet_v2_0.35_32", "mobilenet_v2_0.35_64", "mobilenet_v2_0.35_32x64")
SELECTED = [argument for name in VARIANTS for argument in ("--variant", name)]


def records_of(directory: Path) -> list[Record]:
    path = directory / "mobilebench.sqlite"
    if not path.exists():
        return []
    with Store(str(path)) as store:
        return store.records([run.run_id for run in store.runs()])


def wait_for(condition: Callable[[], bool], limit_s: float = 300) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


@pytest.mark.slow
def test_accuracy_of_two_checkpoints_on_images(mobilebench: Any, tmp_path: Path) -> None:
    import torch

    from bench.models.mobilenet_v2 import MobileNetV2

    chosen = []
    for multiplier in (0.35, 0.5):
        torch.manual_seed(int(100 * multiplier))
        state = MobileNetV2(parse_variant(f"mobilenet_v2_{multiplier}_32")).state_dict()
        torch.save(state, tmp_path / f"{multiplier}.pth")
        manifest = f"width_multiplier = {multiplier}\nresolution = 32\nresize = 36\n"
        (tmp_path / f"{multiplier}.toml").write_text(manifest)
        chosen += ["--weights", f"{multiplier}.pth"]
    rows = []
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{number}")
    (tmp_path / "labels.csv").write_text("\n".join(["file,class_index", *rows]))
    done = mobilebench("run", *chosen, "--data", "labels.csv", "--runtime", "tvm")
    assert done.returncode == 0, done.stderr
    records = records_of(tmp_path)
    assert [record.variant for record in records] == [VARIANTS[0], "mobilenet_v2_0.5_32"]
    for record in records:
        assert record.images == 6
        assert record.data == tmp_path.name
        assert record.images_agreement == 1.0
        assert record.top1_percent == record.pytorch_top1_percent
        assert record.top5_percent == record.pytorch_top5_percent
    page = (tmp_path / "mobilebench-report" / "index.html").read_text()
    assert "top-1 on 6 images" in page or "measured on 6 images" in page


def test_a_run_measures_every_runtime_and_leaves_a_report(mobilebench: Any, tmp_path: Path) -> None:
    done = mobilebench("run", "--variant", VARIANTS[0], "--runtime", "tvm", "--runtime", "torch")
    assert done.returncode == 0, done.stderr
    page = tmp_path / "mobilebench-report" / "index.html"
    assert f"report: {page.relative_to(tmp_path)}" in done.stdout
    assert page.exists()
    tvm, torch = records_of(tmp_path)
    assert (tvm.runtime, torch.runtime) == ("tvm", "torch")
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
    # Weights are float32 without batch norm's scale, but with whole vectors at the edges.
    assert tvm.params_bytes is not None
    assert 0.95 < tvm.params_bytes / (4 * tvm.params) < 1.1
    with Store(str(tmp_path / "mobilebench.sqlite")) as store:
        rounds = store.rounds_ms(tvm)
    assert sum(map(len, rounds)) == tvm.samples


def test_memory_is_accounted_for_if_it_is_asked_for(mobilebench: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    done = mobilebench(
        "run", "--variant", VARIANTS[0], "--runtime", "tvm", "--runtime", "onnxruntime", "--memory"
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


@pytest.mark.parametrize("threads", [1, 2])
def test_a_look_inside_adds_up_to_the_whole(mobilebench: Any, tmp_path: Path, threads: int) -> None:
    done = mobilebench(
        "run", "--variant", VARIANTS[1], "--runtime", "tvm", "--threads", threads, "--kernels",
        "--prefer", "memory",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (record,) = records_of(tmp_path)
    assert record.prefer == "memory"
    with Store(str(tmp_path / "mobilebench.sqlite")) as store:
        kernels = store.kernels(record)
    assert len(kernels) == record.functions
    assert sum(kernel.calls for kernel in kernels) == 54  # 52 convolutions, pooling, classifier
    assert all(kernel.microseconds > 0 for kernel in kernels)
    assert record.latency_p50_ms is not None
    inside_ms = sum(kernel.microseconds for kernel in kernels) / 1000
    assert inside_ms == pytest.approx(record.latency_p50_ms, rel=0.9)  # noisy; not another unit
    assert record.macs <= sum(kernel.macs * kernel.calls for kernel in kernels) < 3 * record.macs
    assert record.peak_macs_per_s is not None
    assert record.read_bytes_per_s is not None
    assert (tmp_path / "mobilebench-report" / "roofline-0.png").exists()
    assert (tmp_path / "mobilebench-report" / "kernels.csv").exists()


def test_a_library_that_crashes_and_one_that_hangs_cost_a_row_each(
    mobilebench: Any, tmp_path: Path
) -> None:
    _sabotage(VARIANTS[0], "abort")
    _sabotage(VARIANTS[1], "pause")
    try:
        done = mobilebench("run", *SELECTED, "--runtime", "tvm", "--time-limit", 30)
    finally:
        for name in VARIANTS[:2]:
            _forget(name)
    assert done.returncode == 1
    crashed, hung, fine = records_of(tmp_path)
    assert (crashed.variant, crashed.status) == (VARIANTS[0], "crashed")
    assert "SIGABRT" in crashed.error
    assert (hung.variant, hung.status) == (VARIANTS[1], "timed_out")
    assert "30 s" in hung.error
    assert (fine.variant, fine.status) == (VARIANTS[2], "ok")
    assert not [p for p in psutil.process_iter() if "targets.rpc_server" in " ".join(_words(p))]


def test_a_killed_run_resumes_without_losing_or_repeating_a_row(
    start: Any, mobilebench: Any, tmp_path: Path
) -> None:
    process = start("run", *SELECTED, "--runtime", "tvm", "--runtime", "torch")
    wait_for(lambda: len(records_of(tmp_path)) >= 2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = records_of(tmp_path)
    assert 2 <= len(before) < 6
    resumed = mobilebench("run", "--resume", "latest")
    assert resumed.returncode == 0, resumed.stderr
    after = records_of(tmp_path)
    assert after[: len(before)] == before
    assert sorted((r.variant, r.runtime) for r in after) == sorted(
        (variant, runtime) for variant in VARIANTS for runtime in ("tvm", "torch")
    )
    assert len({r.run_id for r in after}) == 1


def test_ctrl_c_keeps_finished_rows_and_says_how_to_go_on(start: Any, tmp_path: Path) -> None:
    process = start("run", *SELECTED, "--runtime", "tvm", "--runtime", "torch")
    children: list[psutil.Process] = []
    wait_for(lambda: bool(records_of(tmp_path)))
    wait_for(lambda: bool(children.extend(psutil.Process(process.pid).children()) or children))
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    (run_id,) = {record.run_id for record in records_of(tmp_path)}
    assert f"mobilebench run --resume {run_id}" in stderr.splitlines()[-1]
    assert "Traceback" not in stderr
    assert all(_is_gone(child) for child in children)


@pytest.mark.slow
def test_the_published_grid_is_right_on_this_machine(mobilebench: Any, tmp_path: Path) -> None:
    from reports.published import find_published

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


def _sabotage(variant_name: str, c_function: str) -> None:
    """Put a library that calls `c_function` in the place of a variant's artifact."""
    directory = _artifact(variant_name)
    library = directory / "library.so"
    variant = parse_variant(variant_name)
    saboteur = Path(__file__).with_name("saboteur.py")
    arguments = (c_function, str(variant.height), str(variant.width), str(library))
    subprocess.run([sys.executable, str(saboteur), *arguments], check=True)
    manifest = json.loads((directory / "manifest.json").read_text())
    manifest["library_sha256"] = file_sha256(library)
    (directory / "manifest.json").write_text(json.dumps(manifest))


def _forget(variant_name: str) -> None:
    shutil.rmtree(_artifact(variant_name))


def _artifact(variant_name: str) -> Path:
    variant = parse_variant(variant_name)
    with Workshop(cache_directory(), 300) as workshop:
        exported = workshop.export(variant, Weights())
        return workshop.build(variant, exported, find_target("native"), 1, directories()).directory


def _is_gone(process: psutil.Process) -> bool:
    """Whether a process has ended; where nobody reaps orphans it stays a zombie."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
