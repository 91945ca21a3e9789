"""Bundles whose library takes several images at once."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobilebench.bench.bundle.bundle import open_bundle
from mobilebench.bench.bundle.checksums import write_sums
from mobilebench.bench.bundle.manifest import MANIFEST
from mobilebench.bench.config.bundle_suite import bundle_suite
from mobilebench.bench.export.verify import verify_outputs
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.targets.errors import BenchError
from tests.bundles import export
from tests.datasets import structured_pixels

TINY = "mobilenet_v2_0.35_32"
BATCH = 3
HOW = {
    "float32": (),
    "int8": ("--precision", "int8"),
    "pixels": ("--precision", "int8", "--input", "uint8"),
}


SLOW = ("int8", "pixels")


@pytest.fixture(
    scope="module",
    params=[pytest.param(one, marks=[pytest.mark.slow] * (one in SLOW)) for one in HOW],
)
def bundles(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Return a bundle of one image, and one of three."""
    where = tmp_path_factory.mktemp("bundles")
    single, batched = (
        export(where / f"of-{batch}", "--batch", batch, *HOW[request.param], variant=TINY)
        for batch in (1, BATCH)
    )
    return single, batched


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return more pictures than a batch has, no two alike."""
    where, found = tmp_path_factory.mktemp("pictures"), []
    for turn in range(BATCH + 1):
        found.append(where / f"{turn}.png")
        Image.fromarray(np.rot90(structured_pixels(60, 60), turn)).save(found[-1])
    return found


def run(bundle: Path, *arguments: object) -> Any:
    command = [sys.executable, str(bundle / "run.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def test_its_manifest_and_its_reference_are_of_a_batch(bundles: tuple[Path, Path]) -> None:
    single, batched = map(open_bundle, bundles)
    assert (single.manifest.batch, batched.manifest.batch) == (1, BATCH)
    assert batched.artifact.manifest.batch == BATCH
    (one,), (image,) = single.manifest.inputs, batched.manifest.inputs
    assert image.shape == [BATCH, *one.shape[1:]]
    assert batched.manifest.outputs[0].shape == [BATCH, 1000]
    reference = batched.reference()
    assert len(reference.inputs) == len(reference.outputs[0]) == BATCH
    assert len({answer.tobytes() for answer in reference.outputs[0]}) == BATCH
    assert batched.variant == single.variant


def test_its_outputs_are_right_for_every_image(bundles: tuple[Path, Path], cache_dir: Path) -> None:
    bundle = open_bundle(bundles[1])
    config = MeasurementConfig(bundle.target, 1, 120, cache_dir)
    fidelity = verify_outputs(config, bundle)
    assert fidelity.inputs == BATCH
    assert fidelity.relative_l2_error <= bundle.manifest.tolerance
    assert run(bundles[1], "--check").endswith("ok\n")


def test_run_py_answers_each_image_as_if_it_were_alone(
    bundles: tuple[Path, Path], pictures: list[Path]
) -> None:
    """The last batch has fewer images than there is room for."""
    alone, at_once = (
        [json.loads(line) for line in run(one, *pictures, "--json").splitlines()] for one in bundles
    )
    assert [one["image"] for one in at_once] == [*map(str, pictures)]
    assert at_once == alone
    assert at_once[0] != at_once[1]


def test_a_batch_is_timed_as_one(bundles: tuple[Path, Path], pictures: list[Path]) -> None:
    found = json.loads(run(bundles[1], pictures[0], "--time", 2, "--json"))
    assert found["images_per_s"] == pytest.approx(1000 * BATCH / found["whole_ms"])
    assert f"batches of {BATCH}, " in run(bundles[1], pictures[0], "--time", 2)


def test_another_number_than_the_shapes_have_is_refused(
    bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    for batch in (1, BATCH + 1, 0):
        copy = Path(shutil.copytree(bundles[1], tmp_path / str(batch)))
        manifest = json.loads((copy / MANIFEST).read_text())
        (copy / MANIFEST).write_text(json.dumps(manifest | {"batch": batch}))
        write_sums(copy)
        with pytest.raises(BenchError, match=r"in manifest\.json does not match the bundle"):
            open_bundle(copy)


def test_a_run_of_bundles_has_a_row_for_each_batch(bundles: tuple[Path, Path]) -> None:
    opened = [*map(open_bundle, bundles)]
    assert bundle_suite(opened, {}).batches == (1, BATCH)
    with pytest.raises(BenchError, match=f"--pace: .* takes batches of {BATCH}; leave out --pace"):
        bundle_suite(opened, {"pace_fps": 30.0})
