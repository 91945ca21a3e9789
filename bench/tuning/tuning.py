"""Tuning: from the kernels of variants to a database of tiles, checked against PyTorch."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from mobilebench import schedules
from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.build.cluster import Cluster
from mobilebench.bench.cache import content_key, source_key
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.fidelity import compare, tolerance_of
from mobilebench.bench.measure.inference import infer_on_device
from mobilebench.bench.measure.sessions import device_state
from mobilebench.bench.measure.timing import kernel_microseconds
from mobilebench.bench.models.onnx_export import OnnxModel
from mobilebench.bench.models.onnx_network import Network, OnnxNetwork
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.quantization.calibration import Calibration
from mobilebench.bench.runtimes.runtime import Workload
from mobilebench.bench.tuning.progress import TuningProgress
from mobilebench.reports.counting import counted
from mobilebench.schedules.databases.database import (
    DIRECTORY_VARIABLE,
    Entry,
    TileDatabase,
    read_database,
    write_database,
)
from mobilebench.schedules.machine import Processor
from mobilebench.schedules.precision import FLOAT16, FLOAT32
from mobilebench.schedules.tuning.candidates import BUILDER
from mobilebench.schedules.tuning.search_settings import SearchSettings
from mobilebench.targets.catalog.target import Target, find_target
from mobilebench.targets.devices.device import DeviceState, require_flags, require_half, with_limits
from mobilebench.targets.devices.farm import Farm
from mobilebench.targets.devices.probe import PROBE
from mobilebench.targets.errors import BenchError, NoDeviceError
from mobilebench.targets.processes.cpu_allowance import usable_cpus
from mobilebench.targets.processes.worker import WITHOUT_TORCH, Worker, WorkerError
from mobilebench.targets.processes.worker_pool import LocalWorkerPool, WorkerPool

_WORTH_KEEPING = 0.99  # of the default tile's time; what is gained above it is noise
_TUNER = "mobilebench.schedules.tuning.tuner:Tuner"


@dataclass(frozen=True)
class Tuning:
    """What is to be tuned, how long, and where the database goes."""

    variants: tuple[str, ...]
    target: str
    threads: int
    trials: int  # candidates of each kernel, at most
    directory: Path
    cache_dir: Path
    time_limit_s: float  # of each build, measurement and inference
    scheduler: str = ""  # of the Dask cluster that builds; empty: this machine
    networks: tuple[OnnxNetwork, ...] = ()  # of the user's own
    farm: Farm | None = None  # where the target's boards are
    precision: str = FLOAT32
    calibration: Calibration = field(default_factory=Calibration)  # of int8


def tune(request: Tuning, progress: TuningProgress) -> bool:
    """Search tiles for the kernels of all networks; keep those that are faster in the networks.

    Nothing is kept that does not compute what PyTorch computes.

    The history of the search is kept, so that the same request goes on after an interruption.
    Returns whether every variant was right. Raises BenchError for a request that cannot be met.
    """
    target = find_target(request.target)
    _require_writable(request.directory)
    variants: list[Network] = [*map(parse_variant, request.variants), *request.networks]
    with ExitStack() as stack:
        builders = None
        if request.scheduler:
            builders = stack.enter_context(Cluster(request.scheduler, request.cache_dir))
        service = stack.enter_context(
            BuildService(request.cache_dir, request.time_limit_s, builders=builders)
        )
        service.check_target(target, ())
        config = MeasurementConfig(
            target, request.threads, request.time_limit_s, request.cache_dir, request.farm
        )
        state = _ask(config, request.precision)
        target = with_limits(target, state)
        config = replace(config, target=target)
        exported: dict[Network, OnnxModel] = {}
        for variant in variants:
            progress.say(f"{variant.name}: export")
            exported[variant] = service.network(
                variant, Weights(), request.precision, request.calibration
            )
        machine, found = _search(request, target, exported, progress)
        emulated = target.emulated or state.emulated
        new = TileDatabase(
            target.name,
            machine.vector_floats,
            machine.registers,
            _processor(state),
            machine.device_type,
            emulated,
        )
        entries = _confirm(request, config, exported, new.updated(found), service, progress)
        database = _old_database(request) or new
        database = replace(database, cpu_model=_processor(state)).updated(entries)
        good = _agrees_with_pytorch(request, config, exported, database, service, progress)
        if good:
            write_database(_path(request), database)
            progress.say(f"{_gain(entries)}; kept in {_path(request)}")
    return good


def _require_writable(directory: Path) -> None:
    """Raise BenchError for a directory that the database could not be written into in the end.

    It is not made before there is a database.
    """
    try:
        there = next(one for one in (directory, *directory.parents) if one.exists())
        with TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise BenchError(
            f"tuned databases {directory}: {error.strerror}; give --out, or point "
            f"{DIRECTORY_VARIABLE} at, a directory that can be written"
        ) from error


def _ask(config: MeasurementConfig, precision: str) -> DeviceState:
    """Return the device's state; raise BenchError if every measurement would fail."""
    try:
        state = device_state(config)
    except (NoDeviceError, WorkerError) as error:
        raise BenchError(f"target {config.target.name}: {error}") from error
    require_flags(config.target, state)
    if precision == FLOAT16:
        require_half(config.target, state)
    return state


def _processor(state: DeviceState) -> str:
    return state.accelerator.name if state.accelerator else state.cpu_model


def _search(
    request: Tuning, target: Target, exported: dict[Network, OnnxModel], progress: TuningProgress
) -> tuple[Processor, list[Entry]]:
    """Return the machine that is tuned for, and what the search found for every kernel."""
    limit_s = request.time_limit_s
    with Worker(
        _TUNER,
        SearchSettings(
            target=target,
            threads=request.threads,
            precision=request.precision,
            cache_dir=request.cache_dir,
            history=_history(request, target),
            time_limit_s=limit_s,
            farm=request.farm,
        ),
        _builders(request),
        blocked_modules=WITHOUT_TORCH,
    ) as tuner:
        for variant, one in exported.items():
            kernels = tuner.call("add", one.onnx_path, timeout_s=limit_s)
            progress.say(f"{variant.name}: {kernels} kernels so far")
        before = tuner.call("begin", request.trials, timeout_s=limit_s)
        if before:
            progress.say(f"{before} trials were made before")
        progress.say("the first candidates")
        while (step := tuner.call("step", timeout_s=10 * limit_s)) is not None:
            progress.step(step)
        machine: Processor = tuner.call("machine", timeout_s=limit_s)
        entries: list[Entry] = tuner.call("entries", timeout_s=limit_s)
        tuner.call("close", timeout_s=limit_s)
        tuner.finish()
    return machine, entries


def _builders(request: Tuning) -> Callable[[], WorkerPool]:
    """Return what opens the pool of builders in the tuner's process."""
    if request.scheduler:
        return partial(Cluster, request.scheduler, request.cache_dir)
    return partial(LocalWorkerPool, usable_cpus(), {BUILDER: WITHOUT_TORCH})


def _confirm(
    request: Tuning,
    config: MeasurementConfig,
    exported: dict[Network, OnnxModel],
    found: TileDatabase,
    service: BuildService,
    progress: TuningProgress,
) -> list[Entry]:
    """Return the tiles that are faster than the default tiles inside the networks.

    A kernel that runs alone uses caches and strips of rows differently than in a network. So
    networks with found and with default tiles are timed in turns; where the found tile is not at
    least 1 % faster, the default tile is kept.
    """
    default: Counter[str] = Counter()  # microseconds in all networks, by kernel
    tuned: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    options = BuildOptions(config.target, config.threads, precision=request.precision)
    with TemporaryDirectory(prefix="mobilebench-") as directory:
        write_database(Path(directory) / _path(request).name, found)
        for number, (variant, one) in enumerate(exported.items(), 1):
            progress.say(f"{variant.name}: confirm inside the network ({number}/{len(exported)})")
            workload = Workload(variant, Weights(), one.onnx_path, precision=request.precision)
            try:
                artifacts = [
                    service.build(one, replace(options, instrumented=True, databases=databases))
                    for databases in ((), (Path(directory),))
                ]
                times = kernel_microseconds(config, workload, artifacts)
            except (NoDeviceError, WorkerError) as failure:
                raise BenchError(
                    f"{variant.name}: {failure}; no tiles are kept, but the measurements are: the "
                    "same command goes on with them, also with a longer --time-limit"
                ) from failure
            for kernel, before, best in zip(artifacts[0].manifest.kernels, *times, strict=True):
                default[kernel["name"]] += before
                tuned[kernel["name"]] += best
                calls[kernel["name"]] += kernel["calls"]
    return [_confirmed(e, *(c[e.kernel] for c in (default, tuned, calls))) for e in found.entries]


def _confirmed(entry: Entry, default: float, tuned: float, calls: int) -> Entry:
    """Return an entry with times inside networks, and without a tile that is no better there."""
    better = entry.tile is not None and tuned <= _WORTH_KEEPING * default
    return replace(
        entry,
        tile=entry.tile if better else None,
        microseconds=round((tuned if better else default) / calls, 2),
        default_microseconds=round(default / calls, 2),
    )


def _gain(entries: Sequence[Entry]) -> str:
    """Say how many kernels a search made faster."""
    faster = sum(entry.tile is not None for entry in entries)
    return f"{counted(len(entries), 'kernel')}, {faster} of them faster with a tile that was found"


def _agrees_with_pytorch(
    request: Tuning,
    config: MeasurementConfig,
    exported: dict[Network, OnnxModel],
    database: TileDatabase,
    service: BuildService,
    progress: TuningProgress,
) -> bool:
    """Build every variant with a database that is not in its place yet, and compare outputs."""
    with TemporaryDirectory(prefix="mobilebench-") as directory:
        write_database(Path(directory) / _path(request).name, database)
        options = BuildOptions(
            config.target, config.threads, (Path(directory),), precision=request.precision
        )
        for variant, one in exported.items():
            progress.say(f"{variant.name}: check against PyTorch")
            inputs, reference = one.reference()
            try:
                artifact = service.build(one, options)
                workload = Workload(
                    variant,
                    Weights(),
                    one.onnx_path,
                    artifact.library,
                    precision=request.precision,
                )
                outputs = infer_on_device(config, workload, inputs)
            except (NoDeviceError, WorkerError) as failure:
                progress.warn(f"{variant.name}: {failure}; nothing is kept")
                return False
            distance = compare(outputs, reference).relative_l2_error
            if not distance <= tolerance_of(request.precision, variant):
                progress.warn(
                    f"{variant.name}: relative L2 error {distance:.2g} with tuned tiles; nothing "
                    "is kept"
                )
                return False
    return True


def _path(request: Tuning) -> Path:
    return request.directory / f"{find_target(request.target).name}.json"


def _old_database(request: Tuning) -> TileDatabase | None:
    """Return what was tuned before; None if there is nothing, or nothing of use."""
    try:
        return read_database(_path(request))
    except BenchError:
        return None


def _history(request: Tuning, target: Target) -> Path:
    """Return where a search keeps what it measured; other code has another history."""
    key = content_key(
        target.tvm,
        target.limits,
        request.precision,
        source_key(Path(schedules.__file__).parent, PROBE),
    )
    name = f"{target.name}-{request.threads}-{key}"
    return request.cache_dir / "tuning" / name
