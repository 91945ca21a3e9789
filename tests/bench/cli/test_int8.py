"""Eight bits, as their users have them: measured beside others, and exported."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest

from mobilebench.reports.records.store import Store

VARIANT = "mobilenet_v2_0.35_64x96"


def records_of(directory: Path) -> dict[tuple[str, int], Any]:
    with Store("sqlite:///" + str(directory / "mobilebench.sqlite")) as store:
        (run,) = store.runs()
        return {(one.runtime, one.threads): one for one in store.records([run.run_id])}


@pytest.mark.slow
def test_a_run_in_8_bits_is_right_on_one_and_two_threads(mobilebench: Any, tmp_path: Path) -> None:
    runtimes = ("--runtime", "tvm", "--runtime", "onnxruntime", "--runtime", "torch")
    select = ("--variant", VARIANT, "--precision", "int8", "--threads", 1, "--threads", 2)
    done = mobilebench("run", *select, *runtimes)
    assert done.returncode == 0, done.stderr
    records = records_of(tmp_path)
    assert {one.precision for one in records.values()} == {"int8"}
    for threads in (1, 2):
        assert records["tvm", threads].status == "ok"
        assert records["tvm", threads].relative_l2_error < 0.1
        assert 0 < records["tvm", threads].quantization_error < 0.2
        assert records["onnxruntime", threads].status == "ok"
        unsupported = records["torch", threads]
        assert (unsupported.status, unsupported.latency_p50_ms) == ("unsupported", None)
    assert records["tvm", 1].calibration_data == "seeded noise"


@pytest.mark.slow
def test_a_bundle_in_8_bits_is_smaller_and_verified(mobilebench: Any, tmp_path: Path) -> None:
    select = ("export", "--variant", VARIANT, "--target", "native", "--no-measure")
    done = mobilebench(*select, "--precision", "int8", "--with-onnx", "--out", "small")
    assert done.returncode == 0, done.stderr
    done = mobilebench(*select, "--out", "large")
    assert done.returncode == 0, done.stderr
    small, large = ((tmp_path / name / "params.bin").stat().st_size for name in ("small", "large"))
    assert small < 0.3 * large
    kinds = {node.op_type for node in onnx.load(tmp_path / "small" / "model.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    done = mobilebench("verify", "small")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "small" / "reference" / "input.bin").stat().st_size == 3 * 64 * 96
    program = [sys.executable, tmp_path / "small" / "run.py", "--check"]
    checked = subprocess.run(program, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.endswith("ok\n")


def test_calibration_without_8_bits_is_refused(mobilebench: Any, tmp_path: Path) -> None:
    done = mobilebench("run", "--variant", VARIANT, "--calibration", tmp_path)
    assert done.returncode == 2
    assert "only int8 is calibrated" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(("images", "reason"), [(0, "has 0 images"), (9, "has 9 images")])
def test_too_few_images_are_refused(
    mobilebench: Any, tmp_path: Path, images: int, reason: str
) -> None:
    from PIL import Image

    (tmp_path / "images").mkdir()
    for number in range(images):
        Image.new("RGB", (40, 40)).save(tmp_path / "images" / f"{number}.png")
    select = ("--variant", VARIANT, "--precision", "int8")
    done = mobilebench("run", *select, "--calibration", tmp_path / "images")
    assert done.returncode == 2
    assert reason in done.stderr.splitlines()[-1]
    assert "at least 10" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "command",
    [
        ("run",),
        ("export", "--target", "native", "--no-measure", "--out", "bundle"),
        ("tune", "--target", "native", "--trials", 1),
    ],
    ids=lambda command: str(command[0]),
)
def test_images_that_are_too_small_are_refused_before_anything_is_made(
    mobilebench: Any, tmp_path: Path, command: tuple[object, ...]
) -> None:
    from PIL import Image

    (tmp_path / "images").mkdir()
    for number in range(10):
        Image.new("RGB", (96, 63)).save(tmp_path / "images" / f"{number}.png")
    select = ("--variant", VARIANT, "--precision", "int8")
    done = mobilebench(*command, *select, "--calibration", tmp_path / "images")
    assert done.returncode == 2
    assert "0.png: is 96x63, the network takes 96x64; " in done.stderr.splitlines()[-1]
