"""Fine-tuned networks from a checkpoint to a bundle that runs, in Python and in C++."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from mobilebench.bench.bundle.bundle import open_bundle
from mobilebench.bench.cli.app import app
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from tests.bench.export.test_cpp import build
from tests.bundles import export
from tests.datasets import structured_pixels

pytestmark = pytest.mark.slow

NETWORKS = {  # as it is named, and as it is with what the checkpoint has
    "mobilenet_v2_0.35_32": "mobilenet_v2_0.35_32_c37",
    "mobilenet_v2_0.35_64": "mobilenet_v2_0.35_64_c1_h24_in1",
    "ssdlite_mobilenet_v2_0.35_96": "ssdlite_mobilenet_v2_0.35_96_c2",
    "deeplabv3_mobilenet_v2_0.35_65_noaspp": "deeplabv3_mobilenet_v2_0.35_65_noaspp_c5",
    "mobilenet_v2_1.2_32_d1.4": "mobilenet_v2_1.2_32_d1.4",
}


def checkpoint(variant: str, directory: Path) -> Path:
    """Save random weights as one would have fine-tuned them; one channel needs a manifest."""
    path = directory / "tuned.pth"
    torch.save(
        {"state_dict": load_model(parse_variant(variant), Weights(seed=5)).state_dict()}, path
    )
    path.with_suffix(".toml").write_text(
        "mean = [0.5]\nstd = [0.25]" if "_in1" in variant else "mean = [0.5, 0.5, 0.5]"
    )
    return path


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """Return the C++ program of bundles, which is the same for all networks."""
    if shutil.which("cmake") is None:
        return None
    bundle = export(tmp_path_factory.mktemp("any") / "bundle")
    python = f"-DPython3_EXECUTABLE={sys.executable}"
    return build(bundle, tmp_path_factory.mktemp("cpp"), python) / "mobilenet"


def output(*command: object) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("named", "own"), NETWORKS.items())
def test_a_fine_tuned_network_becomes_a_bundle_that_runs(
    named: str, own: str, tmp_path: Path, program: Path | None
) -> None:
    variant = parse_variant(own)
    names = [f"class {number}" for number in range(variant.labels)]
    (tmp_path / "labels.txt").write_text("\n".join(names))
    weights = checkpoint(own, tmp_path)
    options = ("--weights", weights, "--labels", tmp_path / "labels.txt")
    bundle = export(tmp_path / "bundle", *options, variant=named)
    assert open_bundle(bundle).variant == variant
    app(["verify", str(bundle)], standalone_mode=False)
    assert output(sys.executable, bundle / "run.py", "--check").strip().endswith("ok")
    picture = tmp_path / "picture.ppm"
    shape = variant.input_shape[2:]
    Image.fromarray(structured_pixels(*shape)).save(picture)
    (line,) = output(sys.executable, bundle / "run.py", picture, "--json").splitlines()
    found = json.loads(line)["found"]
    if variant.task != "detect":  # random weights find nothing for sure
        assert found
    assert all(one["label"] == names[one["class"]] for one in found)
    if variant.classes == 1:
        assert sum(one["share"] for one in found) == pytest.approx(1)
    if program is None:
        return
    assert "within the tolerance" in output(program, bundle, "--check")
    shown = output(program, bundle, picture)
    assert all(names[one["class"]] in shown for one in found[:1])
