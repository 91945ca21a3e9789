"""Writes a bundle: the library, what it needs to run, and its description."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np

from mobilebench import targets
from mobilebench.bench.accuracy.boxes import anchors_of
from mobilebench.bench.build.artifact import LIBRARY, Artifact
from mobilebench.bench.bundle.checksums import files_below, write_sums
from mobilebench.bench.bundle.elf import architecture_of
from mobilebench.bench.bundle.manifest import (
    FORMAT,
    MANIFEST,
    BundleManifest,
    BundleTensor,
    Compiled,
    Content,
    Measured,
)
from mobilebench.bench.cache import file_sha256
from mobilebench.bench.export.readme import write_readme
from mobilebench.bench.measure.environment import tool_versions
from mobilebench.bench.measure.fidelity import tolerance_of
from mobilebench.bench.models.class_names import NAMES_LICENSE, names_of, usual_names
from mobilebench.bench.models.heads import outputs_of
from mobilebench.bench.models.input_type import PIXELS, input_layout, input_shape
from mobilebench.bench.models.onnx_export import OnnxModel
from mobilebench.bench.models.onnx_network import NCHW, Network, OnnxNetwork, of_batch
from mobilebench.bench.models.outputs import INPUT_NAME, Floats, thin
from mobilebench.bench.models.size import size_of
from mobilebench.bench.models.variant import DETECT, SEGMENT, Variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.quantization.input_bytes import bytes_of, input_scale
from mobilebench.bench.runtimes.runtime import ENTRY
from mobilebench.schedules.params_pool import PARAMS_FILE
from mobilebench.targets.catalog.instruction_sets import cpu_flags, local_cpuinfo
from mobilebench.targets.catalog.target import CPU, OPENCL, Target
from mobilebench.targets.devices.proc_files import cpu_model
from mobilebench.targets.errors import BenchError

LABELS, ANCHORS, REFERENCE, ONNX = "labels.txt", "anchors.bin", "reference", "model.onnx"
_FILES = Path(__file__).parent / "programs"
_STRIDE = 8  # of a segmenter's reference: its logits are enlarged by 8 to 16, and 22 MB
_INSTRUCTIONS = re.compile(  # Linux's names of them in /proc/cpuinfo: x86's, then Arm's
    r"avx|bmi|fma|f16c|abm|adx|movbe|popcnt|lahf|sse|ssse|gfni|vaes|aes|vpclmul|pclmul|sha|amx"
    r"|asimd|crc32|atomics|fp|sve|sme|dcpop|flagm|i8mm|bf16|jscvt|fcma|lrcpc"
)
_LICENSES = {"LICENSE": "apache-tvm-LICENSE", "NOTICE": "apache-tvm-NOTICE"}


@dataclass(frozen=True)
class BundleContents:
    """What a bundle is made of."""

    variant: Network
    weights: Weights
    model: OnnxModel
    target: Target
    threads: int  # that the library was built for
    artifact: Artifact
    labels: Sequence[str] = ()  # of the classes, in order
    with_onnx: bool = False
    measured: Measured | None = None


def make_bundle(directory: Path, contents: BundleContents) -> None:
    """Write a bundle into an empty directory.

    The same contents make the same bytes, except for what was measured.
    """
    variant, weights, target = contents.variant, contents.weights, contents.target
    artifact, labels = contents.artifact, contents.labels
    shutil.copy(artifact.library, directory / LIBRARY)
    (directory / LIBRARY).chmod(0o755)
    if artifact.params_path:
        shutil.copyfile(artifact.params_path, directory / PARAMS_FILE)
    if labels:
        (directory / LABELS).write_text("".join(f"{one}\n" for one in labels), encoding="utf-8")
    if isinstance(variant, Variant) and variant.task == DETECT:
        anchors_of(variant).astype("<f4").tofile(directory / ANCHORS)
    if contents.with_onnx:
        shutil.copyfile(contents.model.onnx_path, directory / ONNX)
    made = artifact.manifest
    inputs, outputs = _write_reference(directory, variant, contents.model, made.batch)
    _copy_programs(directory, target)
    named = bool(labels) and tuple(labels) == usual_names(variant.task, variant.classes)
    if named:
        shutil.copyfile(NAMES_LICENSE, directory / "licenses" / "torchvision-LICENSE")
    agreed_error = contents.measured.agreed_error if contents.measured else 0.0
    manifest = BundleManifest(
        format=FORMAT,
        variant=variant.name,
        task=variant.task,
        architecture=architecture_of(artifact.library),
        batch=made.batch,
        target=target,
        threads=contents.threads,
        precision=made.precision,
        params_storage=made.params_storage,
        entry=ENTRY,
        tvm_version=made.tvm_version,
        tvm_ffi_version=made.tvm_ffi_version,
        inputs=inputs,
        outputs=outputs,
        preprocessing=weights.preprocessing(variant),
        labels=LABELS if labels else None,
        anchors=ANCHORS if variant.task == DETECT else None,
        tolerance=max(tolerance_of(made.precision, variant), agreed_error),
        library_bytes=made.artifact_bytes,
        params_bytes=made.params_bytes,
        arena_bytes=made.arena_bytes,
        macs=size_of(variant).macs,
        params_count=size_of(variant).params_count,
        measured=contents.measured,
        onnx_sha256=contents.model.onnx_sha256,
        databases=made.databases,
        # Not where on this machine they lay.
        weights=replace(weights, source=weights.file_name),
        compiled=Compiled(**{field.name: getattr(made, field.name) for field in fields(Compiled)}),
        made_with=_made_with(),
        files={},
        probabilities=isinstance(variant, OnnxNetwork) and variant.probabilities,
    )
    write_readme(directory, manifest, named)
    files = {name: _content(directory / name) for name in sorted(files_below(directory))}
    text = replace(manifest, files=files).text()
    (directory / MANIFEST).write_text(text, encoding="utf-8")
    write_sums(directory)


def for_others(target: Target) -> Target:
    """Return a target that says on which processors its code runs.

    What is compiled for this machine's CPU is for processors that have every instruction set that
    this one has: LLVM may have used any of them.
    """
    cpu = target.tvm if target.device_type == CPU else target.host
    if cpu.get("mcpu") != "native":
        return target
    cpuinfo = local_cpuinfo()
    needed = sorted(flag for flag in cpu_flags(cpuinfo) if _INSTRUCTIONS.match(flag))
    model = cpu_model(cpuinfo) or "the CPU that exported it"
    like = f"{model}, or a CPU that has all it has"
    description = like if target.device_type == CPU else f"{target.description}, beside {like}"
    return replace(target, cpu_flags=tuple(needed), description=description)


def read_labels(path: Path, variant: Network) -> tuple[str, ...]:
    """Return the names of the classes that a network tells apart, one a line.

    The background may be left out. Raises BenchError for another number of lines.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip("\n").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"labels {path}: {error}") from error
    labels = names_of(variant, [line.strip() for line in lines]) if lines else ()
    if not labels:
        raise BenchError(
            f"labels {path}: it has {len(lines)} lines, the network tells {variant.labels} classes "
            "apart"
        )
    return labels


def _write_reference(
    directory: Path, variant: Network, exported: OnnxModel, batch: int
) -> tuple[list[BundleTensor], list[BundleTensor]]:
    """Write a batch of the inputs that PyTorch was asked about, and its answers.

    They are taken in order, and again where there are fewer. Of a single logit the largest alone is
    taken: near 0 its relative error would be that of large sums.
    """
    inputs, answers = exported.reference()
    alone = answers[0][0].size == 1
    first, count = (int(np.abs(answers[0]).argmax()), 1) if alone else (0, len(inputs))
    chosen = first + np.arange(batch) % count
    stride = _STRIDE if variant.task == SEGMENT else 1
    inputs = inputs[chosen]
    thinned = thin(tuple(one[chosen] for one in answers), stride)
    (directory / REFERENCE).mkdir()

    def write(
        name: str, shape: Sequence[int], layout: str, values: Any, stride: int
    ) -> BundleTensor:
        file = f"{REFERENCE}/{name}.bin"
        values.astype("<f4").tofile(directory / file)
        whole = list(of_batch(tuple(shape), batch))
        return BundleTensor(name, whole, "float32", layout, file, stride)

    kind = exported.input_type
    image = write(INPUT_NAME, input_shape(variant, kind), input_layout(variant, kind), inputs, 1)
    if kind == PIXELS:
        inputs.tofile(directory / image.reference)
        image = replace(image, dtype=kind)
    elif exported.quantization and (scale := input_scale(exported.onnx_path)):
        # The network makes bytes of them first, so they say as much, in a quarter of the size.
        bytes_of(cast(Floats, inputs), *scale).tofile(directory / image.reference)
        image = replace(image, step=scale[0], zero=scale[1])
    layout = NCHW if variant.task == SEGMENT else ""
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
    if target.device_type == OPENCL:
        source = Path(targets.__file__).parent / "opencl" / "runtime.cc"
        shutil.copyfile(source, directory / "cpp" / "opencl_runtime.cc")
    spec = find_spec("tvm")
    assert spec and spec.origin
    (directory / "licenses").mkdir()
    for name, copied in _LICENSES.items():
        shutil.copyfile(Path(spec.origin).parent / name, directory / "licenses" / copied)


def _made_with() -> dict[str, str]:
    tools = asdict(tool_versions())
    return {"mobilebench": version("mobilebench")} | {
        name.removesuffix("_version"): tools[name]
        for name in ("torch_version", "onnx_version", "git_commit")
    }


def _content(path: Path) -> Content:
    return Content(path.stat().st_size, file_sha256(path))
