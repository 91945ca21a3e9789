"""ONNX files as PyTorch, timm and tf2onnx write them, from the file to a bundle's programs."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobilebench.bench.cli.app import app
from mobilebench.bench.models.own_network import read_network
from tests.bench.export.exporters import EXPORTERS, SIDE, write_network
from tests.conftest import skip_or_fail


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTERS)
def test_a_network_from_elsewhere_is_exported_verified_and_answers(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "net.onnx"
    try:
        write_network(EXPORTERS[name], tmp_path / "environments", path)
    except subprocess.CalledProcessError as error:
        skip_or_fail(f"{name} wrote no file: {error.stderr[-300:]!r}")
    given = (1, 3, SIDE, SIDE) if name == "torch" else None
    assert not read_network(path, given, tmp_path).constant  # else anything would agree
    out = tmp_path / "bundle"
    shape = ["--input-shape", f"1,3,{SIDE},{SIDE}"] if name == "torch" else []
    arguments = ["--model", str(path), *shape, "--target", "native", "--out", str(out)]
    app(["export", *arguments, "--no-measure"], standalone_mode=False)
    assert not app(["verify", str(out)], standalone_mode=False)
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    command = [sys.executable, out / "run.py", "--check", "--json", tmp_path / "image.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *_, answer = done.stdout.splitlines()
    assert len(json.loads(answer)["found"]) == 5
