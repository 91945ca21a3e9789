"""Times inferences and kernels on a device."""

import statistics
from collections.abc import Sequence
from dataclasses import replace

from mobilebench.bench.build.artifact import Artifact
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.latency import round_size
from mobilebench.bench.measure.processes import Process
from mobilebench.bench.measure.sessions import open_device
from mobilebench.bench.runtimes.runtime import Workload

_MOST_PROFILED = 1000  # inferences of a round; each is asked for by itself, which takes its time


def take_round(process: Process, config: MeasurementConfig, expected_ms: float) -> list[float]:
    """Return one round of samples, in milliseconds, of the model that a process has loaded."""
    samples, round_s = _round_of(config, expected_ms)
    process.call("time", 1, timeout_s=config.time_limit_s)  # fills caches, raises clocks
    found: list[float] = process.call("time", samples, timeout_s=round_s)
    return found


def _round_of(config: MeasurementConfig, expected_ms: float) -> tuple[int, float]:
    """Return how many samples a round has, and the time limit for them in seconds."""
    samples = round_size(config.effort, expected_ms)
    return samples, config.time_limit_s + 3 * samples * expected_ms / 1000


def kernel_microseconds(
    config: MeasurementConfig, workload: Workload, artifacts: Sequence[Artifact]
) -> list[list[float]]:
    """Return the median time of every kernel in each artifact, measured in turns.

    Artifacts for CPUs must be instrumented.

    Raises what the worker raises.
    """
    device, _ = open_device(config)
    with device:
        return time_kernels(device, config, workload, artifacts)


def time_kernels(
    device: Process, config: MeasurementConfig, workload: Workload, artifacts: Sequence[Artifact]
) -> list[list[float]]:
    """Return the same as `kernel_microseconds`, using a session that is already open."""
    limit_s = config.time_limit_s
    own = [replace(workload, library=artifact.library) for artifact in artifacts]
    expected_ms = []
    for one in own:
        device.call("load", one, config.threads, timeout_s=limit_s)
        expected_ms.append(device.call("warm_up", config.effort.warm_up_s, timeout_s=limit_s))
    taken: list[list[list[float]]] = [[] for _ in artifacts]
    for _ in range(config.effort.rounds):
        for one, artifact, expected, seconds in zip(
            own, artifacts, expected_ms, taken, strict=True
        ):
            samples, round_s = _round_of(config, expected)
            samples = min(samples, _MOST_PROFILED)
            kernels = len(artifact.manifest.kernels)
            device.call("load", one, config.threads, timeout_s=limit_s)
            device.call("time", 1, timeout_s=limit_s)  # fills caches, raises clocks
            seconds.extend(device.call("kernel_seconds", kernels, samples, timeout_s=round_s))
    return [
        [1e6 * statistics.median(one) for one in zip(*seconds, strict=True)] for seconds in taken
    ]
