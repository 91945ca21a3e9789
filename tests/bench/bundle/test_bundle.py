"""A bundle that is not whole, or not for here, is refused before anything of it is loaded."""

import json
import platform
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mobilebench.bench.build.artifact import LIBRARY
from mobilebench.bench.bundle.bundle import open_bundle
from mobilebench.bench.bundle.checksums import SUMS, check_sums, files_below, write_sums
from mobilebench.bench.bundle.elf import architecture_of
from mobilebench.bench.bundle.manifest import MANIFEST
from mobilebench.bench.cache import file_sha256
from mobilebench.bench.export.verify import verify_outputs
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.targets.catalog.instruction_sets import cpu_flags, local_cpuinfo
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.errors import BenchError
from tests.bundles import MISSING, flip


def test_a_bundle_says_what_it_is(bundle: Path) -> None:
    opened = open_bundle(bundle)
    assert opened.variant.name == opened.manifest.variant == "mobilenet_v2_0.35_64x96"
    assert opened.target.name == "native"
    assert opened.manifest.architecture == platform.machine()
    assert opened.artifact.params_path == bundle / "params.bin"
    assert opened.weights.label == "random(seed 0)"
    reference = opened.reference()
    assert reference.inputs.shape == (1, 3, 64, 96)
    assert [one.shape for one in reference.outputs] == [(1, 1000)]
    assert np.isfinite(reference.outputs[0]).all()
    assert set(opened.manifest.files) == set(files_below(bundle)) - {MANIFEST}
    assert opened.sha256 == check_sums(bundle).sha256


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda copy: (copy / LIBRARY).unlink(), f"{LIBRARY} is missing"),
        (lambda copy: (copy / MANIFEST).unlink(), "manifest.json is missing"),
        (lambda copy: (copy / SUMS).unlink(), "No such file"),
        (lambda copy: flip(copy / LIBRARY), f"{LIBRARY} is not the file that SHA256SUMS names"),
        (lambda copy: flip(copy / "params.bin"), "params.bin is not the file"),
        (lambda copy: flip(copy / MANIFEST), "manifest.json is not the file"),
        (lambda copy: flip(copy / "run.py"), "run.py is not the file"),
        (lambda copy: flip(copy / "reference" / "logits.bin"), "reference/logits.bin is not"),
        (lambda copy: (copy / SUMS).write_text("damaged\n"), "line 1 of SHA256SUMS is damaged"),
        (
            lambda copy: (copy / SUMS).write_text(f"{'0' * 64}  ../elsewhere\n"),
            "line 1 of SHA256SUMS is damaged",
        ),
        (
            lambda copy: (copy / "params.bin").write_bytes(b"short"),
            "params.bin is not the file that SHA256SUMS names",
        ),
        (
            lambda copy: (copy / SUMS).write_bytes(b"\xff" * 64 + b"  run.py\n"),
            "run.py is not the file that SHA256SUMS names",
        ),
        (
            lambda copy: (copy / "numpy.py").write_text("print('foreign')\n"),
            "numpy.py is not named in SHA256SUMS; take it away",
        ),
    ],
)
def test_a_changed_bundle_is_refused(
    copy: Path, spoil: Callable[[Path], object], reason: str
) -> None:
    spoil(copy)
    with pytest.raises(BenchError) as refusal:
        open_bundle(copy)
    assert str(refusal.value).startswith(f"bundle {copy}: ")
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_any_flipped_byte_is_noticed(copy: Path) -> None:
    """Of every file, SHA256SUMS too."""
    for name in [*files_below(copy), SUMS]:
        content = (copy / name).read_bytes()
        flip(copy / name)
        with pytest.raises(BenchError):
            open_bundle(copy)
        (copy / name).write_bytes(content)
    open_bundle(copy)


def test_a_link_is_refused(copy: Path, tmp_path: Path) -> None:
    outside = (copy / "params.bin").rename(tmp_path / "outside.bin")
    (copy / "params.bin").symlink_to(outside)
    with pytest.raises(BenchError, match=r"params\.bin is not a plain file"):
        open_bundle(copy)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"tvm_version": "0.26.0"}, "built for apache-tvm 0.26.0, here is 0.27"),
        ({"tvm_ffi_version": "0.1.0"}, "pip install apache-tvm-ffi==0.1.0"),
        ({"architecture": "aarch64"}, "libmodel.so is x86_64 code, manifest.json says aarch64"),
        ({"format": 3}, "its format is 3, this mobilebench reads 2 and before"),
        ({"surprise": 1}, "manifest.json has surprise, which is not known"),
        ({"variant": "resnet50"}, "unknown variant 'resnet50'"),
        ({"variant": "mobilenet_v2_0.35_96"}, "inputs in manifest.json does not match the bundle"),
        ({"task": "segment"}, "task in manifest.json does not match the bundle"),
        ({"threads": 0}, "threads in manifest.json does not match"),
        ({"threads": "1"}, "manifest.json.threads is '1', not int"),
        ({"threads": True}, "manifest.json.threads is True, not int"),
        ({"precision": "int4"}, "precision in manifest.json does not match"),
        ({"params_storage": "elsewhere"}, "params_storage in manifest.json does not match"),
        ({"library_bytes": 1}, "library_bytes in manifest.json does not match"),
        ({"inputs": []}, "inputs in manifest.json does not match"),
        ({"outputs": []}, "outputs in manifest.json does not match"),
        ({"inputs": [{}]}, "manifest.json.inputs[0] has no name"),
        ({"labels": "none.txt"}, "manifest.json does not list none.txt"),
        ({"files": None}, "manifest.json.files is None, not"),
        ({"files": {LIBRARY: {"sha256": "0" * 64}}}, "files in manifest.json does not match"),
        ({"files": {"params.bin": MISSING}}, "manifest.json does not list params.bin"),
        ({"target": None}, "manifest.json.target is None, not an object"),
        (
            {"target": {"device_type": "cuda"}},
            "manifest.json.target.device_type is 'cuda', not cpu, opencl",
        ),
        ({"target": {"tvm": None}}, "manifest.json.target.tvm is None, not"),
        ({"target": {"tracker_key": 5}}, "manifest.json.target.tracker_key is 5, not str"),
        ({"target": {"cores": [-1]}}, "manifest.json.target.cores[0] is -1, not "),
        ({"weights": {"padding": "none"}}, "padding is 'none', not symmetric, same"),
        (
            {"preprocessing": {"mean": [0, 0]}},
            "preprocessing in manifest.json does not match the bundle",
        ),
        ({"measured": {"at": "now"}}, "manifest.json.measured has no device"),
        ({"compiled": MISSING}, "manifest.json has no compiled"),
    ],
)
@pytest.mark.skipif(platform.machine() != "x86_64", reason="names x86_64")
def test_a_manifest_that_fits_its_hashes_and_not_this_machine_is_refused(
    forged: Callable[..., Path], values: dict[str, object], reason: str
) -> None:
    copy = forged(**values)
    with pytest.raises(BenchError, match=f"bundle {copy}: ") as refusal:
        open_bundle(copy)
    assert reason in str(refusal.value)


def test_a_manifest_of_format_1_is_read(copy: Path, forged: Callable[..., Path]) -> None:
    manifest = json.loads((copy / MANIFEST).read_text())
    target, compiled = manifest["target"], manifest["compiled"]
    old = {
        "format": 1,
        "params_storage": MISSING,
        "params": "apart",
        "target": {
            "device_type": MISSING,
            "device": target["device_type"],
            "tracker_key": MISSING,
            "key": target["tracker_key"],
        },
        "compiled": {
            "optimize_for": MISSING,
            "prefer": compiled["optimize_for"],
            "kernel_count": MISSING,
            "functions": compiled["kernel_count"],
        },
    }
    new = open_bundle(copy)
    assert new.manifest.params_storage == "external"
    assert open_bundle(forged(**old)).manifest == new.manifest


def test_a_manifest_that_is_nested_too_deeply_is_refused(copy: Path) -> None:
    (copy / MANIFEST).write_text("[" * 200_000)
    write_sums(copy)
    with pytest.raises(BenchError, match="nested too deeply"):
        open_bundle(copy)


def test_a_reference_of_another_shape_is_refused(copy: Path, forged: Callable[..., Path]) -> None:
    (copy / "reference" / "logits.bin").write_bytes(bytes(8))
    content = {"bytes": 8, "sha256": file_sha256(copy / "reference" / "logits.bin")}
    with pytest.raises(BenchError, match=r"logits\.bin does not have the shape"):
        open_bundle(forged(files={"reference/logits.bin": content}))


def test_a_processor_without_needed_instructions_is_refused(forged: Callable[..., Path]) -> None:
    with pytest.raises(BenchError, match="needs a processor with amx_fp64"):
        open_bundle(forged(target={"cpu_flags": ["amx_fp64"]}))


@pytest.fixture
def foreign(forged: Callable[..., Path], copy: Path) -> Callable[..., Path]:
    """Turn a copy into one of another architecture, all hashes right."""

    def turn(**values: object) -> Path:
        library = copy / LIBRARY
        content = bytearray(library.read_bytes())
        other = 183 if platform.machine() == "x86_64" else 62
        content[18:20] = other.to_bytes(2, "little")
        library.write_bytes(content)
        files = {LIBRARY: {"sha256": file_sha256(library)}}
        return forged(architecture=architecture_of(library), files=files, **values)

    return turn


def test_code_of_another_architecture_is_refused(foreign: Callable[..., Path]) -> None:
    with pytest.raises(BenchError, match=f"code, this machine is {platform.machine()}"):
        open_bundle(foreign())


def test_a_device_of_another_architecture_is_sent_nothing(
    bundle: Path, foreign: Callable[..., Path], cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This machine stands for a board."""
    monkeypatch.setattr("mobilebench.bench.bundle.bundle.platform", Elsewhere)
    opened = open_bundle(foreign(target={"cpu_flags": []}))
    config = MeasurementConfig(opened.target, 1, 60, cache_dir)
    with pytest.raises(BenchError, match=f"runs {platform.machine()} code, not"):
        verify_outputs(config, opened)


class Elsewhere:
    """The other architecture's machine."""

    @staticmethod
    def machine() -> str:
        return "aarch64" if platform.machine() == "x86_64" else "x86_64"


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"#!/bin/sh\n" * 9, b"\x7fELF" + bytes(60)])
def test_a_file_that_is_no_library_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(BenchError, match="not a shared library"):
        architecture_of(file)


def test_sha256sum_accepts_the_checksums(copy: Path) -> None:
    def check() -> subprocess.CompletedProcess[str]:
        command = ["sha256sum", "--check", SUMS]
        return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)

    done = check()
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(files_below(copy))
    flip(copy / LIBRARY)
    assert f"{LIBRARY}: FAILED" in check().stdout


def test_native_bundles_list_the_instructions_they_need() -> None:
    from mobilebench.bench.export.write import for_others

    native, here = find_target("native"), cpu_flags(local_cpuinfo())
    told = for_others(native)
    assert set(told.cpu_flags) <= here
    if platform.machine() == "x86_64":  # LLVM uses them where they are there
        assert {"avx512_vnni", "avx2", "bmi1", "bmi2", "fma"} & here <= set(told.cpu_flags)
    for named in (find_target("x86-64-v3"), replace(native, tvm={"kind": "llvm", "mcpu": "k8"})):
        assert for_others(named) == named
    assert for_others(find_target("opencl")).description.startswith("this machine's first OpenCL")
