"""The built library of a variant for a target, with its manifest."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilebench import schedules, targets
from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.cache import cached, content_key, file_sha256, source_key
from mobilebench.bench.models.input_type import FLOATS
from mobilebench.bench.models.onnx_export import OnnxModel
from mobilebench.schedules.databases.database import TileDatabase, find_databases
from mobilebench.schedules.machine import machine_of
from mobilebench.schedules.params_pool import EXTERNAL, PARAMS_FILE, ParamsPool
from mobilebench.schedules.precision import FLOAT32
from mobilebench.targets.catalog.target import CPU, Target
from mobilebench.targets.catalog.tvm_target import resolve
from mobilebench.targets.emulated.counter import HEADER
from mobilebench.targets.errors import BenchError
from mobilebench.targets.toolchains.toolchain import Toolchain, find_toolchain

if TYPE_CHECKING:  # it imports TVM
    from mobilebench.schedules.databases.lookup import Lookup

ARTIFACTS = "artifacts"  # directory of the cache
LIBRARY = "libmodel.so"
OBJECT = "network.o"
MANIFEST = "manifest.json"
MULTIPLY, READ = "multiply.so", "read.so"
_LINKING = (
    Path(__file__),
    Path(targets.__file__).parent / "toolchains",
    HEADER,
)  # on which libraries depend too


@dataclass(frozen=True)
class Manifest:
    """What a library was built from, the versions that built it, and its sizes."""

    variant: str
    target: str
    tvm_target: dict[str, Any]  # with `native` resolved
    precision: str  # of weights and activations
    optimize_for: str  # one of OBJECTIVES
    params_storage: str  # one of PARAMS_STORAGES: where the weights are
    onnx_sha256: str
    library_sha256: str
    params_sha256: str  # of the file of external weights; else empty
    databases: list[dict[str, str]]  # target and SHA-256 of the tuned databases that were used
    tvm_version: str
    tvm_ffi_version: str
    toolchain: str
    artifact_bytes: int
    arena_bytes: int
    params_bytes: int
    kernel_count: int
    kernels: list[dict[str, Any]]  # Kernels of schedules.templates.task, by first call
    database_hits: int  # kernels whose tile is in a tuned database
    database_misses: int
    trials: int  # the most candidates that were measured for one kernel
    compile_s: float | None  # None where that is no longer known
    input_type: str = FLOATS  # one of INPUT_TYPES
    batch: int = 1  # images of an inference
    computes_half: bool | None = None  # on a CPU, and does not only store weights so; None: unknown


@dataclass(frozen=True)
class RooflinePeaks:
    """Libraries that measure the device's peaks, which no kernel can exceed."""

    multiply: Path
    read: Path
    entry: str  # their function; it takes input and output
    factors: int  # floats that `multiply` takes
    sums: int  # floats that both write
    macs: int  # multiply-adds of a run of `multiply`
    read_bytes: int  # of a run of `read`


@dataclass(frozen=True)
class Artifact:
    """A directory that holds a library."""

    directory: Path
    manifest: Manifest
    key: str  # key by which `find_artifact` finds it again

    @property
    def library(self) -> Path:
        """The shared library; the Relax VM's entry point in it is `main`."""
        return self.directory / LIBRARY

    @property
    def object(self) -> Path:
        """The code before it was linked; instrumented libraries for CPUs have it beside them."""
        return self.directory / OBJECT

    @property
    def params_path(self) -> Path | None:
        """The file of external weights."""
        return self.directory / PARAMS_FILE if self.manifest.params_storage == EXTERNAL else None


def build_artifact(model: OnnxModel, options: BuildOptions, cache_dir: Path) -> Artifact:
    """Compile an ONNX file, or return the artifact that is in the cache.

    With `dump_ir` the file is always compiled. A GPU's weights are copied to its memory, so they
    cannot be external.
    Raises BenchError if TVM refuses the target or the file, or there is no compiler.
    """
    target = options.target
    if options.params_storage == EXTERNAL and target.device_type != CPU:
        raise BenchError(
            f"target {target.name}: a GPU's weights are copied to its memory, out of the library; "
            f"leave out --params-storage {EXTERNAL}"
        )
    # A GPU's driver times the kernels, so its code needs no instrumentation.
    options = replace(options, instrumented=options.instrumented and target.device_type == CPU)
    toolchain = find_toolchain(target.toolchain)
    tvm_target = resolve(target, options.threads)
    tuned, _ = _databases(target, tvm_target, options.databases)
    versions = _versions(toolchain)
    key = content_key(
        model.onnx_sha256,
        (sorted(tvm_target.items()), target.layout),
        versions,
        source_key(Path(schedules.__file__).parent, *_LINKING),
        tuned,
        options.key,
    )

    def fill(directory: Path) -> None:
        from mobilebench.schedules.databases.lookup import Lookup
        from mobilebench.schedules.passes.repeat_images import threads_of_an_image

        start = time.perf_counter()
        lookup = Lookup(tuned, threads_of_an_image(options.threads, options.batch))
        sizes = _compile(model.onnx_path, options, tvm_target, lookup, directory)
        library, external = directory / LIBRARY, directory / PARAMS_FILE
        manifest = Manifest(
            variant=model.name,
            target=target.name,
            tvm_target=tvm_target,
            precision=options.precision,
            optimize_for=options.optimize_for,
            params_storage=options.params_storage,
            onnx_sha256=model.onnx_sha256,
            input_type=model.input_type,
            batch=options.batch,
            library_sha256=file_sha256(library),
            params_sha256=file_sha256(external) if external.exists() else "",
            databases=[{"target": one.target, "sha256": one.sha256} for one in tuned],
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

    path = cache_dir / ARTIFACTS / f"{model.name}-{target.name}-{key}"
    return read_artifact(cached(path, fill, again=options.dump_ir is not None))


def find_artifact(key: str, cache_dir: Path) -> Artifact | None:
    """Return the artifact that a record was measured with; None if the cache no longer has it.

    Raises BenchError if it is damaged.
    """
    directory = cache_dir / ARTIFACTS / key
    inside = bool(key.strip(".")) and directory.name == key  # stores may come from anywhere
    return read_artifact(directory) if inside and directory.is_dir() else None


def build_roofline_peaks(
    target: Target, threads: int, precision: str, cache_dir: Path
) -> RooflinePeaks:
    """Return the libraries that measure how fast a device multiplies and reads; cached."""
    toolchain = find_toolchain(target.toolchain)
    tvm_target = resolve(target, threads)
    key = content_key(
        sorted(tvm_target.items()),
        precision,
        _versions(toolchain),
        source_key(Path(schedules.__file__).parent),
    )

    def fill(directory: Path) -> None:
        import tvm

        from mobilebench.schedules.roofline_peaks import write_roofline_peaks

        sizes = write_roofline_peaks(tvm.target.Target(tvm_target), precision, toolchain, directory)
        (directory / MANIFEST).write_text(json.dumps(sizes) + "\n")

    directory = cached(cache_dir / "roofline_peaks" / f"{target.name}-{key}", fill)
    sizes = json.loads((directory / MANIFEST).read_text())
    return RooflinePeaks(directory / MULTIPLY, directory / READ, **sizes)


def check_target(target: Target, databases: Sequence[Path]) -> list[str]:
    """Return a warning for every tuned database that cannot be used.

    Raises BenchError if TVM or LLVM does not know the target, or no toolchain here links for it.
    """
    find_toolchain(target.toolchain)
    return _databases(target, resolve(target), databases)[1]


def read_artifact(directory: Path) -> Artifact:
    """Open a built artifact; raises BenchError if it is incomplete or damaged."""
    try:
        manifest = Manifest(**json.loads((directory / MANIFEST).read_text()))
        artifact = Artifact(directory, manifest, directory.name)
        digest = file_sha256(artifact.library)
        params_digest = file_sha256(artifact.params_path) if artifact.params_path else ""
    except (OSError, ValueError, TypeError) as error:
        raise BenchError(f"artifact {directory}: {error}; delete it to have it rebuilt") from error
    if (digest, params_digest) != (manifest.library_sha256, manifest.params_sha256):
        raise BenchError(
            f"artifact {directory}: {LIBRARY} does not match its manifest; delete it to "
            "have it rebuilt"
        )
    return artifact


def _versions(toolchain: Toolchain) -> tuple[str, str, str]:
    return version("apache-tvm"), version("apache-tvm-ffi"), toolchain.version()


def _databases(
    target: Target, tvm_target: dict[str, Any], directories: Sequence[Path]
) -> tuple[list[TileDatabase], list[str]]:
    import tvm

    machine = machine_of(tvm.target.Target(tvm_target))
    return find_databases(directories, target, machine)


def _compile(
    onnx_path: Path,
    options: BuildOptions,
    tvm_target: dict[str, Any],
    lookup: "Lookup",
    directory: Path,
) -> dict[str, Any]:
    """Write the library into `directory`; return its sizes and kernels for the manifest."""
    import onnx
    import tvm
    from tvm.relax.frontend.onnx import from_onnx

    from mobilebench.bench.memory.memory_plan import footprint
    from mobilebench.schedules import pipeline
    from mobilebench.schedules.ir_dump import IRDump
    from mobilebench.schedules.native.native_code import INSTRUMENTATION, TEAM, link_library
    from mobilebench.schedules.passes.pool_params import take_params
    from mobilebench.schedules.passes.share_network import is_shared
    from mobilebench.schedules.templates.task import kernels_of

    target, precision = options.target, options.precision
    imported = from_onnx(onnx.load(onnx_path), keep_params_in_input=False)
    tvm_handle = tvm.target.Target(tvm_target)
    dump = IRDump(options.dump_ir) if options.dump_ir else None
    batch = options.batch
    fused = pipeline.fuse(imported, target, tvm_handle, precision, batch=batch, dump=dump)
    preferred = options.optimize_for, options.instrumented
    planned = pipeline.plan(fused, tvm_handle, lookup, *preferred, batch=batch, dump=dump)
    code, content = take_params(planned)
    if options.params_storage == EXTERNAL and not content:
        raise BenchError(
            f"{target.name}: TVM has kept the weights; leave out --params-storage {EXTERNAL}"
        )
    executable = pipeline.build(code, tvm_handle, dump=dump)
    names = [TEAM] if is_shared(planned) else []
    names += [INSTRUMENTATION] if options.instrumented else []
    machine = machine_of(tvm_handle)
    half = pipeline.computes_half(machine, precision)
    is_cpu = target.device_type == CPU
    stored = FLOAT32 if half else precision  # or else they are widened when they are loaded
    pool = ParamsPool(content, options.params_storage, stored) if content else None
    if options.instrumented:
        pipeline.write_object(executable, directory / OBJECT)
    toolchain = find_toolchain(target.toolchain)
    link_library(executable, directory / LIBRARY, toolchain, names, pool=pool)
    facts = {"kernels": kernels_of(fused, machine), "computes_half": half if is_cpu else None}
    return asdict(footprint(planned)) | facts
