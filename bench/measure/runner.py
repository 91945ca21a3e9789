"""The run, step for step.

Each cell is a network at a precision on a target. It is exported from PyTorch to ONNX and built
into an artifact (`preparation`), which runs on a device beside the other runtimes and is compared
with PyTorch (`cell`); the store keeps a record of each runtime (`record_builder`).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil

from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.config.suite import runs_here
from mobilebench.bench.measure.attempt import CellResult
from mobilebench.bench.measure.cell import CellInputs, measure_cell
from mobilebench.bench.measure.dispatch import Dispatcher, Job
from mobilebench.bench.measure.plan import open_cells
from mobilebench.bench.measure.planned_cell import PlannedCell
from mobilebench.bench.measure.preparation import Preparation, Prepared
from mobilebench.bench.measure.progress import RunProgress
from mobilebench.bench.measure.record_builder import make_record
from mobilebench.bench.measure.request_check import check_request
from mobilebench.bench.measure.run_context import RunContext
from mobilebench.bench.measure.session_pool import SessionPool
from mobilebench.bench.models.input_type import FLOATS
from mobilebench.bench.models.size import size_of
from mobilebench.bench.runtimes.runtime import TVM, Workload
from mobilebench.reports.records.store import Store
from mobilebench.targets.processes.cpu_allowance import usable_cpus
from mobilebench.targets.processes.worker_pool import WorkerPool
from mobilebench.targets.rpc.tracker import boards_of

_MOST_WORKERS = 4
_WORKER_BYTES = 2_000_000_000  # memory of a worker: PyTorch, TVM and a network


def run_suite(
    context: RunContext, store: Store, progress: RunProgress, builders: WorkerPool | None
) -> None:
    """Take each cell from PyTorch through ONNX and TVM to records in the store.

    Cells that have a record in this run already are left out, so an interrupted run can be resumed.
    A failure becomes a failed row. `builders` compile instead of this machine. Raises BenchError
    only if the request is wrong, and then nothing is written to the store.
    """
    cells = open_cells(context, store)
    progress.begin(sum(len(cell.runtimes) for cell in cells))
    limit_s = context.suite.time_limit_s
    with (
        BuildService(context.cache_dir, limit_s, _max_workers(cells), builders) as service,
        SessionPool() as sessions,
    ):
        cells = check_request(context, service, cells, progress)
        store.begin_run(context.run)
        dispatcher = Dispatcher(
            prepare=Preparation(context, service, progress).prepare,
            measure=partial(_measure, context, sessions, progress),
            boards=partial(_count_boards, context),
            max_workers=service.max_workers,
        )
        progress.watch(dispatcher.fleets)
        try:
            for prepared, result in dispatcher.run([_job(cell) for cell in cells]):
                _keep(context, store, progress, prepared, result)
        except KeyboardInterrupt:
            progress.leave()  # before the workers are killed, of which no one wants to hear
            raise


def _job(cell: PlannedCell) -> Job[PlannedCell]:
    return Job(cell, cell.target.tracker_key, size_of(cell.variant).macs / cell.threads)


def _max_workers(cells: Sequence[PlannedCell]) -> int:
    """Return how many cells are prepared here at once, limited by processors and memory."""
    fitting = psutil.virtual_memory().available // _WORKER_BYTES
    return max(1, min(len(cells), usable_cpus(), _MOST_WORKERS, fitting))


def _count_boards(context: RunContext, key: str) -> int:
    farms = (context.farm(target) for target in context.targets if target.tracker_key == key)
    return max(len(boards_of(farm.tracker, key)) for farm in farms if farm)


def _measure(
    context: RunContext, sessions: SessionPool, progress: RunProgress, prepared: Prepared
) -> tuple[Prepared, CellResult]:
    """Measure the runtimes that have not failed yet."""
    cell, exported, artifact = prepared.cell, prepared.exported, prepared.artifact
    failed = {one.runtime for one in prepared.failed}
    left = tuple(name for name in cell.runtimes if name not in failed)
    if prepared.reference is None or not left:
        return prepared, CellResult(prepared.failed)
    progress.stage(cell.title, "measure")
    workload = Workload(
        cell.variant,
        cell.weights,
        onnx_path=prepared.onnx_path or Path(),
        library=artifact.library if artifact else None,
        params_path=artifact.params_path if artifact else None,
        precision=cell.precision,
        batch=cell.batch,
        input_type=artifact.manifest.input_type if artifact else FLOATS,
        float_onnx_path=prepared.float_onnx_path,
        calibration=context.calibration,
    )
    inputs = CellInputs(
        runtimes=left,
        workload=workload,
        reference=prepared.reference,
        float_outputs=exported.float_outputs() if exported else None,
        profiling=prepared.profiling_inputs,
        evaluation=prepared.evaluation,
        layers=prepared.layers,
        stage_images=context.stage_images if cell.is_single and runs_here(cell.target) else (),
        agreed_error=prepared.agreed_error,
        tell=partial(progress.step, cell.title),
    )
    config = context.measurement_config(cell.target, cell.threads, cell.streams)
    if config.farm:  # on this machine TVM gets a new process, as every other runtime does
        config = replace(config, sessions=sessions)
    result = measure_cell(config, inputs)
    progress.step(cell.title, "")
    return prepared, replace(result, attempts=[*prepared.failed, *result.attempts])


def _keep(
    context: RunContext,
    store: Store,
    progress: RunProgress,
    prepared: Prepared,
    result: CellResult,
) -> None:
    """Keep a record of each runtime, with its samples, kernels and memory plans."""
    for attempt in result.attempts:
        record = make_record(context, prepared, attempt, result)
        kernel_profile = result.kernel_profile if attempt.ok and attempt.runtime == TVM else None
        planned = prepared.plans.get(attempt.runtime) if attempt.ok else None
        if planned and attempt.loaded and attempt.usage:
            planned = replace(
                planned,
                loaded_heap_bytes=attempt.loaded.heap_bytes,
                used_heap_bytes=attempt.usage.heap_bytes,
            )
        keeps_trace = attempt.ok and context.load and context.load.keeps_trace
        store.add(
            record,
            attempt.rounds_ms if attempt.ok else (),
            kernel_profile.kernels if kernel_profile else (),
            planned,
            attempt.load.trace if attempt.load and keeps_trace else (),
            attempt.calibrations if attempt.ok else (),
        )
        progress.done(record)
