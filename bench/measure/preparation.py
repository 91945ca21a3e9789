"""Prepares a cell before a device is needed: ONNX file, artifact, reference, images."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from mobilebench.bench.accuracy.evaluation import Evaluation
from mobilebench.bench.build.artifact import Artifact
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.bundle.bundle import Bundle
from mobilebench.bench.bundle.checksums import check_sums
from mobilebench.bench.measure.attempt import Attempt
from mobilebench.bench.measure.cell import ProfilingInputs
from mobilebench.bench.measure.layers import LayerCheck, layers_of
from mobilebench.bench.measure.memory_analysis import analyse_memory
from mobilebench.bench.measure.planned_cell import PlannedCell
from mobilebench.bench.measure.progress import RunProgress
from mobilebench.bench.measure.run_context import RunContext
from mobilebench.bench.models.find_weights import assumed_of
from mobilebench.bench.models.onnx_export import OnnxModel
from mobilebench.bench.models.onnx_network import OnnxNetwork
from mobilebench.bench.models.outputs import Reference
from mobilebench.bench.runtimes.runtime import TVM
from mobilebench.reports.records.activations import Activations
from mobilebench.reports.records.record import UNSUPPORTED
from mobilebench.schedules.kernel_names import FOREIGN
from mobilebench.schedules.precision import INT8
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import WorkerError

_FOREIGN_BYTES = 2**16


@dataclass(frozen=True)
class Prepared:
    """A cell with all that was prepared for it; None for parts that failed."""

    cell: PlannedCell
    exported: OnnxModel | None = None  # at int8 quantized
    reference: Reference | None = None
    artifact: Artifact | None = None
    profiling_inputs: ProfilingInputs | None = None
    evaluation: Evaluation | None = None
    layers: LayerCheck | None = None  # None where nothing was quantized here
    onnx_path: Path | None = None  # for other runtimes than TVM, with the cell's batch
    float_onnx_path: Path | None = None  # at int8, of the network before it
    agreed_error: float = 0.0  # of a bundle: up to which its layers are known to agree
    remarks: tuple[str, ...] = ()  # warnings for readers of each of its rows
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
        refused = [Attempt(name, UNSUPPORTED, why) for name, why in cell.unsupported.items()]
        if not cell.supported:
            return Prepared(cell, failed=refused)
        asked, cell = cell, replace(cell, runtimes=cell.supported)
        self._progress.stage(cell.title, "export")
        exported, unexported = self._export(cell)
        model, unquantized = self._quantize(cell, exported)
        self._progress.stage(cell.title, "compile")
        artifact, profiling_inputs, unbuilt = self._build(cell, model)
        evaluation, remarks = self._evaluation(cell)
        paths, unbatched = self._files(cell, model)
        plans = {}
        if cell.is_single:
            plans = analyse_memory(
                *(self._context, self._service, cell, model, artifact, self._progress)
            )
        self._progress.step(cell.title, "")
        return Prepared(
            cell=asked,
            exported=model or exported,
            reference=Reference(*model.reference()) if model else None,
            artifact=artifact,
            profiling_inputs=profiling_inputs,
            evaluation=evaluation,
            layers=layers_of(self._service, model, self._context.build_options(cell)),
            remarks=(*remarks, *self._assumed(cell)),
            plans=plans,
            onnx_path=paths[0],
            float_onnx_path=paths[1],
            failed=[*refused, *unexported, *unquantized, *unbuilt, *unbatched],
        )

    def _files(
        self, cell: PlannedCell, model: OnnxModel | None
    ) -> tuple[tuple[Path | None, Path | None], list[Attempt]]:
        """Return the files for other runtimes than TVM: what is run, at int8 what it was made of.

        A failed attempt of each of them if the network cannot have the batch.
        """
        if model is None:
            return (None, None), []
        before = model.quantization.float_onnx_path if model.quantization else None
        others = [name for name in cell.runtimes if name != TVM]
        if cell.batch == 1 or not others:
            return (model.onnx_path, before), []
        try:
            path = self._service.with_batch(model.onnx_path, cell.batch)
            before = self._service.with_batch(before, cell.batch) if before else None
            return (path, before), []
        except (BenchError, WorkerError) as error:
            return (None, None), [Attempt(name, "to_onnx_failed", str(error)) for name in others]

    def _export(self, cell: PlannedCell) -> tuple[OnnxModel | None, list[Attempt]]:
        """Return the exported network, or a failed attempt for every runtime."""
        try:
            return self._service.to_onnx(cell.variant, cell.weights), []
        except (BenchError, WorkerError) as error:
            return None, [Attempt(name, "to_onnx_failed", str(error)) for name in cell.runtimes]

    def _quantize(
        self, cell: PlannedCell, exported: OnnxModel | None
    ) -> tuple[OnnxModel | None, list[Attempt]]:
        """Return what was exported, at int8 in 8 bits, or a failed attempt for every runtime."""
        if exported is None or cell.precision != INT8 or _is_quantized(cell):
            return exported, []
        self._progress.stage(cell.title, "quantize")
        calibration = self._context.calibration
        try:
            return self._service.quantize(exported, cell.variant, cell.weights, calibration), []
        except (BenchError, WorkerError) as error:
            return None, [Attempt(name, "quantize_failed", str(error)) for name in cell.runtimes]

    def _build(
        self, cell: PlannedCell, exported: OnnxModel | None
    ) -> tuple[Artifact | None, ProfilingInputs | None, list[Attempt]]:
        """Return the artifact and, if kernels are to be timed, the inputs for that.

        None where TVM does not run; a failed attempt of TVM if the build fails.
        """
        if exported is None or TVM not in cell.runtimes:
            return None, None, []
        service, options = self._service, self._context.build_options(cell)
        try:
            artifact = service.build(exported, options)
            profiling_inputs = None
            timed = self._context.suite.kernels or _has_foreign_kernels(cell, artifact)
            if timed and cell.is_single:
                profiling_inputs = ProfilingInputs(
                    service.build(exported, replace(options, instrumented=True, dump_ir=None)),
                    service.build_roofline_peaks(cell.target, cell.threads, cell.precision),
                )
        except (BenchError, WorkerError) as error:
            return None, None, [Attempt(TVM, "compile_failed", str(error))]
        return artifact, profiling_inputs, []

    def _assumed(self, cell: PlannedCell) -> tuple[str, ...]:
        """Return what is assumed of how calibration images become the input; nothing if known."""
        shown = cell.precision == INT8 and self._context.calibration.files
        assumed = assumed_of(cell.variant) if shown and not _is_quantized(cell) else ""
        return (assumed,) if assumed else ()

    def _evaluation(self, cell: PlannedCell) -> tuple[Evaluation | None, tuple[str, ...]]:
        """Return the images with PyTorch's predictions, and why there are none though asked for."""
        dataset = self._context.dataset
        if dataset is None:
            return None, ()
        self._progress.stage(cell.title, f"PyTorch on {len(dataset)} images")
        try:
            return self._service.evaluate(cell.variant, cell.weights, dataset), ()
        except WorkerError as error:
            said = f"accuracy is not measured: {error}"
            self._progress.warn(f"{cell.title}: {said}")
            return None, (said,)


def _has_foreign_kernels(cell: PlannedCell, artifact: Artifact) -> bool:
    """Whether a network of the user's own has kernels without a template that may take long."""
    if not isinstance(cell.variant, OnnxNetwork):
        return False
    return any(
        one["name"].startswith(FOREIGN) and one["nbytes"] >= _FOREIGN_BYTES
        for one in artifact.manifest.kernels
    )


def _is_quantized(cell: PlannedCell) -> bool:
    """Whether the network is in 8 bits as it comes."""
    return isinstance(cell.variant, OnnxNetwork) and cell.variant.quantized


def _take_bundle(cell: PlannedCell, bundle: Bundle) -> Prepared:
    """Return the bundle's artifact if the bundle has not changed since the run began."""
    try:
        if check_sums(bundle.directory).sha256 != bundle.sha256:
            raise ValueError("it has changed since the run began")
    except (OSError, ValueError) as error:
        failed = Attempt(TVM, "load_failed", f"bundle {bundle.directory}: {error}")
        return Prepared(cell, artifact=bundle.artifact, failed=[failed])
    manifest = bundle.manifest
    return Prepared(
        cell,
        reference=bundle.reference(),
        artifact=bundle.artifact,
        agreed_error=manifest.agreed_error,
        remarks=tuple(filter(None, [manifest.unjudged])),
    )
