"""The latency that a bundle states, taken as every run takes it."""

from mobilebench.bench.build.artifact import Artifact
from mobilebench.bench.bundle.manifest import Measured
from mobilebench.bench.clock import utc_now
from mobilebench.bench.measure.attempt import CellResult
from mobilebench.bench.measure.cell import CellInputs, measure_cell
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.inference import workload_of
from mobilebench.bench.measure.latency import Latency, warnings_for
from mobilebench.bench.measure.layers import LayerCheck
from mobilebench.bench.models.onnx_export import OnnxModel
from mobilebench.bench.models.onnx_network import Network
from mobilebench.bench.models.outputs import Reference
from mobilebench.bench.runtimes.runtime import TVM
from mobilebench.targets.devices.own_name import own_device_name
from mobilebench.targets.errors import BenchError


class WrongResultError(Exception):
    """The library computes something else than PyTorch; the text says by how much."""


def measure(
    config: MeasurementConfig,
    variant: Network,
    artifact: Artifact,
    model: OnnxModel,
    layers: LayerCheck | None = None,
) -> Measured:
    """Return the latency of an artifact, built from that model, on its target's device.

    `layers` is how its layers are compared, should its outputs be too far.

    Raises BenchError if it cannot be measured, WrongResultError if it computes something else.
    """
    workload = workload_of(variant, artifact)
    reference = Reference(*model.reference())
    inputs = CellInputs((TVM,), workload, reference, model.float_outputs(), layers=layers)
    result = measure_cell(config, inputs)
    (attempt,) = result.attempts
    if attempt.status == "wrong":
        raise WrongResultError(attempt.error)
    if attempt.status != "ok" or result.before is None or attempt.fidelity is None:
        raise BenchError(
            f"{variant.name} on {config.target.name}: {attempt.error}; with --no-measure it is "
            "exported unmeasured"
        )
    latency = Latency.from_rounds(attempt.rounds_ms)
    state = result.before
    return Measured(
        at=utc_now(),
        device=state.name if config.target.tracker_key else own_device_name(),
        cpu_model=state.cpu_model,
        accelerator=state.accelerator.name if state.accelerator else "",
        emulated=config.target.emulated or state.emulated,
        threads=config.threads,
        effort=config.effort.name,
        samples=latency.samples,
        latency_p50_ms=latency.p50_ms,
        latency_p90_ms=latency.p90_ms,
        latency_ci95_low_ms=latency.ci95_low_ms,
        latency_ci95_high_ms=latency.ci95_high_ms,
        relative_l2_error=attempt.fidelity.relative_l2_error,
        peak_rss_bytes=attempt.usage.peak_rss_bytes if attempt.usage else None,
        warnings="; ".join([*attempt.remarks, *_doubts(latency, result)]),
        layers_agree=attempt.layers_agree,
    )


def _doubts(latency: Latency, result: CellResult) -> list[str]:
    before, after = (
        state.calibration_ms if state else None for state in (result.before, result.after)
    )
    (attempt,) = result.attempts
    return warnings_for(latency, before, after, result.stopped, attempt.calibrations)
