"""Whether a bundle computes what PyTorch computed when it was made."""

from dataclasses import replace

from mobilebench.bench.bundle.bundle import Bundle
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.fidelity import Fidelity, compare
from mobilebench.bench.measure.inference import infer_on_device, workload_of
from mobilebench.bench.measure.sessions import probe_target
from mobilebench.bench.models.heads import CLASS_AXIS
from mobilebench.targets.errors import BenchError, NoDeviceError
from mobilebench.targets.processes.worker import WorkerError


def verify_outputs(config: MeasurementConfig, bundle: Bundle) -> Fidelity:
    """Feed a bundle its reference input on its target's device, and compare the outputs.

    Raises BenchError if there is no such device or the library fails on it.
    """
    reference, manifest = bundle.reference(), bundle.manifest
    # Before it is sent anything.
    target = probe_target(config, manifest.precision, manifest.architecture)
    workload = workload_of(bundle.variant, bundle.artifact)
    try:
        outputs = infer_on_device(replace(config, target=target), workload, reference.inputs)
    except (NoDeviceError, WorkerError) as error:
        raise BenchError(f"bundle {bundle.directory}: {error}") from error
    return compare(reference.thinned(outputs), reference.outputs, CLASS_AXIS[bundle.variant.task])
