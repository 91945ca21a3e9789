"""Put together what is deployed: the library, what it needs, and what tells people of it."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import Any

import targets
from bench.accuracy.boxes import anchors_of
from bench.architecture import CLASSES
from bench.artifact import LIBRARY, Artifact
from bench.bundle.checksums import files_below, write_sums
from bench.bundle.elf import architecture_of
from bench.bundle.manifest import FORMAT, MANIFEST, BundleManifest, Measured, Tensor
from bench.bundle.readme import write_readme
from bench.cache import file_sha256
from bench.environment import tool_versions
from bench.fidelity import TOLERANCE, thin
from bench.heads import outputs_of
from bench.models.weights import RANDOM, Weights
from bench.onnx_export import INPUT_NAME, Exported
from bench.runtimes.runtime import ENTRY
from bench.size import size_of
from bench.variant import DETECT, SEGMENT, Variant
from schedules.params import PARAMS_FILE
from targets.errors import BenchError
from targets.local import local_cpuinfo
from targets.proc_files import cpu_flags, cpu_model
from targets.target import CPU, OPENCL, Target, all_targets

LABELS, ANCHORS, REFERENCE = "labels.txt", "anchors.bin", "reference"
_FILES = Path(__file__).parent / "files"
_STRIDE = 8  # of a segmenter's reference: its logits are enlarged by 8 to 16, and 22 MB
_LICENSES = {"LICENSE": "apache-tvm-LICENSE", "NOTICE": "apache-tvm-NOTICE"}


def make_bundle(
    directory: Path,
    variant: Variant,
    weights: Weights,
    exported: Exported,
    target: Target,
    threads: int,
    artifact: Artifact,
    labels: Sequence[str],
    measured: Measured | None,
) -> None:
    """Write a bundle into an empty directory.

    The same inputs make the same bytes, but for what was measured.
    """
    shutil.copy(artifact.library, directory / LIBRARY)
    (directory / LIBRARY).chmod(0o755)
    if artifact.params:
        shutil.copyfile(artifact.params, directory / PARAMS_FILE)
    if labels:
        (directory / LABELS).write_text("".join(f"{one}\n" for one in labels), encoding="utf-8")
    if variant.task == DETECT:
        anchors_of(variant).astype("<f4").tofile(directory / ANCHORS)
    inputs, outputs = _write_reference(directory, variant, exported)
    _copy_programs(directory, target)
    manifest = BundleManifest(
        format=FORMAT,
        variant=variant.name,
        task=variant.task,
        architecture=architecture_of(artifact.library),
        cpu_flags=list(target.cpu_flags),
        device=target.device,
        device_index=target.device_index,
        threads=threads,
        cores=list(target.cores),
        precision=artifact.manifest.precision,
        params=artifact.manifest.params,
        entry=ENTRY,
        tvm_version=artifact.manifest.tvm_version,
        tvm_ffi_version=artifact.manifest.tvm_ffi_version,
        inputs=inputs,
        outputs=outputs,
        preprocessing=asdict(weights.preprocessing(variant)),
        labels=LABELS if labels else None,
        anchors=ANCHORS if variant.task == DETECT else None,
        tolerance=TOLERANCE[artifact.manifest.precision],
        library_bytes=artifact.manifest.artifact_bytes,
        params_bytes=artifact.manifest.params_bytes,
        arena_bytes=artifact.manifest.arena_bytes,
        macs=size_of(variant).macs,
        params_count=size_of(variant).params,
        measured=measured,
        onnx_sha256=exported.onnx_sha256,
        databases=artifact.manifest.databases,
        weights=_told(weights),
        target=asdict(target),
        # How long compiling took is not of the bundle, and kernels are timed in the marked library.
        artifact=asdict(artifact.manifest) | {"compile_s": None, "kernels": []},
        made_with=_made_with(),
        files={},
    )
    write_readme(directory, manifest)
    files = {name: _facts(directory / name) for name in sorted(files_below(directory))}
    manifest = BundleManifest(**(vars(manifest) | {"files": files}))
    (directory / MANIFEST).write_text(manifest.text(), encoding="utf-8")
    write_sums(directory)


def for_others(target: Target) -> Target:
    """Return a target that says on which processors its code runs.

    `native` says nothing of other machines: its code is for processors that have what this one has
    of the instruction sets that the catalogue's targets need.
    """
    if target.key or target.cpu_flags:
        return target
    cpuinfo = local_cpuinfo()
    here = cpu_flags(cpuinfo)
    kindred = (one.cpu_flags for one in all_targets() if one.device == CPU)
    needed = {flag for flags in kindred if set(flags) <= here for flag in flags}
    model = cpu_model(cpuinfo) or "the CPU that exported it"
    description = f"{model}, or a CPU that has all it has"
    return replace(target, cpu_flags=tuple(sorted(needed)), description=description)


def read_labels(path: Path, task: str) -> list[str]:
    """Return the names of a task's classes, one a line; raises BenchError for another number."""
    try:
        labels = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"labels {path}: {error}") from error
    if len(labels) != CLASSES[task]:
        raise BenchError(
            f"labels {path}: it has {len(labels)} lines, the network {CLASSES[task]} classes"
        )
    return labels


def _write_reference(
    directory: Path, variant: Variant, exported: Exported
) -> tuple[list[Tensor], list[Tensor]]:
    """Write the first of the inputs that PyTorch was asked about, and its answers."""
    inputs, answers = exported.reference()
    stride = _STRIDE if variant.task == SEGMENT else 1
    thinned = thin(tuple(one[:1] for one in answers), stride)
    (directory / REFERENCE).mkdir()

    def write(name: str, shape: Sequence[int], layout: str, values: Any, stride: int) -> Tensor:
        file = f"{REFERENCE}/{name}.bin"
        values.astype("<f4").tofile(directory / file)
        return Tensor(name, list(shape), "float32", layout, file, stride)

    image = write(INPUT_NAME, variant.input_shape, "NCHW", inputs[:1], 1)
    layout = "NCHW" if variant.task == SEGMENT else ""
    outputs = [
        write(name, shape, layout, values, stride)
        for (name, shape), values in zip(outputs_of(variant).items(), thinned, strict=True)
    ]
    return [image], outputs


def _copy_programs(directory: Path, target: Target) -> None:
    """Copy what runs the bundle, and TVM's licence."""
    for file in sorted(_FILES.rglob("*")):
        if file.is_file() and file.suffix in (".py", ".cc", ".h", ".txt"):
            to = directory / file.relative_to(_FILES)
            to.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, to)
    if target.device == OPENCL:
        source = Path(targets.__file__).parent / "opencl" / "runtime.cc"
        shutil.copyfile(source, directory / "cpp" / "opencl_runtime.cc")
    spec = find_spec("tvm")
    assert spec and spec.origin
    (directory / "licenses").mkdir()
    for name, copied in _LICENSES.items():
        shutil.copyfile(Path(spec.origin).parent / name, directory / "licenses" / copied)


def _told(weights: Weights) -> dict[str, Any]:
    """Return what is told of weights: not where on this machine they lay."""
    name = weights.source if weights.source == RANDOM else PurePath(weights.source).name
    return asdict(weights) | {"source": name}


def _made_with() -> dict[str, str]:
    tools = asdict(tool_versions())
    return {"mobilebench": version("mobilebench")} | {
        name.removesuffix("_version"): tools[name]
        for name in ("torch_version", "onnx_version", "git_commit")
    }


def _facts(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
