"""Prepares a cell before a device is needed: ONNX file, artifact, reference, images."""

from dataclasses import dataclass, field, replace

from mobilebench.bench.accuracy.evaluation import Evaluation
from mobilebench.bench.build.artifact import Artifact
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.bundle.bundle import Bundle
from mobilebench.bench.bundle.checksums import check_sums
from mobilebench.bench.measure.attempt import Attempt
from mobilebench.bench.measure.cell import ProfilingInputs
from mobilebench.bench.measure.memory_analysis import analyse_memory
from mobilebench.bench.measure.planned_cell import PlannedCell
from mobilebench.bench.measure.progress import RunProgress
from mobilebench.bench.measure.run_context import RunContext
from mobilebench.bench.models.onnx_export import OnnxModel
from mobilebench.bench.models.outputs import Reference
from mobilebench.bench.runtimes.runtime import TVM, find_runtime
from mobilebench.reports.records.activations import Activations
from mobilebench.schedules.precision import INT8
from mobilebench.targets.catalog.target import CPU, Target
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import WorkerError


@dataclass(frozen=True)
class Prepared:
    """A cell with all that was prepared for it; None for parts that failed."""

    cell: PlannedCell
    exported: OnnxModel | None = None
    reference: Reference | None = None
    artifact: Artifact | None = None
    profiling_inputs: ProfilingInputs | None = None
    evaluation: Evaluation | None = None
    plans: dict[str, Activations] = field(default_factory=dict)  # by runtime
    failed: list[Attempt] = field(default_factory=list)


class Preparation:
    """Prepares cells; a failure becomes a failed attempt. Threads may share it."""

    def __init__(self, context: RunContext, service: BuildService, progress: RunProgress) -> None:
        self._context = context
        self._service = service
        self._progress = progress

    def prepare(self, cell: PlannedCell) -> Prepared:
        """Export a cell's network to ONNX, and build its artifact if TVM is to run."""
        if cell.bundle:
            return _take_bundle(cell, cell.bundle)
        self._progress.stage(cell.title, "export")
        exported, unexported = self._export(cell)
        self._progress.stage(cell.title, "compile")
        artifact, profiling_inputs, unbuilt = self._build(cell, exported)
        evaluation = self._evaluation(cell)
        plans = analyse_memory(
            *(self._context, self._service, cell, exported, artifact, self._progress)
        )
        return Prepared(
            cell=cell,
            exported=exported,
            reference=Reference(*exported.reference()) if exported else None,
            artifact=artifact,
            profiling_inputs=profiling_inputs,
            evaluation=evaluation,
            plans=plans,
            failed=[*unexported, *unbuilt],
        )

    def _export(self, cell: PlannedCell) -> tuple[OnnxModel | None, list[Attempt]]:
        """Return the exported network, quantized if asked for, and failed attempts.

        A runtime without 8-bit arithmetic fails alone, all if there is no network.
        """
        try:
            exported = self._service.to_onnx(cell.variant, cell.weights)
        except (BenchError, WorkerError) as error:
            return None, [Attempt(name, "to_onnx_failed", str(error)) for name in cell.runtimes]
        if cell.precision != INT8:
            return exported, []
        unsupported = [
            Attempt(name, "unsupported", reason)
            for name in cell.runtimes
            if (reason := _without_int8(cell.target, name))
        ]
        if len(unsupported) == len(cell.runtimes):
            return None, unsupported
        self._progress.stage(cell.title, "quantize")
        network = (exported, cell.variant, cell.weights)
        try:
            return self._service.quantize(*network, self._context.calibration), unsupported
        except (BenchError, WorkerError) as error:
            return None, [Attempt(name, "quantize_failed", str(error)) for name in cell.runtimes]

    def _build(
        self, cell: PlannedCell, exported: OnnxModel | None
    ) -> tuple[Artifact | None, ProfilingInputs | None, list[Attempt]]:
        """Return the artifact and, if kernels are to be timed, the inputs for that.

        None where TVM does not run; a failed attempt of TVM if the build fails.
        """
        unsupported = cell.precision == INT8 and _without_int8(cell.target, TVM)
        if exported is None or TVM not in cell.runtimes or unsupported:
            return None, None, []
        service, options = self._service, self._context.build_options(cell)
        try:
            artifact = service.build(exported, options)
            profiling_inputs = None
            if self._context.suite.kernels:
                profiling_inputs = ProfilingInputs(
                    service.build(exported, replace(options, instrumented=True, dump_ir=None)),
                    service.build_roofline_peaks(cell.target, cell.threads),
                )
        except (BenchError, WorkerError) as error:
            return None, None, [Attempt(TVM, "compile_failed", str(error))]
        return artifact, profiling_inputs, []

    def _evaluation(self, cell: PlannedCell) -> Evaluation | None:
        """Return the images with PyTorch's predictions; None without data."""
        dataset = self._context.dataset
        if dataset is None:
            return None
        self._progress.stage(cell.title, f"PyTorch on {len(dataset)} images")
        try:
            return self._service.evaluate(cell.variant, cell.weights, dataset)
        except WorkerError as error:
            self._progress.warn(f"{cell.title}: accuracy is not measured: {error}")
            return None


def _without_int8(target: Target, runtime: str) -> str:
    """Return why a runtime does not compute in int8 on a target; empty if it does."""
    if target.device_type != CPU:
        return f"{target.name} has no int8; leave out --precision int8 for it"
    if not find_runtime(runtime).has_int8:
        return f"{runtime} has no int8; leave out --precision int8 for it"
    return ""


def _take_bundle(cell: PlannedCell, bundle: Bundle) -> Prepared:
    """Return the bundle's artifact if the bundle has not changed since the run began."""
    try:
        if check_sums(bundle.directory).sha256 != bundle.sha256:
            raise ValueError("it has changed since the run began")
    except (OSError, ValueError) as error:
        failed = Attempt(TVM, "load_failed", f"bundle {bundle.directory}: {error}")
        return Prepared(cell, artifact=bundle.artifact, failed=[failed])
    return Prepared(cell, reference=bundle.reference(), artifact=bundle.artifact)
