"""`export`, `verify` and `run --bundle`, as their users have them."""

import filecmp
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilebench.bench.build.artifact import LIBRARY
from mobilebench.bench.bundle.bundle import open_bundle
from mobilebench.bench.bundle.checksums import SUMS, files_below, write_sums
from mobilebench.bench.bundle.manifest import MANIFEST
from mobilebench.bench.cache import CACHE_VARIABLE
from mobilebench.bench.measure.fidelity import TOLERANCE
from mobilebench.reports.records.store import Store
from mobilebench.schedules.params_pool import PARAMS_FILE
from tests.bundles import reseal

VARIANT = "mobilenet_v2_0.35_64x96"
EXPORT = ("export", "--variant", VARIANT, "--target", "native")
UNMEASURED = (*EXPORT, "--no-measure", "--out")


@pytest.fixture
def bundle(exported_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported_bundle, tmp_path / "bundle"))


def assert_refused(done: Any, *parts: str) -> None:
    assert done.returncode == 2, done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("mobilebench: ")
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("target", "batch", "reason"),
    [
        ("opencl", 2, "--batch 2: target opencl is an OpenCL device; batches are for CPUs"),
        ("native", 0, "--batch must be a whole number from 1 to 1024, not 0"),
    ],
)
def test_batches_that_cannot_be_are_refused(
    mobilebench: Any, target: str, batch: int, reason: str
) -> None:
    command = ("export", "--variant", "mobilenet_v2_0.35_32", "--target", target, "--out", "none")
    assert_refused(mobilebench(*command, "--batch", batch), reason)


@pytest.mark.slow
def test_a_bundle_is_exported_measured_verified_and_run(mobilebench: Any, tmp_path: Path) -> None:
    done = mobilebench(*EXPORT, "--out", "bundle")
    assert done.returncode == 0, done.stderr
    opened = open_bundle(tmp_path / "bundle")
    assert done.stdout.strip() == f"bundle: bundle (sha256 {opened.sha256})"
    measured = opened.manifest.measured
    assert measured
    assert 0 < measured.latency_ci95_low_ms <= measured.latency_p50_ms <= measured.latency_p90_ms
    assert measured.samples >= 50
    assert measured.relative_l2_error < 3e-5
    assert measured.device
    assert f"{measured.latency_p50_ms:.3f} ms" in (tmp_path / "bundle" / "README.md").read_text()

    done = mobilebench("verify", "bundle")
    assert done.returncode == 0, done.stderr
    assert opened.sha256 in done.stdout
    assert done.stdout.strip().endswith("tolerance 3e-05: ok")

    done = mobilebench("run", "--bundle", "bundle")
    assert done.returncode == 0, done.stderr
    with Store("sqlite:///" + str(tmp_path / "mobilebench.sqlite")) as store:
        (run,) = store.runs()
        (record,) = store.records([run.run_id])
    assert record.variant == VARIANT
    assert (record.target, record.runtime, record.threads, record.status) == (
        *("native", "tvm", 1, "ok"),
    )
    assert record.weights == "random(seed 0)"
    assert record.artifact_key == f"bundle-{opened.sha256[:24]}"
    assert record.artifact_bytes == (tmp_path / "bundle" / LIBRARY).stat().st_size
    assert record.samples
    assert (record.to_onnx_s, record.compile_s) == (None, None)

    done = mobilebench("run", "--resume", "latest")
    assert done.returncode == 0, done.stderr
    (tmp_path / "bundle" / "README.md").write_text("another")
    reseal(tmp_path / "bundle")
    assert_refused(mobilebench("run", "--resume", "latest"), "its SHA-256 is", opened.sha256)


@pytest.mark.slow
def test_the_same_inputs_make_the_same_bytes(
    mobilebench: Any, bundle: Path, tmp_path: Path
) -> None:
    """Though another cache has everything made again."""
    cache = {CACHE_VARIABLE: str(tmp_path / "cache")}
    for options in ((), ("--params-storage", "embedded", "--threads", "2")):
        names = [f"first{len(options)}", f"second{len(options)}"]
        first = mobilebench(*UNMEASURED, names[0], *options)
        second = mobilebench(*UNMEASURED, names[1], *options, **cache)
        assert (first.returncode, second.returncode) == (0, 0), second.stderr
        one, other = (tmp_path / name for name in names)
        assert files_below(one)
        assert filecmp.cmpfiles(one, other, [*files_below(one), SUMS], shallow=False)[1:] == (
            *([], []),
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "params", "stored_bytes"),
    [
        (("--params-storage", "embedded"), "embedded", 4),
        (("--precision", "float16"), "external", 2),
        (("--params-storage", "embedded", "--precision", "float16"), "embedded", 2),
    ],
)
def test_weights_are_external_or_embedded_in_float32_or_float16(
    mobilebench: Any, tmp_path: Path, options: tuple[str, ...], params: str, stored_bytes: int
) -> None:
    assert mobilebench(*UNMEASURED, "bundle", *options).returncode == 0
    manifest = open_bundle(tmp_path / "bundle").manifest
    stored = manifest.params_bytes // 4 * stored_bytes
    file = tmp_path / "bundle" / PARAMS_FILE
    assert manifest.params_storage == params
    assert file.exists() == (params == "external")
    code = manifest.library_bytes - (0 if file.exists() else stored)
    assert 0 < code < 1_000_000
    if file.exists():
        assert file.stat().st_size == 64 + stored
    done = mobilebench("verify", "bundle")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_wrong_outputs_are_found(mobilebench: Any, bundle: Path) -> None:
    reference = bundle / "reference" / "logits.bin"
    values = np.fromfile(reference, "<f4")
    (values * 1.01).astype("<f4").tofile(reference)
    reseal(bundle)
    done = mobilebench("verify", "bundle")
    assert done.returncode == 1, done.stderr
    assert "relative L2 error 0.0099 against PyTorch, tolerance 3e-05: WRONG" in done.stdout
    done = mobilebench("verify", "bundle", "--no-run")
    assert done.returncode == 0
    done = mobilebench("run", "--bundle", "bundle")
    assert done.returncode == 1
    assert "wrong" in done.stderr


@pytest.mark.slow
def test_8_bits_that_were_not_measured_are_said_to_be_unjudged(
    mobilebench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = mobilebench(*UNMEASURED, "bundle", "--precision", "int8")
    assert "but not its layers one by one as measuring does" in done.stderr
    assert "layers" not in mobilebench("verify", "bundle").stdout  # within the tolerance
    monkeypatch.setitem(TOLERANCE, "int8", -1.0)
    done = mobilebench("verify", "bundle")
    assert done.returncode == 1
    assert "WRONG: its layers were not compared one by one, as it was not measured" in done.stdout
    done = mobilebench("run", "--bundle", "bundle")
    assert done.returncode == 1
    rows = (tmp_path / "mobilebench-report" / "records.csv").read_text()
    assert "export it with --measure to tell rounding from a fault" in rows


@pytest.mark.slow
def test_a_wrong_library_is_not_written(
    mobilebench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TOLERANCE, "float32", 1e-12)
    done = mobilebench(*EXPORT, "--out", "bundle")
    assert done.returncode == 1, done.stderr
    assert "is above 1e-12; nothing was written" in done.stderr
    assert not (tmp_path / "bundle").exists()


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--input", "uint8")])
def test_8_bits_too_far_from_pytorch_are_right_if_each_layer_agrees(
    mobilebench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    """To `export`, `verify`, `run --bundle` and the bundle's own programs alike."""
    monkeypatch.setitem(TOLERANCE, "int8", -1.0)
    done = mobilebench(*EXPORT, "--precision", "int8", *options, "--out", "bundle")
    assert done.returncode == 0, done.stderr
    manifest = open_bundle(tmp_path / "bundle").manifest
    assert manifest.measured
    assert manifest.measured.layers_agree
    assert "each layer by itself agrees" in manifest.measured.warnings
    assert manifest.tolerance == manifest.agreed_error
    done = mobilebench("verify", "bundle")
    assert done.returncode == 0, done.stdout
    assert "ok: each layer by itself agreed when it was exported" in done.stdout
    done = mobilebench("run", "--bundle", "bundle")
    assert done.returncode == 0, done.stderr
    program = [sys.executable, tmp_path / "bundle" / "run.py", "--check"]
    assert subprocess.run(program, check=False).returncode == 0
    reference = tmp_path / "bundle" / "reference" / "logits.bin"
    values = np.fromfile(reference, "<f4")
    (values * 1.1).astype("<f4").tofile(reference)
    reseal(tmp_path / "bundle")
    assert mobilebench("verify", "bundle").returncode == 1
    assert mobilebench("run", "--bundle", "bundle").returncode == 1


@pytest.mark.slow
def test_a_bundle_for_another_machine_can_be_exported(mobilebench: Any, tmp_path: Path) -> None:
    """Though nothing of it could be run or verified on this machine."""
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text(
        'description = "elsewhere"\ndevice_type = "cpu"\ncpu_flags = ["3dnowext"]\n'
        '[tvm]\nkind = "llvm"\nmcpu = "x86-64-v3"\n'
    )
    done = mobilebench(*UNMEASURED, "bundle", "--target", "elsewhere.toml")
    assert done.returncode == 0, done.stderr
    assert_refused(mobilebench("verify", "bundle"), "needs a processor with 3dnowext")


def test_a_bundle_can_be_pinned(mobilebench: Any, bundle: Path) -> None:
    digest = open_bundle(bundle).sha256
    pinned = ("verify", "bundle", "--no-run", "--sha256")
    assert mobilebench(*pinned, digest).returncode == 0
    (bundle / "LICENSE.md").write_text("mine")
    reseal(bundle)
    assert mobilebench("verify", "bundle", "--no-run").returncode == 0
    assert_refused(mobilebench(*pinned, digest), "get the right bundle")


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (lambda bundle: (bundle / LIBRARY).unlink(), f"{LIBRARY} is missing"),
        (lambda bundle: (bundle / LIBRARY).write_bytes(b"\x7fELF"), f"{LIBRARY} is not the file"),
        (shutil.rmtree, "there is no such directory"),
    ],
)
@pytest.mark.parametrize("command", [["verify"], ["run", "--bundle"]])
def test_a_damaged_bundle_is_refused(
    mobilebench: Any,
    bundle: Path,
    command: list[str],
    spoil: Callable[[Path], object],
    part: str,
) -> None:
    spoil(bundle)
    assert_refused(mobilebench(*command, "bundle"), "bundle bundle: ", part)


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"tvm_version": "0.20.0"}, "built for apache-tvm 0.20.0"),
        ({"architecture": "riscv64"}, f"is {platform.machine()} code, manifest.json says riscv64"),
    ],
)
def test_a_foreign_bundle_is_refused(
    mobilebench: Any, bundle: Path, values: dict[str, str], part: str
) -> None:
    manifest = json.loads((bundle / MANIFEST).read_text())
    (bundle / MANIFEST).write_text(json.dumps(manifest | values))
    write_sums(bundle)
    for command in (("verify",), ("run", "--bundle")):
        assert_refused(mobilebench(*command, "bundle"), part)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--variant", VARIANT], "leave out --variant"),
        (["--threads", "2"], "leave out --threads"),
        (["--weights", "random"], "leave out --weights"),
        (["--kernels"], "leave out --kernels"),
        (["--check-regressions"], "leave out --check-regressions"),
        (["--effort", "hasty"], "unknown effort 'hasty'"),
        (["--bundle", "other"], "their rows would look the same"),
    ],
)
def test_a_bundle_says_itself_what_it_is(
    mobilebench: Any, bundle: Path, options: list[str], part: str
) -> None:
    shutil.copytree(bundle, bundle.with_name("other"))
    assert_refused(mobilebench("run", "--bundle", "bundle", *options), part)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--variant", "resnet50"], "unknown variant 'resnet50'"),
        (["--variant", "small"], "name one variant"),
        (["--target", "x86-64-v9"], "unknown target 'x86-64-v9'"),
        (["--threads", "0"], "--threads must be a whole number from 1 to 1024, not 0"),
        (["--precision", "int4"], "unknown precision 'int4'"),
        (["--params-storage", "elsewhere"], "unknown storage of weights 'elsewhere'"),
        (["--optimize-for", "beauty"], "unknown goal 'beauty'"),
        (["--weights", "none.pth"], "none.pth"),
        (["--labels", "none.txt"], "labels none.txt"),
        (
            ["--target", "opencl", "--params-storage", "external"],
            "leave out --params-storage external",
        ),
        (["--target", "raspberry-pi-5", "--measure"], "give their tracker"),
        (["--out", "."], "already exists"),
        (["--out", "/proc/nowhere/bundle"], "directory /proc/nowhere/bundle: "),
    ],
)
def test_a_bad_request_is_refused(
    mobilebench: Any, tmp_path: Path, options: list[str], part: str
) -> None:
    assert_refused(mobilebench(*UNMEASURED, "bundle", *options), part)
    assert not (tmp_path / "bundle").exists()
    assert not list(tmp_path.glob(".making*"))


def test_a_wrong_number_of_labels_is_refused(mobilebench: Any, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    done = mobilebench(*UNMEASURED, "bundle", "--labels", "names.txt")
    assert_refused(done, "it has 2 lines, the network tells 1000 classes")


def test_a_bundle_for_this_machine_needs_no_tracker(mobilebench: Any, bundle: Path) -> None:
    done = mobilebench("verify", "bundle", "--tracker", "127.0.0.1:9190")
    assert_refused(done, "leave out --tracker 127.0.0.1:9190")


@pytest.mark.slow
def test_a_gpu_bundle_contains_the_opencl_plugin(
    mobilebench: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    command = ("export", "--variant", "mobilenet_v2_0.35_32", "--target", "opencl", "--out", "gpu")
    done = mobilebench(*command, **environment)
    assert done.returncode == 0, done.stderr
    opened = open_bundle(tmp_path / "gpu")
    assert opened.manifest.params_storage == "embedded"
    assert opened.manifest.measured
    assert opened.manifest.measured.accelerator
    assert (tmp_path / "gpu" / "cpp" / "opencl_runtime.cc").exists()
    done = mobilebench("verify", "gpu", **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("ok")
