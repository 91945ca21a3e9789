"""The built library of a variant for a target, with its manifest."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import schedules
from bench.cache import cached, content_key, file_sha256, source_key
from schedules.database import Database, find_databases
from schedules.machine import machine_of
from schedules.preference import LATENCY
from targets.errors import BenchError
from targets.target import Target
from targets.toolchain import Toolchain, find_toolchain
from targets.tvm_target import resolve

if TYPE_CHECKING:  # it imports TVM
    from schedules.lookup import Lookup

LIBRARY = "library.so"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What a library was made from, with what, and how large it is."""

    variant: str
    target: str
    tvm_target: dict[str, Any]  # with `native` resolved
    onnx_sha256: str
    library_sha256: str
    tvm_version: str
    tvm_ffi_version: str
    toolchain: str
    artifact_bytes: int
    arena_bytes: int
    params_bytes: int
    functions: int
    database_hits: int  # kernels whose tile tuning had found
    database_misses: int
    trials: int  # most candidates that were measured for one of them
    compile_s: float


@dataclass(frozen=True)
class Artifact:
    """A directory that holds a library and its manifest."""

    directory: Path
    manifest: Manifest

    @property
    def library(self) -> Path:
        """The shared library; the Relax VM's entry point in it is `main`."""
        return self.directory / LIBRARY


def build_artifact(
    variant: str,
    onnx_path: Path,
    onnx_sha256: str,
    target: Target,
    threads: int,
    databases: Sequence[Path],
    cache_dir: Path,
    prefer: str = LATENCY,
) -> Artifact:
    """Compile an ONNX file for a target and a number of threads, or find it compiled already.

    `databases` are the directories in which tuned tiles are looked for; without any, templates use
    their best guesses. `prefer` is one of PREFERENCES. Raises BenchError if the target, the
    compiler or the file is refused.
    """
    toolchain = find_toolchain(target.toolchain)
    tvm_target = resolve(target, threads)
    tuned, _ = _databases(target, tvm_target, databases)
    versions = (version("apache-tvm"), version("apache-tvm-ffi"), toolchain.version())
    key = content_key(
        onnx_sha256,
        (sorted(tvm_target.items()), target.layout),
        versions,
        source_key(Path(schedules.__file__).parent),
        tuned,
        prefer,
    )

    def fill(directory: Path) -> None:
        from schedules.lookup import Lookup

        start = time.perf_counter()
        lookup = Lookup(tuned, threads)
        sizes = _compile(onnx_path, target, tvm_target, lookup, prefer, toolchain, directory)
        library = directory / LIBRARY
        manifest = Manifest(
            variant=variant,
            target=target.name,
            tvm_target=tvm_target,
            onnx_sha256=onnx_sha256,
            library_sha256=file_sha256(library),
            tvm_version=versions[0],
            tvm_ffi_version=versions[1],
            toolchain=versions[2],
            artifact_bytes=library.stat().st_size,
            database_hits=lookup.hits,
            database_misses=lookup.misses,
            trials=lookup.trials,
            compile_s=time.perf_counter() - start,
            **sizes,
        )
        (directory / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2) + "\n")

    directory = cached(cache_dir / "artifacts" / f"{variant}-{target.name}-{key}", fill)
    return read_artifact(directory)


def check_target(target: Target, databases: Sequence[Path]) -> list[str]:
    """Return a line for every tuned database that is refused.

    Raises BenchError if TVM or LLVM does not know the target, or nothing here links for it.
    """
    find_toolchain(target.toolchain)
    return _databases(target, resolve(target), databases)[1]


def read_artifact(directory: Path) -> Artifact:
    """Open a built artifact; raises BenchError if it is incomplete or damaged."""
    try:
        manifest = Manifest(**json.loads((directory / MANIFEST).read_text()))
        digest = file_sha256(directory / LIBRARY)
    except (OSError, ValueError, TypeError) as error:
        raise BenchError(f"artifact {directory}: {error}; delete it to have it rebuilt") from error
    if digest != manifest.library_sha256:
        raise BenchError(
            f"artifact {directory}: {LIBRARY} is not the one its manifest describes; delete it to "
            "have it rebuilt"
        )
    return Artifact(directory, manifest)


def _databases(
    target: Target, tvm_target: dict[str, Any], directories: Sequence[Path]
) -> tuple[list[Database], list[str]]:
    import tvm

    machine = machine_of(tvm.target.Target(tvm_target))
    return find_databases(directories, target.name, machine)


def _compile(
    onnx_path: Path,
    target: Target,
    tvm_target: dict[str, Any],
    lookup: "Lookup",
    prefer: str,
    toolchain: Toolchain,
    directory: Path,
) -> dict[str, int]:
    """Write the library into `directory` and return what the plan says of its sizes."""
    import onnx
    import tvm
    from tvm.relax.frontend.onnx import from_onnx

    from bench.memory import footprint
    from schedules import pipeline
    from schedules.passes.share_network import is_shared
    from schedules.team import build_team

    imported = from_onnx(onnx.load(onnx_path), keep_params_in_input=False)
    tvm_handle = tvm.target.Target(tvm_target)
    fused = pipeline.fuse(imported, target, tvm_handle)
    planned = pipeline.plan(fused, tvm_handle, lookup, prefer)
    executable = pipeline.build(planned, tvm_handle)
    beside = [build_team(toolchain, directory)] if is_shared(planned) else []
    # Objects are left where the library is made.
    executable.export_library(
        os.fspath(directory / LIBRARY),
        fcompile=toolchain.link_with(beside),
        workspace_dir=os.fspath(directory),
    )
    for leftover in directory.glob("*.o"):
        leftover.unlink()
    return asdict(footprint(planned))
