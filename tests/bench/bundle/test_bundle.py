"""A bundle that is not whole, or not for here, is refused before anything of it is loaded."""

import platform
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.artifact import LIBRARY
from bench.bundle.bundle import open_bundle
from bench.bundle.checksums import SUMS, check_sums, files_below
from bench.bundle.elf import architecture_of
from bench.bundle.manifest import MANIFEST
from targets.errors import BenchError
from targets.target import find_target
from tests.bundles import flip


def test_a_bundle_says_what_it_is(bundle: Path) -> None:
    opened = open_bundle(bundle)
    assert opened.variant.name == opened.manifest.variant == "mobilenet_v2_0.35_64x96"
    assert opened.target.name == "native"
    assert opened.manifest.architecture == platform.machine()
    assert opened.artifact.params == bundle / "params.bin"
    assert opened.weights.label == "random(seed 0)"
    reference = opened.reference()
    assert reference.inputs.shape == (1, 3, 64, 96)
    assert [one.shape for one in reference.outputs] == [(1, 1000)]
    assert np.isfinite(reference.outputs[0]).all()
    assert set(opened.manifest.files) == set(files_below(bundle)) - {MANIFEST}
    assert opened.sha256 == check_sums(bundle)


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
            lambda copy: (copy / "numpy.py").write_text("print('foreign')\n"),
            "numpy.py is not named in SHA256SUMS; take it away",
        ),
    ],
)
def test_what_is_not_as_it_was_exported_is_refused(
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
        ({"format": 2}, "its format is 2, this mobilebench reads 1"),
        ({"surprise": 1}, "surprise is not known"),
        ({"inputs": [{}]}, "missing"),
        ({"variant": "resnet50"}, "unknown variant 'resnet50'"),
        ({"target": {}}, "limits"),
        ({"artifact": {"surprise": 1}}, "surprise"),
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


def test_a_processor_that_would_trap_is_refused(bundle: Path, forged: Callable[..., Path]) -> None:
    target = open_bundle(bundle).manifest.target | {"cpu_flags": ["amx_fp64"]}
    with pytest.raises(BenchError, match="needs a processor with amx_fp64"):
        open_bundle(forged(target=target))


def test_code_of_another_architecture_is_refused(forged: Callable[..., Path], copy: Path) -> None:
    library = copy / LIBRARY
    content = bytearray(library.read_bytes())
    other = 183 if platform.machine() == "x86_64" else 62
    content[18:20] = other.to_bytes(2, "little")
    library.write_bytes(content)
    name = architecture_of(library)
    with pytest.raises(BenchError, match=f"is {name} code, this machine is {platform.machine()}"):
        open_bundle(forged(architecture=name))


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"#!/bin/sh\n" * 9, b"\x7fELF" + bytes(60)])
def test_what_is_no_library_has_no_architecture(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(BenchError, match="not a shared library"):
        architecture_of(file)


def test_sums_are_those_that_sha256sum_reads(copy: Path) -> None:
    def check() -> subprocess.CompletedProcess[str]:
        command = ["sha256sum", "--check", SUMS]
        return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)

    done = check()
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(files_below(copy))
    flip(copy / LIBRARY)
    assert f"{LIBRARY}: FAILED" in check().stdout


def test_native_says_which_instructions_it_needs() -> None:
    from bench.bundle.make import for_others

    told = for_others(find_target("native"))
    assert told.cpu_flags
    assert find_target("native").cpu_flags == ()
    named = find_target("x86-64-v3")
    assert for_others(named) == named
