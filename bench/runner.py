"""The run: what the project does, step for step."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from bench.accounts import account
from bench.accuracy.exam import Exam
from bench.artifact import Artifact
from bench.assemble import make_record
from bench.cell import Attempt, CellResult, Look, measure_cell
from bench.dispatch import Dispatcher
from bench.latency import find_profile
from bench.on_device import Bench, device_state
from bench.onnx_export import Exported
from bench.plan import Cell, Context, open_cells
from bench.progress import Progress
from bench.runtimes.runtime import TVM, Workload
from bench.workshop import Workshop
from reports.activations import Activations
from reports.store import Store
from schedules.precision import FLOAT16
from targets.device import require_flags, require_half, with_limits
from targets.errors import BenchError, NoDeviceError
from targets.target import Target
from targets.tracker import boards_of
from targets.worker import WorkerError

Finish = Callable[[CellResult], None]


def run_suite(context: Context, store: Store, progress: Progress) -> None:
    """Take each variant from PyTorch through ONNX and TVM to records in the store.

    What has a record in this run already is left out, so an interrupted run can be resumed. What
    fails becomes a row that says so. Raises BenchError only for what is wrong with the request, and
    then the store does not hear of the run.
    """
    cells = open_cells(context, store)
    progress.begin(sum(len(cell.runtimes) for cell in cells))
    with Workshop(context.cache_dir, context.suite.time_limit_s) as workshop:
        cells = _check_request(context, workshop, cells, progress)
        store.begin_run(context.run)
        boards: Dispatcher[Callable[[], None]] = Dispatcher(partial(_count_boards, context))
        for cell in cells:
            progress.say(f"{cell.title}: export")
            exported, unexported = _export(context, workshop, cell)
            progress.say(f"{cell.title}: compile")
            artifact, look, unbuilt = _build(context, workshop, cell, exported)
            exam = _prepare_exam(context, workshop, cell, progress)
            plans = account(context, workshop, cell, exported, artifact, progress)
            measure = partial(_measure, context, cell, exported, artifact, look, exam)
            finish = partial(_finish, context, store, progress, cell, exported, artifact, plans)
            failed = [*unexported, *unbuilt]
            if context.farm(cell.target):
                # Boards measure while this machine compiles for the next.
                boards.submit(cell.target.key, partial(_then, measure, failed, finish))
                _keep(boards, progress, wait=False)
            else:
                # They are done before this machine is measured itself.
                _keep(boards, progress, wait=True)
                progress.say(f"{cell.title}: measure")
                finish(measure(failed))
        _keep(boards, progress, wait=True)


def _then(
    measure: Callable[[list[Attempt]], CellResult], failed: list[Attempt], finish: Finish
) -> Callable[[], None]:
    """Measure on a board, in a thread; what is to be done with the result is for the main one."""
    return partial(finish, measure(failed))


def _keep(boards: Dispatcher[Callable[[], None]], progress: Progress, *, wait: bool) -> None:
    """Write the rows of cells that boards are done with."""
    if wait and boards.open:
        progress.say("waiting for boards")
    for finish in boards.results(wait=wait):
        finish()


def _count_boards(context: Context, key: str) -> int:
    farms = (context.farm(target) for target in context.targets if target.key == key)
    return max(len(boards_of(farm.tracker, key)) for farm in farms if farm)


def _finish(
    context: Context,
    store: Store,
    progress: Progress,
    cell: Cell,
    exported: Exported | None,
    artifact: Artifact | None,
    plans: dict[str, Activations],
    result: CellResult,
) -> None:
    """Write a cell's rows."""
    for attempt in result.attempts:
        record = make_record(context, cell, attempt, result, exported, artifact)
        good = record.status == "ok"
        inside = result.inside if good and attempt.runtime == TVM else None
        planned = plans.get(attempt.runtime) if good else None
        if planned and attempt.loaded and attempt.usage:
            planned = replace(
                planned,
                loaded_heap_bytes=attempt.loaded.heap_bytes,
                used_heap_bytes=attempt.usage.heap_bytes,
            )
        store.add(
            record,
            attempt.rounds_ms if good else (),
            inside.kernels if inside else (),
            planned,
        )
        progress.done(record)


def _check_request(
    context: Context, workshop: Workshop, cells: Sequence[Cell], progress: Progress
) -> list[Cell]:
    """Refuse now what would fail in every row: targets, devices or weights that do not fit.

    Returns the cells with what live devices have told of their limits.
    """
    live = {cell.target.name: cell.target for cell in cells}
    for target in live.values():
        try:
            for refusal in workshop.check_target(target, context.databases):
                progress.warn(refusal)
            if target.key:
                progress.say(f"{target.name}: wait for a board")
            state = device_state(_bench(context, target, threads=1))
        except NoDeviceError as error:
            raise BenchError(f"target {target.name}: {error}") from error
        except WorkerError as error:
            raise BenchError(f"target {target.name}: {error}; see `mobilebench doctor`") from error
        require_flags(target, state)
        if any(cell.precision == FLOAT16 for cell in cells if cell.target.name == target.name):
            require_half(target, state)
        live[target.name] = with_limits(target, state)
    # Weights that fit a network at one size fit it at all.
    models = {(c.weights, replace(c.variant, height=0, width=0)): c.variant for c in cells}
    for (weights, _), variant in models.items():
        if not weights.sha256:
            continue
        try:
            workshop.check_weights(variant, weights)
        except WorkerError as error:
            raise BenchError(f"checkpoint {weights.source}: {error}") from error
    return [replace(cell, target=live[cell.target.name]) for cell in cells]


def _export(
    context: Context, workshop: Workshop, cell: Cell
) -> tuple[Exported | None, list[Attempt]]:
    """Return the exported variant, or a failed attempt for every runtime."""
    try:
        return workshop.export(cell.variant, cell.weights), []
    except (BenchError, WorkerError) as error:
        return None, [Attempt(name, "export_failed", str(error)) for name in cell.runtimes]


def _prepare_exam(
    context: Context, workshop: Workshop, cell: Cell, progress: Progress
) -> Exam | None:
    """Return the images with PyTorch's answers; None without data."""
    if context.dataset is None:
        return None
    progress.say(f"{cell.title}: PyTorch on {len(context.dataset)} images")
    try:
        return workshop.examine(cell.variant, cell.weights, context.dataset)
    except WorkerError as error:
        progress.warn(f"{cell.title}: no accuracy: {error}")
        return None


def _build(
    context: Context, workshop: Workshop, cell: Cell, exported: Exported | None
) -> tuple[Artifact | None, Look | None, list[Attempt]]:
    """Return the artifact if TVM is to run, and what a look inside needs; or its failed attempt."""
    if exported is None or TVM not in cell.runtimes:
        return None, None, []
    make = partial(
        workshop.build,
        cell.variant,
        exported,
        cell.target,
        cell.threads,
        context.databases,
        cell.precision,
        context.suite.prefer,
    )
    try:
        artifact = make()
        look = None
        if context.suite.kernels:
            look = Look(make(marked=True), workshop.build_ceilings(cell.target, cell.threads))
    except (BenchError, WorkerError) as error:
        return None, None, [Attempt(TVM, "compile_failed", str(error))]
    return artifact, look, []


def _measure(
    context: Context,
    cell: Cell,
    exported: Exported | None,
    artifact: Artifact | None,
    look: Look | None,
    exam: Exam | None,
    failed: list[Attempt],
) -> CellResult:
    """Measure the runtimes that have not failed yet."""
    left = [name for name in cell.runtimes if name not in {one.runtime for one in failed}]
    if exported is None or not left:
        return CellResult(failed)
    library = artifact.library if artifact else None
    workload = Workload(
        cell.variant, cell.weights, exported.onnx_path, library, precision=cell.precision
    )
    bench = _bench(context, cell.target, cell.threads)
    result = measure_cell(bench, left, workload, exported, look, exam)
    return replace(result, attempts=[*failed, *result.attempts])


def _bench(context: Context, target: Target, threads: int) -> Bench:
    return Bench(
        target=target,
        threads=threads,
        time_limit_s=context.suite.time_limit_s,
        cache_dir=context.cache_dir,
        farm=context.farm(target),
        profile=find_profile(context.suite.profile),
        retries=context.suite.retries,
    )
