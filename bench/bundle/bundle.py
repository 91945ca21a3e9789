"""A tuned module with what it takes to deploy it: a directory that is checked before it is used."""

import platform
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bench.artifact import LIBRARY, Artifact, Manifest
from bench.bundle.checksums import check_sums
from bench.bundle.elf import architecture_of
from bench.bundle.manifest import MANIFEST, BundleManifest, Tensor, read_manifest
from bench.fidelity import Floats, Reference
from bench.models.weights import Weights
from bench.variant import Variant, parse_variant
from targets.errors import BenchError
from targets.local import local_cpuinfo
from targets.proc_files import cpu_flags
from targets.target import Limits, Target


@dataclass(frozen=True)
class Bundle:
    """A bundle that was found whole, and fit for the TVM that is installed here."""

    directory: Path
    sha256: str  # of its list of hashes, which stands for everything in it
    manifest: BundleManifest
    variant: Variant
    target: Target
    weights: Weights
    artifact: Artifact

    def reference(self) -> Reference:
        """Return the input that verification feeds, and PyTorch's outputs."""
        (image,) = self.manifest.inputs
        outputs = tuple(self._floats(output) for output in self.manifest.outputs)
        return Reference(self._floats(image), outputs, self.manifest.outputs[0].stride)

    def _floats(self, tensor: Tensor) -> Floats:
        *rest, height, width = tensor.shape
        if len(tensor.shape) == 4 and tensor.stride > 1:
            height, width = (-(-side // tensor.stride) for side in (height, width))
        return np.fromfile(self.directory / tensor.reference, "<f4").reshape(*rest, height, width)


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
        digest = check_sums(directory)
        manifest = read_manifest(directory / MANIFEST)
        _check_versions(manifest)
        target = target_of(manifest.target)
        _check_architecture(directory / LIBRARY, manifest, target)
        return Bundle(
            directory=directory,
            sha256=digest,
            manifest=manifest,
            variant=parse_variant(manifest.variant),
            target=target,
            weights=_weights_of(manifest.weights),
            artifact=Artifact(directory, Manifest(**manifest.artifact), f"bundle-{digest[:24]}"),
        )
    except (BenchError, OSError, ValueError, TypeError, KeyError) as error:
        raise BenchError(f"bundle {directory}: {error}") from error


def target_of(table: dict[str, Any]) -> Target:
    """Return a target from its plain data; raises TypeError for what is none."""
    limits = table["limits"]
    lists = {key: tuple(table[key]) for key in ("cpu_flags", "cores")}
    return Target(**(table | lists | {"limits": Limits(**limits) if limits else None}))


def _weights_of(table: dict[str, Any]) -> Weights:
    known = {field.name for field in fields(Weights)}
    triples = {key: tuple(table[key]) for key in ("mean", "std")}
    return Weights(**{key: value for key, value in (table | triples).items() if key in known})


def _check_versions(manifest: BundleManifest) -> None:
    wanted = {"apache-tvm": manifest.tvm_version, "apache-tvm-ffi": manifest.tvm_ffi_version}
    for package, needed in wanted.items():
        if (here := version(package)) != needed:
            raise ValueError(
                f"it was built for {package} {needed}, here is {here}; pip install "
                f"{package}=={needed}, or export it again"
            )


def _check_architecture(library: Path, manifest: BundleManifest, target: Target) -> None:
    """Raise ValueError unless library, manifest and, without a board, this machine agree."""
    built = architecture_of(library)
    if built != manifest.architecture:
        raise ValueError(
            f"{library.name} is {built} code, {MANIFEST} says {manifest.architecture}; get the "
            "bundle again"
        )
    if not target.key and built != platform.machine():
        raise ValueError(
            f"{library.name} is {built} code, this machine is {platform.machine()}; export it for "
            "a target of this machine"
        )
    missing = set(target.cpu_flags) - cpu_flags(local_cpuinfo())
    if not target.key and missing:
        raise ValueError(
            f"{library.name} needs a processor with {', '.join(sorted(missing))}; export it for a "
            "target without them"
        )
