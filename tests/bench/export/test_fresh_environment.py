"""A bundle needs the runtime's wheels and nothing else: here, and on an emulated board."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from mobilebench.bench.bundle.bundle import open_bundle
from mobilebench.targets.emulated.image import make_image
from tests.bundles import export
from tests.datasets import structured_pixels

TOOLS = ("debootstrap", "qemu-aarch64-static")
WHEELS = [f"apache-tvm=={version('apache-tvm')}", f"apache-tvm-ffi=={version('apache-tvm-ffi')}"]

pytestmark = pytest.mark.slow


def run(*command: object, **options: Any) -> str:
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def picture_of(bundle: Path, path: Path) -> int:
    """Write a picture; returns the class that PyTorch sees on it."""
    import torch
    from PIL import Image

    from mobilebench.bench.accuracy.images import normalised
    from mobilebench.bench.models.load_model import load_model

    opened = open_bundle(bundle)
    pixels = structured_pixels(64, 96)
    Image.fromarray(pixels).save(path)
    image = normalised(pixels[None], opened.manifest.preprocessing)
    with torch.inference_mode():
        return int(load_model(opened.variant, opened.weights)(torch.from_numpy(image)).argmax())


def test_the_bundle_runs_in_a_fresh_environment_on_this_machine(
    exported_bundle: Path, tmp_path: Path
) -> None:
    expected = picture_of(exported_bundle, tmp_path / "picture.png")
    run(sys.executable, "-m", "venv", tmp_path / "fresh")
    python = tmp_path / "fresh" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", *WHEELS, "pillow")
    names = {line.split("==")[0] for line in run(python, "-m", "pip", "freeze").splitlines()}
    assert not names & {"torch", "onnx", "mobilebench", "onnxruntime"}
    program = (python, exported_bundle / "run.py")
    environment = {"PATH": os.environ["PATH"]}  # no PYTHONPATH
    assert run(*program, "--check", env=environment).strip().endswith("ok")
    told = json.loads(run(*program, "--json", tmp_path / "picture.png", env=environment))
    assert told["found"][0]["class"] == expected


@pytest.mark.skipif(
    "CI" not in os.environ and not all(map(shutil.which, TOOLS)),
    reason=f"needs {' and '.join(TOOLS)}",
)
def test_the_bundle_runs_in_a_fresh_environment_on_an_emulated_board(
    cache_dir: Path, tmp_path: Path
) -> None:
    bundle = export(tmp_path / "bundle", target="emulated-arm")
    opened = open_bundle(bundle)
    assert opened.manifest.architecture == "aarch64"
    launcher = make_image(cache_dir, lambda _: None) / "python"
    site = tmp_path / "site"
    tags = ["--platform=manylinux_2_28_aarch64", "--python-version=3.11", "--implementation=cp"]
    how = ["--quiet", f"--target={site}", "--only-binary=:all:", "--no-deps", *tags]
    run(sys.executable, "-m", "pip", "install", *how, *WHEELS, "typing-extensions", "pillow")
    board = tmp_path / "python"  # the board's Python, with these packages instead of its own
    board.write_text(launcher.read_text().replace(str(launcher.with_name("site")), str(site)))
    board.chmod(0o755)
    expected = picture_of(bundle, tmp_path / "picture.png")
    told = json.loads(run(board, bundle / "run.py", "--json", tmp_path / "picture.png"))
    assert told["found"][0]["class"] == expected
