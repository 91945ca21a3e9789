"""The memory that runtimes plan for activations, beside the memory that the graph needs."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mobilebench.bench.build.artifact import Artifact
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.measure.planned_cell import PlannedCell
from mobilebench.bench.measure.progress import RunProgress
from mobilebench.bench.measure.run_context import RunContext
from mobilebench.bench.models.onnx_export import OnnxModel
from mobilebench.bench.runtimes.runtime import TVM
from mobilebench.reports.records.activations import (
    ARENA,
    LATENCY_PLAN,
    MEMORY_PLAN,
    PATTERN_PLAN,
    Activations,
)
from mobilebench.schedules.objective import LATENCY, MEMORY
from mobilebench.targets.catalog.target import CPU
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import Worker, WorkerError

if TYPE_CHECKING:  # it imports ONNX Runtime
    from mobilebench.bench.runtimes.onnxruntime_arena import ArenaUse

ONNXRUNTIME = "onnxruntime"
_ARENA = "mobilebench.bench.runtimes.onnxruntime_arena"
_PLANS = {LATENCY: LATENCY_PLAN, MEMORY: MEMORY_PLAN}


def analyse_memory(
    context: RunContext,
    service: BuildService,
    cell: PlannedCell,
    exported: OnnxModel | None,
    artifact: Artifact | None,
    progress: RunProgress,
) -> dict[str, Activations]:
    """Return needs and plans by runtime; empty unless the suite asks for memory.

    If a plan cannot be determined, only this plan is left out, with a warning.
    """
    if not context.suite.memory or exported is None:
        return {}
    progress.stage(cell.title, "plan memory")
    try:
        quantization = exported.quantization  # activations are those of the network before it
        onnx_path = quantization.float_onnx_path if quantization else exported.onnx_path
        needs = service.activations(onnx_path, cell.precision)
    except (BenchError, WorkerError) as error:
        progress.warn(f"{cell.title}: activations: {error}")
        return {}
    found = {}
    for runtime in cell.runtimes:
        plans: dict[str, int] = {}
        try:
            if runtime == TVM and artifact is not None:
                plans = _tvm_plans(context, service, cell, exported, artifact)
            elif runtime == ONNXRUNTIME and not cell.target.tracker_key:  # this machine's
                use = arena_use(context, cell, exported.onnx_path)
                plans = {PATTERN_PLAN: use.pattern_bytes, ARENA: use.arena_bytes}
        except (BenchError, WorkerError) as error:
            progress.warn(f"{cell.title}: what {runtime} plans for activations: {error}")
        found[runtime] = replace(needs, plans=plans)
    return found


def arena_use(context: RunContext, cell: PlannedCell, onnx_path: Path) -> "ArenaUse":
    """Return how much memory ONNX Runtime uses for a cell's activations."""
    with Worker(_ARENA) as worker:  # in a new process, because it changes the arena of its process
        args = (onnx_path, cell.variant.input_shape, cell.threads)
        use: ArenaUse = worker.call("measure", *args, timeout_s=context.suite.time_limit_s)
        return use


def _tvm_plans(
    context: RunContext,
    service: BuildService,
    cell: PlannedCell,
    exported: OnnxModel,
    artifact: Artifact,
) -> dict[str, int]:
    """Return what TVM plans for both objectives; a GPU has one plan."""
    asked = context.suite.optimize_for
    plans = {}
    for objective, name in _PLANS.items():
        if objective == asked:
            plans[name] = artifact.manifest.arena_bytes
        elif cell.target.device_type == CPU:
            options = context.build_options(cell)
            options = replace(options, optimize_for=objective, dump_ir=None)
            built = service.build(exported, options)
            plans[name] = built.manifest.arena_bytes
    return plans
