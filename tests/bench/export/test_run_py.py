"""A bundle's own program: it needs TVM's runtime, and neither PyTorch, ONNX nor NumPy."""

import json
import os
import platform
import shutil
import subprocess
import sys
from array import array
from collections.abc import Callable
from importlib.resources import files
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobilebench.bench.accuracy.boxes import Suppression, anchors_of, detect
from mobilebench.bench.accuracy.images import normalised
from mobilebench.bench.accuracy.labels import LabelDataset, preprocess
from mobilebench.bench.accuracy.resampling import nearest
from mobilebench.bench.build.artifact import LIBRARY
from mobilebench.bench.bundle.bundle import open_bundle
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.inference import infer_on_device, workload_of
from mobilebench.bench.models.class_names import usual_names
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import parse_variant
from tests.bundles import MISSING, export, flip, shown_by
from tests.datasets import save_checkpoint, structured_pixels


def run(bundle: Path, *arguments: object) -> Any:
    command = [sys.executable, str(bundle / "run.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def loaded(bundle: Path, directory: Path) -> Any:
    """Return the program as a module of its own directory, in which Python may write."""
    copied = shutil.copy(bundle / "run.py", directory)
    spec = spec_from_file_location("bundle_run", copied)
    assert spec
    assert spec.loader
    program = module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a picture that is larger than the network's input and has structure."""
    path = tmp_path_factory.mktemp("pictures") / "picture.png"
    Image.fromarray(structured_pixels(80, 120)).save(path)
    return path


def test_it_reproduces_the_stored_outputs(bundle: Path) -> None:
    done = run(bundle, "--check")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("relative L2 error ")
    assert done.stdout.strip().endswith("tolerance 3e-05: ok")


def test_it_preprocesses_images_as_the_suite_does(
    bundle: Path, picture: Path, cache_dir: Path
) -> None:
    opened = open_bundle(bundle)
    done = run(bundle, picture, "--json", "--top", 1000)
    found = json.loads(done.stdout)["found"]
    wanted = opened.manifest.preprocessing
    image = preprocess(LabelDataset("", (picture,), (0,), ""), [0], wanted)
    config = MeasurementConfig(opened.target, 1, 60, cache_dir)
    (logits,) = infer_on_device(config, workload_of(opened.variant, opened.artifact), image)
    shares = np.exp(logits[0]) / np.exp(logits[0]).sum()
    told = np.zeros(1000)
    for one in found:
        told[one["class"]] = one["share"]
    np.testing.assert_allclose(told, shares, rtol=1e-4)
    assert [one["class"] for one in found[:5]] == np.argsort(-shares)[:5].tolist()


def assert_stages_add_up(done: Any, after: list[str]) -> None:
    """Check the arithmetic of what `--time` tells, whatever the times are."""
    assert done.returncode in (0, 1), done.stderr
    told = json.loads(done.stdout)
    assert list(told["stages_ms"]) == ["decode", "resize", "normalise", "inference", *after]
    assert told["sum_ms"] == pytest.approx(sum(told["stages_ms"].values()))
    apart = 100 * abs(told["sum_ms"] - told["whole_ms"]) / told["whole_ms"]
    assert told["apart_percent"] == pytest.approx(apart)
    assert told["agrees"] == (apart <= 3) == (done.returncode == 0)


def test_the_times_of_stages_add_up(bundle: Path, picture: Path) -> None:
    assert_stages_add_up(run(bundle, picture, "--time", 3, "--json"), ["top-k"])
    lines = run(bundle, picture, "--time", 3).stdout.splitlines()
    assert [line.split()[0] for line in lines[-2:]] == ["sum", "whole"]


def test_the_middle_half_of_repetitions_counts(bundle: Path, tmp_path: Path) -> None:
    program = loaded(bundle, tmp_path)
    apart = [[1.0, 2.0], [100.0, 2.0], [3.0, 4.0], [1.0, 0.0]]
    found = program.summed(("decode", "inference"), apart, [[5.0], [5.2], [4.8], [90.0]])
    assert found["stages_ms"] == {"decode": 2.0, "inference": 3.0}
    assert (found["sum_ms"], found["whole_ms"]) == pytest.approx((5.0, 5.1))
    assert found["apart_percent"] == pytest.approx(1.961, abs=1e-3)
    assert found["agrees"]
    assert not program.summed(("decode", "inference"), apart, [[5.2]])["agrees"]


def test_a_mask_is_stretched_to_the_picture_s_size(bundle: Path, tmp_path: Path) -> None:
    program = loaded(bundle, tmp_path)
    labels = np.arange(24).reshape(4, 6)
    mask = program.enlarged(labels, (3, 5), (9, 8))
    np.testing.assert_array_equal(mask, nearest(labels[:3, :5], 9, 8))


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--time", "0"], "--time: give an image, and 1 repetition or more"),
        (["--time", "x"], "invalid int value: 'x'"),
        (["--save-mask", "mask.png"], "makes no masks"),
    ],
)
def test_what_cannot_be_timed_or_saved_is_refused(
    bundle: Path, picture: Path, arguments: list[str], part: str
) -> None:
    done = run(bundle, picture, *arguments)
    assert done.returncode == 2
    assert part in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("task", ["classify", "detect", "segment"])
@pytest.mark.parametrize("resize", [None, 48])
def test_its_pixels_match_the_suite_s(
    bundle: Path, task: str, resize: int | None, tmp_path: Path
) -> None:
    """Flat images of all sizes have no resampling, so that only places and colours are told."""
    program = loaded(bundle, tmp_path)
    wanted = {"height": 40, "width": 48, "resize": resize}
    wanted |= {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    flat = tmp_path / "flat.png"
    Image.new("RGB", (96, 64), (200, 100, 50)).save(flat)
    shown = np.frombuffer(shown_by(program, flat, task, wanted), np.float32).reshape(1, 3, 40, 48)
    whole = np.full((1, 40, 48, 3), (200, 100, 50), np.uint8)
    expected = normalised(whole, Preprocessing(**wanted))
    if task == "segment":
        expected[:, :, 32:] = 0  # 96x64 made 48x32, on the mean colour
    np.testing.assert_allclose(shown, expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_it_finds_the_boxes_that_the_suite_finds(bundle: Path, tmp_path: Path, seed: int) -> None:
    variant = parse_variant("ssdlite_mobilenet_v2_0.35_96")
    anchors = anchors_of(variant)
    generator = np.random.default_rng(seed)
    codes = generator.standard_normal((1, len(anchors), 4), np.float32)
    logits = generator.normal(-4, 1.5, (1, len(anchors), 91)).astype(np.float32)
    suppression = Suppression(score_threshold=0.3, per_class=1000, in_all=1000)
    (expected,) = detect(codes, logits, anchors, suppression)
    assert len(expected.scores) > 20
    program = loaded(bundle, tmp_path)
    anchors.astype("<f4").tofile(tmp_path / "anchors.bin")
    shapes = [{"shape": codes.shape}, {"shape": logits.shape}]
    outputs = [array("f", one.tobytes()) for one in (codes, logits)]
    manifest = {"anchors": "anchors.bin", "outputs": shapes}
    found = program.suppressed(*program.boxes_and_scores(outputs, manifest), 1000)
    assert [one["class"] for one in found] == expected.classes.tolist()
    np.testing.assert_allclose([one["box"] for one in found], expected.boxes, atol=1e-5)
    np.testing.assert_allclose([one["share"] for one in found], expected.scores, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "kind"),
    [
        ("ssdlite_mobilenet_v2_0.35_96", "box"),
        ("deeplabv3_mobilenet_v2_0.35_97", "share"),
    ],
)
def test_a_detector_and_a_segmenter_answer_too(
    tmp_path: Path, picture: Path, variant: str, kind: str
) -> None:
    bundle = export(tmp_path / "bundle", variant=variant)
    done = run(bundle, "--check", picture, "--json")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.endswith("ok")
    found = json.loads(second)["found"]
    assert found
    assert all(kind in one for one in found)
    shares = [one["share"] for one in found]
    assert shares == sorted(shares, reverse=True)
    assert all(0 < share <= 1 for share in shares)
    after = ["label", "mask"] if variant.startswith("deeplab") else ["boxes", "suppress"]
    assert_stages_add_up(run(bundle, picture, "--time", 2, "--json"), after)


def test_labels_are_printed(bundle: Path, picture: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("".join(f"thing {index}\n" for index in range(1000)))
    labelled = export(tmp_path / "labelled", "--labels", names)
    done = run(labelled, picture, "--top", 3)
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    for line in lines[1:]:
        share, index, *label = line.split()
        assert share.endswith("%")
        assert " ".join(label) == f"thing {index}"


@pytest.mark.slow
def test_a_trained_classifier_s_answers_are_called_by_name(picture: Path, tmp_path: Path) -> None:
    variant = parse_variant("mobilenet_v2_0.35_64")
    save_checkpoint(tmp_path / "trained.pth", variant)
    named = export(
        tmp_path / "named", "--weights", tmp_path / "trained.pth", variant="mobilenet_v2_0.35_64"
    )
    names = usual_names("classify", 1000)
    for line in run(named, picture, "--top", 3).stdout.splitlines()[1:]:
        _, index, *name = line.split()
        assert " ".join(name) == names[int(index)]
    assert (named / "licenses" / "torchvision-LICENSE").is_file()
    assert "licenses/torchvision-LICENSE" in (named / "LICENSE.md").read_text()


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (lambda copy: (copy / LIBRARY).unlink(), [LIBRARY, "No such file"]),
        (lambda copy: (copy / "params.bin").unlink(), ["params.bin", "get the bundle again"]),
        (lambda copy: (copy / "manifest.json").unlink(), ["manifest.json", "No such file"]),
        (
            lambda copy: (copy / "manifest.json").write_text("{}"),
            ["manifest.json", "lacks 'format'"],
        ),
        (lambda copy: flip(copy / LIBRARY), [LIBRARY, "not the exported file"]),
        (lambda copy: flip(copy / "params.bin"), ["params.bin", "not the exported file"]),
    ],
)
def test_a_damaged_bundle_is_refused_in_one_line(
    copy: Path, picture: Path, spoil: Callable[[Path], object], parts: list[str]
) -> None:
    spoil(copy)
    assert_refused(run(copy, picture), *parts)


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"tvm_version": "0.26.0"}, ["built for 0.26.0", "pip install apache-tvm==0.26.0"]),
        ({"tvm_ffi_version": "0.1.0"}, ["pip install apache-tvm-ffi==0.1.0"]),
        ({"architecture": "riscv64"}, ["manifest says riscv64", platform.machine()]),
        ({"target": {"cpu_flags": ["amx_fp64"]}}, ["this processor lacks amx_fp64"]),
        ({"format": 1}, ["its format is 1, this program reads 2"]),
        ({"files": {LIBRARY: MISSING}}, [f"lacks '{LIBRARY}'"]),
        ({"files": {"params.bin": MISSING}}, ["lacks 'params.bin'"]),
        ({"labels": "none.txt"}, ["lacks 'none.txt'"]),
        ({"architecture": MISSING}, ["architecture"]),
        ({"target": {"cpu_flags": None}}, ["TypeError"]),
        ({"target": {"device_type": "cuda"}}, ["cuda"]),
        ({"task": "dream"}, ["dream"]),
        ({"threads": "1"}, ["TypeError"]),
        ({"threads": 0}, ["the library was made for 0"]),
        ({"preprocessing": None}, ["TypeError"]),
    ],
)
def test_a_bundle_for_another_machine_is_refused_in_one_line(
    forged: Callable[..., Path], picture: Path, values: dict[str, Any], parts: list[str]
) -> None:
    assert_refused(run(forged(**values), picture), *parts)


@pytest.mark.parametrize("threads", ["0", "-3", "2"])
def test_an_impossible_number_of_threads_is_refused(bundle: Path, threads: str) -> None:
    assert_refused(run(bundle, "--check", "--threads", threads), "the library was made for 1")


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
def test_it_runs_where_it_may_and_on_no_more_threads(bundle: Path, tmp_path: Path) -> None:
    last = max(os.sched_getaffinity(0))
    shutil.copytree(bundle, tmp_path / "bundle")
    tell = (
        "import os, sys; sys.path.insert(0, '.'); import run; "
        f"os.sched_setaffinity(0, {{{last}}}); manifest = run.read_manifest(); "
        "model = run.Model(manifest, 1); run.relative_error(model, manifest); "
        "print(os.sched_getaffinity(0)); "
        "manifest['threads'] = 2; run.Model(manifest, 2)"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", tell], capture_output=True, text=True, check=False,
        cwd=tmp_path / "bundle",
    )  # fmt: skip
    assert done.stdout.strip() == f"{{{last}}}", done.stderr
    assert "threads: 2 cannot be; this process may use 1 CPUs" in done.stderr


@pytest.mark.parametrize(
    ("files", "threads"),
    [
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_a_container_s_quota_limits_threads(
    bundle: Path, tmp_path: Path, files: dict[str, str], threads: int | None
) -> None:
    program = loaded(bundle, tmp_path)
    program.CGROUP = tmp_path / "groups"
    for name, content in files.items():
        file = tmp_path / "groups" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    assert program.usable_cpus() == (threads or len(os.sched_getaffinity(0)))


def test_nothing_is_imported_from_the_bundle(copy: Path) -> None:
    (copy / "hashlib.py").write_text("raise SystemExit('foreign code ran')\n")
    assert run(copy, "--check").returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_it_runs_on_as_many_threads_as_it_was_made_for_and_on_the_cores_named(
    tmp_path: Path,
) -> None:
    bundle = export(tmp_path / "bundle", "--threads", 2)
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["target"]["cores"] = [1, 0]
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    tell = (
        "import os, sys; sys.path.insert(0, '.'); import run; "
        "manifest = run.read_manifest(); run.check_machine(manifest); "
        "model = run.Model(manifest, 2); ffi = run.import_ffi(); "
        "print(ffi.get_global_func('runtime.NumThreads')(), os.sched_getaffinity(0), "
        "run.relative_error(model, manifest) < 1e-5)"
    )
    command = [sys.executable, "-B", "-c", tell]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=bundle)
    assert done.stdout.strip() == "2 {1} True", done.stderr


def test_a_file_that_is_no_image_is_refused_in_one_line(bundle: Path, tmp_path: Path) -> None:
    small, text = tmp_path / "small.png", tmp_path / "text.png"
    Image.new("RGB", (20, 20)).save(small)
    text.write_text("no image")
    assert_refused(run(bundle, small), "is 20x20, the network takes 96x64")
    assert_refused(run(bundle, text), "cannot identify image file")
    assert_refused(run(bundle, tmp_path / "none.png"), "No such file")


def assert_refused(done: Any, *parts: str) -> None:
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("run.py: ")
    for part in parts:
        assert part in line


def test_a_single_logit_tells_two_classes_apart(tmp_path: Path) -> None:
    program = loaded(Path(str(files("mobilebench.bench.export") / "programs")), tmp_path)
    found = program.classify([array("f", [0.4])], {}, 5)
    assert [one["class"] for one in found] == [1, 0]
    assert found[0]["share"] == pytest.approx(1 / (1 + np.exp(-0.4)))
    manifest = {"outputs": [{"shape": [1, 1, 2, 2]}]}
    shares = program.covered(program.labelled([array("f", [-1, 2, -0.5, -3])], manifest), 5)
    assert shares == [{"class": 0, "share": 0.75}, {"class": 1, "share": 0.25}]


def test_what_the_network_made_probabilities_of_is_not_done_again(tmp_path: Path) -> None:
    program = loaded(Path(str(files("mobilebench.bench.export") / "programs")), tmp_path)
    made = {"probabilities": True}
    for share, best in ((0.7, 1), (0.2, 0)):
        first, second = program.classify([array("f", [share])], made, 5)
        assert (first["class"], second["class"]) == (best, 1 - best)
        assert first["share"] == pytest.approx(max(share, 1 - share))
    several = program.classify([array("f", [0.9, 0.1, 0.8])], made, 2)  # each class by itself
    assert [one["class"] for one in several] == [0, 2]
    assert [one["share"] for one in several] == pytest.approx([0.9, 0.8])
