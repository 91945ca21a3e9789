"""A tuned module with what it takes to deploy it: a directory that is checked before it is used."""

import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from mobilebench.bench.build.artifact import LIBRARY, Artifact, Manifest
from mobilebench.bench.bundle.checksums import check_sums
from mobilebench.bench.bundle.elf import architecture_of
from mobilebench.bench.bundle.manifest import MANIFEST, BundleManifest, BundleTensor, read_manifest
from mobilebench.bench.models.heads import outputs_of
from mobilebench.bench.models.input_type import FLOATS, INPUT_TYPES, PIXELS, input_shape
from mobilebench.bench.models.onnx_network import (
    ONNX,
    OTHER,
    ROUNDINGS,
    Network,
    OnnxNetwork,
    Shape,
    of_batch,
)
from mobilebench.bench.models.outputs import Floats, Inputs, Reference
from mobilebench.bench.models.variant import CLASSIFY, SEGMENT, parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.quantization.input_bytes import numbers_of
from mobilebench.schedules.params_pool import EXTERNAL, PARAMS_FILE, PARAMS_STORAGES
from mobilebench.schedules.precision import INT8, PRECISIONS
from mobilebench.targets.catalog.instruction_sets import cpu_flags, local_cpuinfo
from mobilebench.targets.catalog.target import Target, check_target_values
from mobilebench.targets.errors import BenchError

_OWN_TASKS = (CLASSIFY, SEGMENT, OTHER)


@dataclass(frozen=True)
class Bundle:
    """A bundle that was checked to be complete and to fit the installed TVM."""

    directory: Path
    sha256: str  # of its list of hashes, which stands for everything in it
    manifest: BundleManifest
    variant: Network
    artifact: Artifact

    @property
    def target(self) -> Target:
        """What it was made for."""
        return self.manifest.target

    @property
    def weights(self) -> Weights:
        """Whose weights it has; they are not to be loaded from there."""
        return self.manifest.weights

    def reference(self) -> Reference:
        """Return the inputs that verification feeds, one batch of them, and PyTorch's outputs."""
        (image,) = self.manifest.inputs
        outputs = tuple(self._floats(output) for output in self.manifest.outputs)
        return Reference(self._input(image), outputs, self.manifest.outputs[0].stride)

    def _input(self, image: BundleTensor) -> Inputs:
        if image.dtype != PIXELS:
            return self._floats(image)
        return np.fromfile(self.directory / image.reference, np.uint8).reshape(image.shape)

    def _floats(self, tensor: BundleTensor) -> Floats:
        path = self.directory / tensor.reference
        if tensor.step:
            values = numbers_of(np.fromfile(path, np.uint8), tensor.step, tensor.zero)
        else:
            values = np.fromfile(path, "<f4")
        return values.reshape(tensor.reference_shape)


def open_bundle(directory: Path) -> Bundle:
    """Check a bundle without loading anything of it, and read what it says.

    Raises BenchError in one sentence for the first thing that is wrong: a file that is missing,
    changed or not its own, a library of another architecture, another version of TVM.
    """
    try:
        if not directory.is_dir():
            raise ValueError("there is no such directory")
        if not (directory / MANIFEST).is_file():
            raise ValueError(f"{MANIFEST} is missing; is it a bundle of `mobilebench export`?")
        sums = check_sums(directory)
        manifest = read_manifest(directory / MANIFEST)
        _check_versions(manifest)
        variant = _network_of(manifest)
        _check_consistency(manifest, variant, sums.files)
        _check_architecture(directory / LIBRARY, manifest)
        artifact = Artifact(directory, _artifact_manifest(manifest), f"bundle-{sums.sha256[:24]}")
        return Bundle(directory, sums.sha256, manifest, variant, artifact)
    except (BenchError, OSError, ValueError) as error:
        raise BenchError(f"bundle {directory}: {error}") from error


def _network_of(manifest: BundleManifest) -> Network:
    """Return the variant that a bundle holds; of a network of one's own what the manifest says."""
    if manifest.weights.architecture != ONNX:
        return parse_variant(manifest.variant)
    if len(manifest.inputs) != 1 or not manifest.outputs or manifest.task not in _OWN_TASKS:
        raise ValueError(f"{MANIFEST} does not describe a network with one input")
    (image,) = manifest.inputs
    return OnnxNetwork(
        name=manifest.variant,
        source=manifest.weights.source,
        sha256=manifest.weights.sha256,
        given_shape=None,
        input_shape=_of_one_image(image, manifest.batch),
        layout=image.layout,
        outputs=tuple((one.name, _of_one_image(one, manifest.batch)) for one in manifest.outputs),
        task=manifest.task,
        quantized=manifest.precision == INT8,
        probabilities=manifest.probabilities,
        missing="",
        rounding_error=manifest.tolerance / ROUNDINGS,
        macs=manifest.macs,
        params_count=manifest.params_count,
        largest_tensor_bytes=0,
    )


def _of_one_image(tensor: BundleTensor, batch: int) -> Shape:
    if not tensor.shape or batch < 1 or tensor.shape[0] % batch:
        raise ValueError(f"{tensor.name} in {MANIFEST} is not of a batch of {batch}")
    return (tensor.shape[0] // batch, *tensor.shape[1:])


def _artifact_manifest(manifest: BundleManifest) -> Manifest:
    apart = manifest.files.get(PARAMS_FILE)
    return Manifest(
        variant=manifest.variant,
        target=manifest.target.name,
        precision=manifest.precision,
        params_storage=manifest.params_storage,
        onnx_sha256=manifest.onnx_sha256,
        input_type=manifest.inputs[0].dtype if manifest.inputs else FLOATS,
        batch=manifest.batch,
        library_sha256=manifest.files[LIBRARY].sha256,
        params_sha256=apart.sha256 if apart else "",
        databases=manifest.databases,
        tvm_version=manifest.tvm_version,
        tvm_ffi_version=manifest.tvm_ffi_version,
        artifact_bytes=manifest.library_bytes,
        arena_bytes=manifest.arena_bytes,
        params_bytes=manifest.params_bytes,
        kernels=[],
        compile_s=None,
        **asdict(manifest.compiled),
    )


def _check_versions(manifest: BundleManifest) -> None:
    wanted = {"apache-tvm": manifest.tvm_version, "apache-tvm-ffi": manifest.tvm_ffi_version}
    for package, needed in wanted.items():
        if (here := version(package)) != needed:
            raise ValueError(
                f"it was built for {package} {needed}, here is {here}; pip install "
                f"{package}=={needed}, or export it again"
            )


def _check_consistency(manifest: BundleManifest, variant: Network, sums: dict[str, str]) -> None:
    """Raise ValueError for the first thing that the manifest contradicts itself or a file in."""
    check_target_values(manifest.target)
    sums = {name: digest for name, digest in sums.items() if name != MANIFEST}
    needed = {LIBRARY, *((PARAMS_FILE,) if manifest.params_storage == EXTERNAL else ())}
    needed |= {one.reference for one in (*manifest.inputs, *manifest.outputs)}
    needed |= {name for name in (manifest.labels, manifest.anchors) if name}
    if missing := sorted(needed - set(manifest.files)):
        raise ValueError(f"{MANIFEST} does not list {missing[0]}")
    batch = manifest.batch
    outputs = {name: list(of_batch(shape, batch)) for name, shape in outputs_of(variant).items()}
    shown = manifest.preprocessing
    checks = {
        "files": {name: one.sha256 for name, one in manifest.files.items()} == sums,
        "task": manifest.task == variant.task,
        "threads": manifest.threads >= 1,
        "batch": batch >= 1,
        "precision": manifest.precision in PRECISIONS,
        "params_storage": manifest.params_storage in PARAMS_STORAGES,
        "inputs": _fits(manifest.inputs, variant, batch),
        "preprocessing": {len(shown.mean), len(shown.std)} == {variant.channels},
        "outputs": {one.name: one.shape for one in manifest.outputs} == outputs,
        "library_bytes": manifest.library_bytes == manifest.files[LIBRARY].bytes,
    }
    if wrong := [key for key, right in checks.items() if not right]:
        raise ValueError(f"{wrong[0]} in {MANIFEST} does not match the bundle")
    for one in (*manifest.inputs, *manifest.outputs):
        shape = one.reference_shape if one.stride >= 1 else [0]
        size = 1 if one.step or one.dtype == PIXELS else 4
        if manifest.files[one.reference].bytes != size * int(np.prod(shape)):
            raise ValueError(f"{one.reference} does not have the shape given in {MANIFEST}")


def _fits(inputs: list[BundleTensor], variant: Network, batch: int) -> bool:
    """Whether inputs are the one that a network has, as floats or as pixels, for a batch."""
    shapes = [(one.dtype, tuple(one.shape)) for one in inputs]
    wanted = ((kind, of_batch(input_shape(variant, kind), batch)) for kind in INPUT_TYPES)
    return shapes in [[one] for one in wanted]


def _check_architecture(library: Path, manifest: BundleManifest) -> None:
    """Raise ValueError unless library, manifest and, without a board, this machine agree."""
    built, target = architecture_of(library), manifest.target
    if built != manifest.architecture:
        raise ValueError(
            f"{library.name} is {built} code, {MANIFEST} says {manifest.architecture}; get the "
            "bundle again"
        )
    if target.tracker_key:
        return
    if built != platform.machine():
        raise ValueError(
            f"{library.name} is {built} code, this machine is {platform.machine()}; export it for "
            "a target of this machine"
        )
    if missing := sorted(set(target.cpu_flags) - cpu_flags(local_cpuinfo())):
        raise ValueError(
            f"{library.name} needs a processor with {', '.join(missing[:5])}; export it for a "
            "target without them"
        )
