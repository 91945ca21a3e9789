"""The run: what the project does, step for step."""

from collections.abc import Sequence
from dataclasses import replace

from bench.artifact import Artifact
from bench.assemble import make_record
from bench.cell import Attempt, Bench, CellResult, Inside, device_state, look_inside, measure_cell
from bench.latency import find_profile
from bench.onnx_export import Exported
from bench.plan import Cell, Context, open_cells
from bench.progress import Progress
from bench.runtimes.runtime import TVM, Workload
from bench.workshop import Workshop
from reports.store import Store
from targets.device import require_flags
from targets.errors import BenchError
from targets.worker import WorkerError


def run_suite(context: Context, store: Store, progress: Progress) -> None:
    """Take each variant from PyTorch through ONNX and TVM to records in the store.

    What has a record in this run already is left out, so an interrupted run can be resumed. What
    fails becomes a row that says so. Raises BenchError only for what is wrong with the request, and
    then the store does not hear of the run.
    """
    cells = open_cells(context, store)
    progress.begin(sum(len(cell.runtimes) for cell in cells))
    with Workshop(context.cache_dir, context.suite.time_limit_s) as workshop:
        _check_request(context, workshop, cells, progress)
        store.begin_run(context.run)
        for cell in cells:
            progress.say(f"{cell.title}: export")
            exported, unexported = _export(context, workshop, cell)
            progress.say(f"{cell.title}: compile")
            artifact, unbuilt = _build(context, workshop, cell, exported)
            progress.say(f"{cell.title}: measure")
            result = _measure(context, workshop, cell, exported, artifact, unexported or unbuilt)
            for attempt in result.attempts:
                record = make_record(context, cell, attempt, result, exported, artifact)
                good = record.status == "ok"
                inside = result.inside if good and attempt.runtime == TVM else None
                store.add(
                    record, attempt.rounds_ms if good else (), inside.kernels if inside else ()
                )
                progress.done(record)


def _check_request(
    context: Context, workshop: Workshop, cells: Sequence[Cell], progress: Progress
) -> None:
    """Refuse now what would fail in every row: targets, devices or weights that do not fit."""
    for target in {cell.target.name: cell.target for cell in cells}.values():
        try:
            for refusal in workshop.check_target(target, context.databases):
                progress.warn(refusal)
            state = device_state(target, context.cache_dir, context.suite.time_limit_s)
        except WorkerError as error:
            raise BenchError(f"target {target.name}: {error}; see `mobilebench doctor`") from error
        require_flags(target, state)
    if context.weights.sha256:
        for variant in {c.variant.width_multiplier: c.variant for c in cells}.values():
            try:
                workshop.check_weights(variant, context.weights)
            except WorkerError as error:
                raise BenchError(f"checkpoint {context.weights.source}: {error}") from error


def _export(
    context: Context, workshop: Workshop, cell: Cell
) -> tuple[Exported | None, list[Attempt]]:
    """Return the exported variant, or a failed attempt for every runtime."""
    try:
        return workshop.export(cell.variant, context.weights), []
    except (BenchError, WorkerError) as error:
        return None, [Attempt(name, "export_failed", str(error)) for name in cell.runtimes]


def _build(
    context: Context, workshop: Workshop, cell: Cell, exported: Exported | None
) -> tuple[Artifact | None, list[Attempt]]:
    """Return the artifact if TVM is to run, or its failed attempt."""
    if exported is None or TVM not in cell.runtimes:
        return None, []
    try:
        return _artifact(context, workshop, cell, exported), []
    except (BenchError, WorkerError) as error:
        return None, [Attempt(TVM, "compile_failed", str(error))]


def _artifact(
    context: Context, workshop: Workshop, cell: Cell, exported: Exported, marked: bool = False
) -> Artifact:
    return workshop.build(
        cell.variant,
        exported,
        cell.target,
        cell.threads,
        context.databases,
        context.suite.prefer,
        marked,
    )


def _measure(
    context: Context,
    workshop: Workshop,
    cell: Cell,
    exported: Exported | None,
    artifact: Artifact | None,
    failed: list[Attempt],
) -> CellResult:
    """Measure the runtimes that have not failed yet."""
    left = [name for name in cell.runtimes if name not in {one.runtime for one in failed}]
    if exported is None or not left:
        return CellResult(failed)
    bench = Bench(
        target=cell.target,
        threads=cell.threads,
        profile=find_profile(context.suite.profile),
        time_limit_s=context.suite.time_limit_s,
        cache_dir=context.cache_dir,
    )
    library = artifact.library if artifact else None
    workload = Workload(cell.variant, context.weights, exported.onnx_path, library)
    result = measure_cell(bench, left, workload, exported)
    result = replace(result, attempts=[*failed, *result.attempts])
    measured = {one.runtime: one for one in result.attempts if one.status == "ok"}
    if context.suite.kernels and TVM in measured:
        inside, reason = _look_inside(context, workshop, cell, bench, workload, exported)
        measured[TVM].remark = reason
        result = replace(result, inside=inside)
    return result


def _look_inside(
    context: Context,
    workshop: Workshop,
    cell: Cell,
    bench: Bench,
    workload: Workload,
    exported: Exported,
) -> tuple[Inside | None, str]:
    """Return how long each kernel takes, or why that is not known."""
    try:
        marked = _artifact(context, workshop, cell, exported, marked=True)
        ceilings = workshop.build_ceilings(cell.target, cell.threads)
        return look_inside(bench, workload, marked, ceilings), ""
    except (BenchError, WorkerError) as error:
        return None, f"kernels were not timed: {error}"
