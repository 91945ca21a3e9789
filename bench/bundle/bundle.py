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
from mobilebench.bench.models.outputs import Floats, Reference
from mobilebench.bench.models.variant import Variant, parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.schedules.params_pool import EXTERNAL, PARAMS_FILE, PARAMS_STORAGES
from mobilebench.schedules.precision import PRECISIONS
from mobilebench.targets.catalog.target import Target, check_target_values
from mobilebench.targets.devices.proc_files import cpu_flags
from mobilebench.targets.errors import BenchError
from mobilebench.targets.rpc.local_server import local_cpuinfo


@dataclass(frozen=True)
class Bundle:
    """A bundle that was checked to be complete and to fit the installed TVM."""

    directory: Path
    sha256: str  # of its list of hashes, which stands for everything in it
    manifest: BundleManifest
    variant: Variant
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
        """Return the input that verification feeds, and PyTorch's outputs."""
        (image,) = self.manifest.inputs
        outputs = tuple(self._floats(output) for output in self.manifest.outputs)
        return Reference(self._floats(image), outputs, self.manifest.outputs[0].stride)

    def _floats(self, tensor: BundleTensor) -> Floats:
        values = np.fromfile(self.directory / tensor.reference, "<f4")
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
        variant = parse_variant(manifest.variant)
        _check_consistency(manifest, variant, sums.files)
        _check_architecture(directory / LIBRARY, manifest)
        artifact = Artifact(directory, _artifact_manifest(manifest), f"bundle-{sums.sha256[:24]}")
        return Bundle(directory, sums.sha256, manifest, variant, artifact)
    except (BenchError, OSError, ValueError) as error:
        raise BenchError(f"bundle {directory}: {error}") from error


def _artifact_manifest(manifest: BundleManifest) -> Manifest:
    apart = manifest.files.get(PARAMS_FILE)
    return Manifest(
        variant=manifest.variant,
        target=manifest.target.name,
        precision=manifest.precision,
        params_storage=manifest.params_storage,
        onnx_sha256=manifest.onnx_sha256,
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


def _check_consistency(manifest: BundleManifest, variant: Variant, sums: dict[str, str]) -> None:
    """Raise ValueError for the first thing that the manifest contradicts itself or a file in."""
    check_target_values(manifest.target)
    sums = {name: digest for name, digest in sums.items() if name != MANIFEST}
    needed = {LIBRARY, *((PARAMS_FILE,) if manifest.params_storage == EXTERNAL else ())}
    needed |= {one.reference for one in (*manifest.inputs, *manifest.outputs)}
    needed |= {name for name in (manifest.labels, manifest.anchors) if name}
    if missing := sorted(needed - set(manifest.files)):
        raise ValueError(f"{MANIFEST} does not list {missing[0]}")
    outputs = {name: list(shape) for name, shape in outputs_of(variant).items()}
    checks = {
        "files": {name: one.sha256 for name, one in manifest.files.items()} == sums,
        "task": manifest.task == variant.task,
        "threads": manifest.threads >= 1,
        "precision": manifest.precision in PRECISIONS,
        "params_storage": manifest.params_storage in PARAMS_STORAGES,
        "inputs": [one.shape for one in manifest.inputs] == [list(variant.input_shape)],
        "outputs": {one.name: one.shape for one in manifest.outputs} == outputs,
        "library_bytes": manifest.library_bytes == manifest.files[LIBRARY].bytes,
    }
    if wrong := [key for key, right in checks.items() if not right]:
        raise ValueError(f"{wrong[0]} in {MANIFEST} does not match the bundle")
    for one in (*manifest.inputs, *manifest.outputs):
        shape = one.reference_shape if one.stride >= 1 else [0]
        if manifest.files[one.reference].bytes != 4 * int(np.prod(shape)):
            raise ValueError(f"{one.reference} does not have the shape given in {MANIFEST}")


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
