"""Makes the rows that the store keeps from the results of a cell."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from mobilebench.bench.build.artifact import Artifact, Manifest
from mobilebench.bench.clock import utc_now
from mobilebench.bench.measure.attempt import Attempt, CellResult
from mobilebench.bench.measure.environment import tool_versions
from mobilebench.bench.measure.latency import Latency, warnings_for
from mobilebench.bench.measure.load_columns import with_load
from mobilebench.bench.measure.plan import cell_key
from mobilebench.bench.measure.planned_cell import PlannedCell
from mobilebench.bench.measure.preparation import Prepared
from mobilebench.bench.measure.run_context import RunContext
from mobilebench.bench.measure.stages import StageTimes
from mobilebench.bench.models.input_type import PIXELS
from mobilebench.bench.models.onnx_export import OnnxModel, Quantization
from mobilebench.bench.models.onnx_network import Network, OnnxNetwork
from mobilebench.bench.models.size import size_of
from mobilebench.bench.runtimes.runtime import RUNTIMES, TVM
from mobilebench.reports.records.record import COLUMNS, KernelTime, Record
from mobilebench.schedules.kernel_names import FOREIGN
from mobilebench.schedules.precision import FLOAT16, FLOAT32
from mobilebench.targets.devices.own_name import own_device_name

_WORTH_NAMING, _MOST_NAMED = 0.02, 4  # of the time; kernels


def make_record(
    context: RunContext, prepared: Prepared, attempt: Attempt, result: CellResult
) -> Record:
    """Return the row of one runtime; a failed row keeps all that was known when it failed."""
    cell, exported, artifact = prepared.cell, prepared.exported, prepared.artifact
    variant = cell.variant
    key = cell_key(context, cell, attempt.runtime)
    record = Record(
        run_id=context.run.run_id,
        started_at=utc_now(),
        task=variant.task,
        width_multiplier=variant.width_multiplier,
        expansion_factor=variant.expansion_factor,
        height=variant.height,
        width=variant.width,
        emulated=cell.target.emulated or bool(result.before and result.before.emulated),
        runtime_version=_version(cell, attempt),
        runtime_notes=attempt.notes,
        trials=0,
        effort=context.suite.effort,
        status=attempt.status,
        error=attempt.error,
        retries=attempt.retries,
        warnings="; ".join(
            [*cell.weights.remarks, *_flushed(exported), *prepared.remarks, *attempt.remarks]
        ),
        load_ms=attempt.load_ms,
        first_inference_ms=attempt.first_inference_ms,
        instructions=attempt.instructions,
        round_trip_ms=attempt.round_trip_ms,
        host_to_device_ms=attempt.copies_ms[0] if attempt.copies_ms else None,
        device_to_host_ms=attempt.copies_ms[1] if attempt.copies_ms else None,
        to_onnx_s=exported.to_onnx_s if exported else None,
        **asdict(replace(key, device=_device_name(cell, result))),
        **asdict(size_of(variant)),
    )
    record = replace(_with_device(record, result), **asdict(tool_versions()))
    if exported and exported.quantization:
        record = _with_quantization(record, exported.quantization)
    if artifact and attempt.runtime == TVM:
        record = _with_artifact(record, artifact)
    if attempt.usage:
        usage = attempt.usage
        record = replace(
            record,
            base_rss_bytes=usage.base_rss_bytes,
            peak_rss_bytes=usage.peak_rss_bytes,
        )
    if attempt.accuracy and context.dataset:
        record = _with_accuracy(record, attempt, context.dataset.name)
    if attempt.stages:
        record = _with_stages(record, attempt.stages)
    if attempt.fidelity:
        record = _with_fidelity(record, attempt)
    if record.status == "ok":
        record = _with_latency(record, attempt, result.stopped)
        record = with_load(record, context.load, attempt)
    if result.kernel_profile and attempt.runtime == TVM:
        foreign = _foreign_share(variant, result.kernel_profile.kernels)
        record = replace(
            record,
            warnings="; ".join(filter(None, (record.warnings, foreign))),
            peak_macs_per_s=result.kernel_profile.peak_macs_per_s,
            read_bytes_per_s=result.kernel_profile.read_bytes_per_s,
        )
    return record


def _version(cell: PlannedCell, attempt: Attempt) -> str:
    """Return a runtime's version where it was measured; TVM's is the same on every board."""
    if cell.target.tracker_key and attempt.runtime != TVM:
        return attempt.version
    return RUNTIMES[attempt.runtime].version() or ""


def _foreign_share(network: Network, kernels: Sequence[KernelTime]) -> str:
    """Return which kernels of a user's own network have no template, if they take long."""
    whole = sum(one.microseconds for one in kernels)
    foreign = [one for one in kernels if one.name.startswith(FOREIGN)]
    share = sum(one.microseconds for one in foreign) / whole if whole else 0.0
    if not isinstance(network, OnnxNetwork) or share < _WORTH_NAMING:
        return ""
    longest = sorted(foreign, key=lambda one: -one.microseconds)[:_MOST_NAMED]
    named = ", ".join(
        f"{one.name.removeprefix(FOREIGN)} {one.microseconds / whole:.0%}" for one in longest
    )
    return f"{share:.0%} of the time is in operators without a template ({named})"


def _flushed(exported: OnnxModel | None) -> list[str]:
    """Return a warning if the checkpoint had subnormal weights."""
    count = exported.flushed_weights if exported else 0
    counted = "1 weight of the checkpoint is" if count == 1 else f"{count} weights are"
    return [f"{counted} subnormal (below 1.2e-38) and taken for 0"] if count else []


def _device_name(cell: PlannedCell, result: CellResult) -> str:
    """Return the device's name; a board that never answered is named by its key."""
    if not cell.target.tracker_key:
        return own_device_name()
    return result.before.name if result.before else f"any {cell.target.tracker_key}"


def _with_device(record: Record, result: CellResult) -> Record:
    state = result.before
    if state is None:
        return record
    return replace(
        record,
        host=state.host,
        os=state.os,
        accelerator=state.accelerator.name if state.accelerator else "",
        accelerator_driver=state.accelerator.driver if state.accelerator else "",
        cpu_model=state.cpu_model,
        cpu_cores=state.cpu_cores,
        cpu_governor=state.cpu_governor,
        cpu_mhz=state.cpu_mhz,
        temperature_c=state.temperature_c,
        load_1m=state.load_1m,
        memory_total_bytes=state.memory_total_bytes,
        calibration_before_ms=state.calibration_ms,
        calibration_after_ms=result.after.calibration_ms if result.after else None,
    )


def _with_quantization(record: Record, quantization: Quantization) -> Record:
    return replace(
        record,
        calibration_data=quantization.calibration,
        quantization_error=quantization.relative_l2_error,
        quantize_s=quantization.quantize_s,
    )


def _with_artifact(record: Record, artifact: Artifact) -> Record:
    manifest = artifact.manifest
    return replace(
        record,
        artifact_key=artifact.key,
        params_bytes=manifest.params_bytes,
        arena_bytes=manifest.arena_bytes,
        artifact_bytes=manifest.artifact_bytes,
        compile_s=manifest.compile_s,
        kernel_count=manifest.kernel_count,
        trials=manifest.trials,
        database_hits=manifest.database_hits,
        database_misses=manifest.database_misses,
        runtime_notes=record.runtime_notes or _notes(manifest),
        warnings="; ".join(filter(None, (record.warnings, _untuned(manifest)))),
    )


def _notes(manifest: Manifest) -> str:
    """Return what a reader of the row does not see from its key."""
    pixels = "takes pixels, and normalises them itself" if manifest.input_type == PIXELS else ""
    return "; ".join(filter(None, (_arithmetic(manifest), pixels)))


def _arithmetic(manifest: Manifest) -> str:
    """Return what half precision means on a CPU; nothing for another precision or device."""
    if manifest.precision != FLOAT16 or manifest.computes_half is None:
        return ""
    if manifest.computes_half:
        return "computes in half precision"
    return "weights are stored in half precision; the CPU computes in float32"


def _untuned(manifest: Manifest) -> str:
    """Return a warning if some kernels of a tuned artifact are not tuned."""
    kernels = manifest.database_hits + manifest.database_misses
    if not manifest.database_misses:
        return ""
    half = f" at {manifest.precision}" if manifest.precision != FLOAT32 else ""
    return f"{manifest.database_misses} of {kernels} kernels{half} are not in the tuned database"


def _with_accuracy(record: Record, attempt: Attempt, data: str) -> Record:
    """Add each figure, and PyTorch's where the record has a column for it."""
    assert attempt.accuracy is not None
    assert attempt.pytorch_accuracy is not None
    pytorch = {f"pytorch_{name}": v for name, v in asdict(attempt.pytorch_accuracy).items()}
    beside = {name: value for name, value in pytorch.items() if name in COLUMNS}
    return replace(record, data=data, **asdict(attempt.accuracy), **beside)


def _with_stages(record: Record, stages: StageTimes) -> Record:
    columns: dict[str, Any] = {f"stage_{one}_ms": ms for one, ms in stages.stages_ms.items()}
    return replace(record, end_to_end_ms=stages.whole_ms, stage_images=stages.images, **columns)


def _with_fidelity(record: Record, attempt: Attempt) -> Record:
    fidelity = attempt.fidelity
    assert fidelity is not None
    return replace(
        record,
        max_abs_error=fidelity.max_abs_error,
        relative_l2_error=fidelity.relative_l2_error,
        top1_agreement=fidelity.top1_agreement,
        float32_l2_error=fidelity.float32_l2_error,
        float32_agreement=fidelity.float32_agreement,
        max_box_error_px=fidelity.max_box_error_px,
        fidelity_inputs=fidelity.inputs,
    )


def _with_latency(record: Record, attempt: Attempt, stopped: str) -> Record:
    latency = Latency.from_rounds(attempt.rounds_ms)
    calibration = record.calibration_before_ms, record.calibration_after_ms
    doubts = warnings_for(latency, *calibration, stopped, attempt.calibrations)
    columns = {
        f"latency_{name}": value for name, value in asdict(latency).items() if name != "samples"
    }
    at_once = record.batch * record.streams
    return replace(
        record,
        samples=latency.samples,
        throughput_per_s=1000 * at_once / latency.mean_ms,
        warnings="; ".join(filter(None, (record.warnings, *doubts))),
        **columns,
    )
