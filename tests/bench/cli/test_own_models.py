"""`--model`: networks of one's own, from the ONNX file to rows and bundles."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobilebench.reports.records.store import Store
from tests.bench.cli.test_refusals import assert_refused
from tests.bench.models.own_files import channels_last, classifier, quantized


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["run", "--model", "none.onnx"], ["model none.onnx: no such file; give --model an ONNX"]),
        (
            ["tune", "--model", "text.onnx"],
            ["text.onnx: is a text file"],
        ),
        (["run", "--model", "net.onnx", "--weights", "w.pth"], ["has its own weights; leave out"]),
        (["run", "--variant", "small", "--input-shape", "1,3,9,9"], ["is a --model's; a variant"]),
        (["export", "--target", "native", "--out", "b"], ["name one network, --variant NAME or"]),
    ],
)
def test_bad_requests_are_one_line(
    mobilebench: Any, tmp_path: Path, arguments: list[str], parts: list[str]
) -> None:
    classifier(tmp_path / "net.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    (tmp_path / "w.pth").write_bytes(b"\1\2")
    assert_refused(mobilebench(*arguments), *parts)


def test_a_bundle_of_a_quantized_file_says_int8(mobilebench: Any, tmp_path: Path) -> None:
    quantized(tmp_path / "net.onnx")
    export = ("export", "--model", "net.onnx", "--target", "native", "--no-measure")
    done = mobilebench(*export, "--precision", "float32", "--out", "bundle")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "bundle" / "manifest.json").read_text())["precision"] == "int8"
    assert "is quantized, so that its precision is int8" in done.stderr


def test_a_quantized_file_is_refused_where_nothing_is_in_8_bits(
    mobilebench: Any, tmp_path: Path
) -> None:
    quantized(tmp_path / "net.onnx")
    export = ("export", "--model", "net.onnx", "--target", "opencl", "--no-measure")
    assert_refused(mobilebench(*export, "--out", "bundle"), "precision int8: target ")


@pytest.mark.slow
def test_a_file_is_run_resumed_exported_and_verified(mobilebench: Any, tmp_path: Path) -> None:
    classifier(tmp_path / "first.onnx", shape=("n", 3, "h", "w"))
    channels_last(tmp_path / "last.onnx")
    both = ["--model", "first.onnx", "--model", "last.onnx", "--input-shape", "1,3,20,24"]
    refused = mobilebench("run", *both)
    assert_refused(refused, "input 'x' is (batch, 16, 16, 3), which 1x3x20x24 does not fit")
    (tmp_path / "suite.toml").write_text(
        'model = ["first.onnx"]\ninput_shape = "1,3,20,24"\n'
        'runtime = ["tvm", "torch", "onnxruntime"]\n'
    )
    done = mobilebench("run", "suite.toml")
    assert done.returncode == 0, done.stderr
    with Store(str(tmp_path / "mobilebench.sqlite")) as store:
        records = store.records([run.run_id for run in store.runs()])
    assert [one.status for one in records] == ["ok"] * 3
    assert {one.variant for one in records} == {"first_1x3x20x24"}
    assert {one.weights.partition("@")[0] for one in records} == {"first.onnx"}
    assert {(one.height, one.width) for one in records} == {(20, 24)}
    done = mobilebench("run", "--resume", "latest")
    assert done.returncode in (0, 2), done.stderr  # nothing is left
    export = ["export", "--model", "last.onnx", "--target", "native", "--no-measure"]
    done = mobilebench(*export, "--out", "bundle")
    assert done.returncode == 0, done.stderr
    assert mobilebench("verify", "bundle").returncode == 0
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    assert manifest["inputs"][0]["layout"] == "NHWC"
    assert manifest["probabilities"]
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    program = [sys.executable, str(tmp_path / "bundle" / "run.py")]
    command = [*program, "--check", "--json", str(tmp_path / "image.png")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    *_, answer = shown.stdout.splitlines()
    shares = [one["share"] for one in json.loads(answer)["found"]]
    assert 0 < sum(shares) <= 1.0001
    done = mobilebench("run", "--bundle", "bundle")
    assert done.returncode == 0, done.stderr
