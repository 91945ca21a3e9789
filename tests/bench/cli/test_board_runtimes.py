"""Other runtimes on boards: measured there beside TVM, and each fails alone."""

import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import pytest

from mobilebench.bench.build.artifact import build_artifact
from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.models.onnx_export import to_onnx
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.runtimes.runtime import RUNTIMES
from mobilebench.reports.records.record import Record
from mobilebench.reports.records.store import Store
from mobilebench.schedules.databases.database import directories
from mobilebench.targets.catalog.target import read_target
from tests.bench.cli.saboteur import sabotaged
from tests.farm import KEY, Board, RealFarm

VARIANT = "mobilenet_v2_0.35_32_t1"  # quick to build
TARGET = f"""
description = "a board"
device_type = "cpu"
tracker_key = "{KEY}"
[tvm]
kind = "llvm"
mcpu = "native"
"""
# In the board's Python: a runtime that is not installed, and one that crashes.
PACKAGES = {
    "MNN.py": 'raise ModuleNotFoundError("No module named MNN", name="MNN")',
    "ncnn.py": "import os, signal\ndef Net(): os.kill(os.getpid(), signal.SIGSEGV)",
}


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[RealFarm]:
    """Return a tracker; the target of its boards lies in `tmp_path`."""
    (tmp_path / "board.toml").write_text(TARGET)
    directory = tmp_path / "farm"
    directory.mkdir()
    with RealFarm(directory) as farm:
        yield farm


def board_with(farm: RealFarm, packages: dict[str, str]) -> Board:
    """Start a board whose Python finds these modules before its own."""
    directory = farm.directory / "packages"
    directory.mkdir()
    for name, text in packages.items():
        (directory / name).write_text(text)
    return farm.add_board(environment={"PYTHONPATH": str(directory)})


def run(mobilebench: Any, farm: RealFarm, runtimes: str, *more: str) -> Any:
    named = [word for name in runtimes.split() for word in ("--runtime", name)]
    selected = ("--target", "board.toml", "--variant", VARIANT)
    return mobilebench("run", *selected, *named, "--tracker", str(farm.tracker), *more)


def rows(directory: Path) -> dict[tuple[str, str], Record]:
    with Store(str(directory / "mobilebench.sqlite")) as store:
        records = store.records([store.runs()[-1].run_id])
    return {(one.runtime, one.precision): one for one in records}


def left_running(board: Board) -> list[psutil.Process]:
    """Return what runs below a board beside its server."""
    found = psutil.Process(board.process.pid).children(recursive=True)
    return [one for one in found if ".zip" in " ".join(one.cmdline())]


def test_others_are_measured_on_the_board_and_each_fails_alone(
    farm: RealFarm, mobilebench: Any, tmp_path: Path
) -> None:
    board = board_with(farm, PACKAGES)
    done = run(mobilebench, farm, "tvm onnxruntime ncnn mnn torch")
    assert done.returncode == 1, done.stderr
    found = {runtime: row for (runtime, _), row in rows(tmp_path).items()}
    tvm, onnxruntime = found["tvm"], found["onnxruntime"]
    for row in (tvm, onnxruntime):
        assert row.status == "ok", row.error
        assert row.relative_l2_error is not None and row.relative_l2_error < 3e-5
        assert row.samples and row.latency_p50_ms
        assert row.base_rss_bytes and row.peak_rss_bytes
        assert row.peak_rss_bytes > row.base_rss_bytes
        assert (row.device, row.retries) == (tvm.device, 0)
    assert onnxruntime.runtime_version == version("onnxruntime")
    assert found["ncnn"].status == "crashed"
    assert "the process on the board was killed by SIGSEGV" in found["ncnn"].error
    assert found["mnn"].status == "load_failed"
    assert found["mnn"].error == (
        f"board {board.address}: its Python has no MNN; there: {sys.executable} -m pip install MNN"
    )
    assert found["torch"].status == "unsupported"
    assert "torch is measured on this machine alone" in found["torch"].error
    assert left_running(board) == []


@pytest.mark.slow
def test_all_are_right_on_a_board_in_floats_and_in_8_bits(
    farm: RealFarm, mobilebench: Any, tmp_path: Path
) -> None:
    farm.add_board()
    named = [name for name, entry in RUNTIMES.items() if entry.on_boards and entry.version()]
    assert {"onnxruntime", "ncnn", "mnn"} <= set(named)
    precisions = ("--precision", "float32", "--precision", "int8")
    done = run(mobilebench, farm, " ".join(["tvm", *named]), *precisions)
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path)
    for (name, precision), row in found.items():
        measured = precision in RUNTIMES[name].precisions
        assert row.status == ("ok" if measured else "unsupported"), row.error
    assert len(found) == 2 * (1 + len(named))


@pytest.mark.slow
def test_one_that_hangs_costs_its_own_row(farm: RealFarm, mobilebench: Any, tmp_path: Path) -> None:
    board = board_with(farm, {"ncnn.py": "import time\ntime.sleep(1e6)"})
    done = run(mobilebench, farm, "ncnn tvm onnxruntime", "--time-limit", "60")
    assert done.returncode == 1, done.stderr
    found = {runtime: row for (runtime, _), row in rows(tmp_path).items()}
    assert found["ncnn"].status == "timed_out"
    assert "no answer from the board within 60 s; killed" in found["ncnn"].error
    assert {found[name].status for name in ("tvm", "onnxruntime")} == {"ok"}
    assert {row.retries for row in found.values()} == {0}
    assert left_running(board) == []


@pytest.mark.slow
def test_a_model_of_tvm_s_that_crashes_costs_its_own_row(
    farm: RealFarm, mobilebench: Any, cache_dir: Path, tmp_path: Path
) -> None:
    farm.add_board()
    exported = to_onnx(parse_variant(VARIANT), Weights(), cache_dir)
    options = BuildOptions(read_target(tmp_path / "board.toml"), databases=directories())
    with sabotaged(build_artifact(exported, options, cache_dir), "abort"):
        done = run(mobilebench, farm, "tvm onnxruntime", "--retries", "1")
    assert done.returncode == 1, done.stderr
    found = {runtime: row for (runtime, _), row in rows(tmp_path).items()}
    assert found["tvm"].status == "crashed"
    assert "the model crashed there, or the board went away" in found["tvm"].error
    assert found["onnxruntime"].status == "ok"
    assert "measured without tvm" in found["onnxruntime"].warnings
