"""The run: what the project does, step for step."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import psutil

from mobilebench.bench.accuracy.evaluation import Evaluation
from mobilebench.bench.build.artifact import Artifact
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.bundle.bundle import Bundle
from mobilebench.bench.bundle.checksums import check_sums
from mobilebench.bench.config.effort import find_effort
from mobilebench.bench.measure.cell import Attempt, CellResult, ProfilingInputs, measure_cell
from mobilebench.bench.measure.dispatch import Dispatcher, Job
from mobilebench.bench.measure.memory_analysis import analyse_memory
from mobilebench.bench.measure.on_device import MeasurementConfig, SessionPool, probe_target
from mobilebench.bench.measure.plan import Cell, Context, open_cells
from mobilebench.bench.measure.progress import RunProgress
from mobilebench.bench.measure.record_builder import make_record
from mobilebench.bench.models.onnx_export import OnnxModel
from mobilebench.bench.models.outputs import Reference
from mobilebench.bench.models.size import size_of
from mobilebench.bench.runtimes.runtime import TVM, Workload
from mobilebench.reports.records.activations import Activations
from mobilebench.reports.records.store import Store
from mobilebench.schedules.precision import FLOAT16, FLOAT32
from mobilebench.targets.catalog.target import Target
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import WorkerError
from mobilebench.targets.processes.worker_pool import WorkerPool
from mobilebench.targets.rpc.tracker import boards_of

_MOST_WORKERS = 4
_WORKER_BYTES = 2_000_000_000  # PyTorch, TVM and a network in each


@dataclass(frozen=True)
class Prepared:
    """A cell with all that is made for it before a device is needed."""

    cell: Cell
    exported: OnnxModel | None
    reference: Reference | None
    artifact: Artifact | None
    profiling_inputs: ProfilingInputs | None
    evaluation: Evaluation | None
    plans: dict[str, Activations]  # by runtime
    failed: list[Attempt]


def run_suite(
    context: Context, store: Store, progress: RunProgress, builders: WorkerPool | None
) -> None:
    """Take each variant from PyTorch through ONNX and TVM to records in the store.

    What has a record in this run already is left out, so an interrupted run can be resumed. What
    fails becomes a row that says so. `builders` compile instead of this machine. Raises BenchError
    only for what is wrong with the request, and then the store does not hear of the run.
    """
    cells = open_cells(context, store)
    progress.begin(sum(len(cell.runtimes) for cell in cells))
    limit_s = context.suite.time_limit_s
    with BuildService(context.cache_dir, limit_s, _max_workers(cells), builders) as service:
        cells = _check_request(context, service, cells, progress)
        store.begin_run(context.run)
        sessions = SessionPool()
        dispatcher = Dispatcher(
            partial(_prepare, context, service, progress),
            partial(_measure, context, sessions, progress),
            partial(_count_boards, context),
            service.max_workers,
        )
        progress.watch(dispatcher.fleets)
        try:
            for prepared, result in dispatcher.run([_job(cell) for cell in cells]):
                _keep(context, store, progress, prepared, result)
        finally:
            sessions.close()


def _job(cell: Cell) -> Job[Cell]:
    return Job(cell, cell.target.tracker_key, size_of(cell.variant).macs / cell.threads)


def _max_workers(cells: Sequence[Cell]) -> int:
    """Return how many cells are prepared here at once: as processors and memory allow."""
    roomy = psutil.virtual_memory().available // _WORKER_BYTES
    return max(1, min(len(cells), os.cpu_count() or 1, _MOST_WORKERS, roomy))


def _count_boards(context: Context, key: str) -> int:
    farms = (context.farm(target) for target in context.targets if target.tracker_key == key)
    return max(len(boards_of(farm.tracker, key)) for farm in farms if farm)


def _prepare(
    context: Context, service: BuildService, progress: RunProgress, cell: Cell
) -> Prepared:
    """Make all that a cell needs before its device does."""
    if cell.bundle:
        return _take_bundle(cell, cell.bundle)
    progress.stage(cell.title, "export")
    exported, unexported = _export(context, service, cell)
    progress.stage(cell.title, "compile")
    artifact, profiling_inputs, unbuilt = _build(context, service, cell, exported)
    evaluation = _prepare_evaluation(context, service, cell, progress)
    plans = analyse_memory(context, service, cell, exported, artifact, progress)
    reference = Reference(*exported.reference()) if exported else None
    failed = [*unexported, *unbuilt]
    return Prepared(
        cell, exported, reference, artifact, profiling_inputs, evaluation, plans, failed
    )


def _take_bundle(cell: Cell, bundle: Bundle) -> Prepared:
    """Return what was exported, if it still is what was opened when the run began."""
    failed = []
    try:
        if check_sums(bundle.directory).sha256 != bundle.sha256:
            raise ValueError("it is another one than when the run began")
    except (OSError, ValueError) as error:
        failed = [Attempt(TVM, "load_failed", f"bundle {bundle.directory}: {error}")]
    reference = None if failed else bundle.reference()
    return Prepared(cell, None, reference, bundle.artifact, None, None, {}, failed)


def _keep(
    context: Context, store: Store, progress: RunProgress, prepared: Prepared, result: CellResult
) -> None:
    """Write a cell's rows."""
    for attempt in result.attempts:
        record = make_record(
            context, prepared.cell, attempt, result, prepared.exported, prepared.artifact
        )
        good = record.status == "ok"
        kernel_profile = result.kernel_profile if good and attempt.runtime == TVM else None
        planned = prepared.plans.get(attempt.runtime) if good else None
        if planned and attempt.loaded and attempt.usage:
            planned = replace(
                planned,
                loaded_heap_bytes=attempt.loaded.heap_bytes,
                used_heap_bytes=attempt.usage.heap_bytes,
            )
        store.add(
            record,
            attempt.rounds_ms if good else (),
            kernel_profile.kernels if kernel_profile else (),
            planned,
        )
        progress.done(record)


def _check_request(
    context: Context, service: BuildService, cells: Sequence[Cell], progress: RunProgress
) -> list[Cell]:
    """Refuse now what would fail in every row: targets, devices or weights that do not fit.

    Returns the cells with what live devices have told of their limits.
    """
    live = {cell.target.name: cell.target for cell in cells}
    for target in live.values():
        for refusal in service.check_target(target, context.databases):
            progress.warn(refusal)
        if target.tracker_key:
            progress.say(f"{target.name}: wait for a board")
        own = (cell for cell in cells if cell.target.name == target.name)
        half = any(cell.precision == FLOAT16 for cell in own)
        exported = (one for one in context.bundles if one.target.name == target.name)
        built = next((one.manifest.architecture for one in exported), "")
        live[target.name] = probe_target(
            config_for(context, target, threads=1), FLOAT16 if half else FLOAT32, built
        )
    # Weights that fit a network at one size fit it at all.
    models = {(c.weights, replace(c.variant, height=0, width=0)): c.variant for c in cells}
    for (weights, _), variant in models.items():
        if not weights.sha256 or context.bundles:  # a bundle has them
            continue
        try:
            service.check_weights(variant, weights)
        except WorkerError as error:
            raise BenchError(f"checkpoint {weights.source}: {error}") from error
    return [replace(cell, target=live[cell.target.name]) for cell in cells]


def _export(
    context: Context, service: BuildService, cell: Cell
) -> tuple[OnnxModel | None, list[Attempt]]:
    """Return the exported variant, or a failed attempt for every runtime."""
    try:
        return service.to_onnx(cell.variant, cell.weights), []
    except (BenchError, WorkerError) as error:
        return None, [Attempt(name, "to_onnx_failed", str(error)) for name in cell.runtimes]


def _prepare_evaluation(
    context: Context, service: BuildService, cell: Cell, progress: RunProgress
) -> Evaluation | None:
    """Return the images with PyTorch's answers; None without data."""
    if context.dataset is None:
        return None
    progress.stage(cell.title, f"PyTorch on {len(context.dataset)} images")
    try:
        return service.evaluate(cell.variant, cell.weights, context.dataset)
    except WorkerError as error:
        progress.warn(f"{cell.title}: no accuracy: {error}")
        return None


def _build(
    context: Context, service: BuildService, cell: Cell, exported: OnnxModel | None
) -> tuple[Artifact | None, ProfilingInputs | None, list[Attempt]]:
    """Return the artifact if TVM is to run, and what a look inside needs; or its failed attempt."""
    if exported is None or TVM not in cell.runtimes:
        return None, None, []
    make = partial(
        service.build,
        cell.variant,
        exported,
        cell.target,
        cell.threads,
        context.databases,
        cell.precision,
        context.suite.optimize_for,
    )
    try:
        artifact = make()
        profiling_inputs = None
        if context.suite.kernels:
            profiling_inputs = ProfilingInputs(
                make(instrumented=True), service.build_roofline_peaks(cell.target, cell.threads)
            )
    except (BenchError, WorkerError) as error:
        return None, None, [Attempt(TVM, "compile_failed", str(error))]
    return artifact, profiling_inputs, []


def _measure(
    context: Context, sessions: SessionPool, progress: RunProgress, prepared: Prepared
) -> tuple[Prepared, CellResult]:
    """Measure the runtimes that have not failed yet."""
    cell, exported, artifact = prepared.cell, prepared.exported, prepared.artifact
    failed = {one.runtime for one in prepared.failed}
    left = [name for name in cell.runtimes if name not in failed]
    if prepared.reference is None or not left:
        return prepared, CellResult(prepared.failed)
    progress.stage(cell.title, "measure")
    workload = Workload(
        cell.variant,
        cell.weights,
        onnx_path=exported.onnx_path if exported else Path(),
        library=artifact.library if artifact else None,
        params_path=artifact.params_path if artifact else None,
        precision=cell.precision,
    )
    config = config_for(context, cell.target, cell.threads)
    if config.farm:  # this machine's own get a fresh process, as every other runtime does
        config = replace(config, sessions=sessions)
    result = measure_cell(
        config, left, workload, prepared.reference, prepared.profiling_inputs, prepared.evaluation
    )
    return prepared, replace(result, attempts=[*prepared.failed, *result.attempts])


def config_for(context: Context, target: Target, threads: int) -> MeasurementConfig:
    """Return where a target is measured, and how thoroughly the suite asks for it."""
    return MeasurementConfig(
        target=target,
        threads=threads,
        time_limit_s=context.suite.time_limit_s,
        cache_dir=context.cache_dir,
        farm=context.farm(target),
        effort=find_effort(context.suite.effort),
        retries=context.suite.retries,
    )
