"""Bundles whose library takes the pixels of an image as they are."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobilebench.bench.accuracy.images import normalised
from mobilebench.bench.bundle.bundle import Bundle, open_bundle
from mobilebench.bench.bundle.checksums import SUMS, write_sums
from mobilebench.bench.bundle.manifest import MANIFEST
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.inference import infer_on_device, workload_of
from mobilebench.bench.models.outputs import Inputs, Outputs
from mobilebench.bench.quantization.agreement import compare_steps, step_of
from mobilebench.targets.errors import BenchError
from tests.bundles import export
from tests.datasets import structured_pixels

TINY = "mobilenet_v2_0.35_32"


def outputs_of(bundle: Bundle, inputs: Inputs, cache_dir: Path) -> Outputs:
    config = MeasurementConfig(bundle.target, 1, 60, cache_dir)
    return infer_on_device(config, workload_of(bundle.variant, bundle.artifact), inputs)


def run(bundle: Path, *arguments: object) -> Any:
    command = [sys.executable, str(bundle / "run.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_its_manifest_says_what_it_takes(pixel_bundle: Path) -> None:
    opened = open_bundle(pixel_bundle)
    (image,) = opened.manifest.inputs
    assert (image.dtype, image.layout, image.shape) == ("uint8", "NHWC", [1, 64, 96, 3])
    assert (pixel_bundle / image.reference).stat().st_size == 64 * 96 * 3
    inputs = opened.reference().inputs
    assert (inputs.dtype, inputs.shape) == (np.uint8, (1, 64, 96, 3))
    assert opened.artifact.manifest.input_type == "uint8"
    assert "pixels as they are" in (pixel_bundle / "README.md").read_text()


def test_it_computes_what_the_bundle_does_of_normalised_pixels(
    bundle: Path, pixel_bundle: Path, cache_dir: Path
) -> None:
    floats, pixels = open_bundle(bundle), open_bundle(pixel_bundle)
    images = np.random.default_rng(5).integers(0, 256, (2, 64, 96, 3), np.uint8)
    (found,) = outputs_of(pixels, images, cache_dir)
    shown = normalised(images, floats.manifest.preprocessing)
    (expected,) = outputs_of(floats, shown, cache_dir)
    assert np.linalg.norm(found - expected) < 1e-5 * np.linalg.norm(expected)


def test_run_py_gives_the_same_answers(bundle: Path, pixel_bundle: Path, tmp_path: Path) -> None:
    checked = run(pixel_bundle, "--check")
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.endswith("ok\n")
    picture = tmp_path / "picture.png"
    Image.fromarray(structured_pixels(80, 120)).save(picture)
    answers = []
    for one in (bundle, pixel_bundle):
        done = run(one, picture, "--json")
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout)["found"])
    classes, shares = ([[one[key] for one in found] for found in answers]
                       for key in ("class", "share"))  # fmt: skip
    assert classes[0] == classes[1]
    np.testing.assert_allclose(shares[0], shares[1], rtol=1e-4)


@pytest.mark.parametrize(
    "changed",
    [{"dtype": "float32"}, {"dtype": "int8"}, {"shape": [1, 3, 64, 96]}, {"shape": [1, 64, 96, 4]}],
)
def test_a_manifest_that_says_otherwise_is_refused(
    pixel_bundle: Path, tmp_path: Path, changed: dict[str, Any]
) -> None:
    copy = Path(shutil.copytree(pixel_bundle, tmp_path / "copy"))
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["inputs"][0] |= changed
    (copy / MANIFEST).write_text(json.dumps(manifest))
    write_sums(copy)
    with pytest.raises(BenchError, match=r"inputs in manifest\.json does not match"):
        open_bundle(copy)


def test_in_8_bits_the_integers_are_those_of_normalised_pixels(
    tmp_path: Path, cache_dir: Path
) -> None:
    """And the same bytes are written again."""
    how = ("--precision", "int8")
    floats = open_bundle(export(tmp_path / "floats", *how, variant=TINY))
    pixels, again = (
        open_bundle(export(tmp_path / name, *how, "--input", "uint8", variant=TINY))
        for name in ("pixels", "again")
    )
    assert (pixels.directory / SUMS).read_bytes() == (again.directory / SUMS).read_bytes()
    images = np.random.default_rng(5).integers(0, 256, (4, 32, 32, 3), np.uint8)
    (found,) = outputs_of(pixels, images, cache_dir)
    shown = normalised(images, floats.manifest.preprocessing)
    (expected,) = outputs_of(floats, shown, cache_dir)
    assert compare_steps("logits", found, expected, step_of(expected)).holds
    reference = pixels.reference()
    (answers,) = outputs_of(pixels, reference.inputs, cache_dir)
    assert compare_steps("logits", answers, reference.outputs[0], step_of(answers)).holds
