"""Runs an artifact on its device."""

from dataclasses import replace
from pathlib import Path

from mobilebench.bench.build.artifact import Artifact
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.sessions import open_device
from mobilebench.bench.models.onnx_network import Network
from mobilebench.bench.models.outputs import Inputs, Outputs
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.runtimes.runtime import Workload


def workload_of(variant: Network, artifact: Artifact) -> Workload:
    """Return the workload that TVM needs to run an artifact."""
    workload = Workload(variant, Weights(), Path(), artifact.library, artifact.params_path)
    made = artifact.manifest
    return replace(workload, batch=made.batch, precision=made.precision, input_type=made.input_type)


def infer_on_device(config: MeasurementConfig, workload: Workload, inputs: Inputs) -> Outputs:
    """Return the outputs of an artifact on its device; raises what the worker raises."""
    device, _ = open_device(config)
    with device:
        device.call("load", workload, config.threads, timeout_s=config.time_limit_s)
        outputs: Outputs = device.call("infer", inputs, timeout_s=config.time_limit_s)
        return outputs
