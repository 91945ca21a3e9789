"""What is asked of a target's device: sessions, descriptions, inferences and kernel times."""

import queue
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mobilebench.bench.build.artifact import Artifact
from mobilebench.bench.config.effort import EFFORTS, Effort
from mobilebench.bench.measure.latency import round_size
from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.models.variant import Variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.runtimes.runtime import RUNTIMES, TVM, Workload
from mobilebench.schedules.precision import FLOAT16
from mobilebench.targets.catalog.target import CPU, Target
from mobilebench.targets.devices.device import (
    DeviceState,
    cool_down,
    require_flags,
    require_half,
    with_limits,
)
from mobilebench.targets.devices.farm import Farm
from mobilebench.targets.errors import BenchError, NoDeviceError
from mobilebench.targets.processes.worker import WITHOUT_TORCH, Worker, WorkerError


class SessionPool:
    """Processes that hold sessions to boards, kept from job to job: each imports TVM once."""

    def __init__(self) -> None:
        self._idle: queue.LifoQueue[Worker] = queue.LifoQueue()

    def take(self) -> Worker:
        """Return one without a session."""
        while True:
            try:
                session = self._idle.get_nowait()
            except queue.Empty:
                return Worker(RUNTIMES[TVM].factory, blocked_modules=WITHOUT_TORCH)
            if session.alive:
                return session

    def give_back(self, session: Worker, time_limit_s: float) -> None:
        """End its session and keep it; one that cannot do that is ended itself."""
        try:
            session.resume()
            session.call("release", timeout_s=time_limit_s)
            self._idle.put(session)
        except (BenchError, WorkerError):
            session.close()

    def close(self) -> None:
        """End all that are idle."""
        while not self._idle.empty():
            self._idle.get_nowait().close()


def workload_of(variant: Variant, artifact: Artifact) -> Workload:
    """Return what TVM alone needs to run an artifact."""
    workload = Workload(variant, Weights(), Path(), artifact.library, artifact.params_path)
    return replace(workload, precision=artifact.manifest.precision)


@dataclass(frozen=True)
class MeasurementConfig:
    """Where and how thoroughly something is measured."""

    target: Target
    threads: int
    time_limit_s: float  # of each request
    cache_dir: Path
    farm: Farm | None = None  # where the target's boards are; None: this machine is the device
    effort: Effort = EFFORTS["quick"]
    retries: int = 0  # on other boards, or later, after a board or a model has died
    sessions: SessionPool | None = None  # of sessions; None: a fresh one each time


def open_device(config: MeasurementConfig) -> tuple[Worker, DeviceState]:
    """Return a worker that holds a session to the target's device, and the device's state.

    Raises what the worker raises, and NoDeviceError if no board is free within the farm's wait.
    """
    device = (config.sessions or SessionPool()).take()
    limit_s = config.time_limit_s
    wait_s = config.farm.wait_s if config.farm else 0.0
    try:
        where = (config.target, config.threads, config.cache_dir, config.farm)
        device.call("configure", *where, timeout_s=limit_s)
        device.call("wait", timeout_s=limit_s + wait_s)
        device.call("connect", timeout_s=limit_s)
        cool_down(config.target, partial(device.call, "temperature_c", timeout_s=limit_s))
        return device, device.call("begin", timeout_s=limit_s)
    except BaseException:
        device.close()
        raise


def close_device(config: MeasurementConfig, device: Worker) -> None:
    """End a session that all went well with."""
    if config.sessions and device.alive:
        config.sessions.give_back(device, config.time_limit_s)
    else:
        device.close()


def device_state(config: MeasurementConfig) -> DeviceState:
    """Describe a target's device; raises what `open_device` raises."""
    device, state = open_device(config)
    close_device(config, device)
    return state


def probe_target(config: MeasurementConfig, precision: str, architecture: str = "") -> Target:
    """Return a bench's target with what its live device has told of its limits.

    Raises BenchError if there is no device, or code for the target (at that precision, and of an
    `architecture` if one is named) cannot run on it.
    """
    target = config.target
    try:
        state = device_state(config)
    except NoDeviceError as error:
        raise BenchError(f"target {target.name}: {error}") from error
    except WorkerError as error:
        raise BenchError(f"target {target.name}: {error}; see `mobilebench doctor`") from error
    require_flags(target, state)
    if architecture not in ("", state.architecture):
        raise BenchError(
            f"target {target.name}: its device runs {state.architecture} code, not {architecture}"
        )
    if precision == FLOAT16 and target.device_type != CPU:  # a CPU computes in float32
        require_half(target, state)
    return with_limits(target, state)


def take_round(device: Worker, config: MeasurementConfig, expected_ms: float) -> list[float]:
    """Return the samples of a round, in milliseconds, of the model that a worker has loaded."""
    samples, round_s = _round_of(config, expected_ms)
    device.call("time", 1, timeout_s=config.time_limit_s)  # caches and clocks again
    found: list[float] = device.call("time", samples, timeout_s=round_s)
    return found


def _round_of(config: MeasurementConfig, expected_ms: float) -> tuple[int, float]:
    """Return how many samples a round has, and within how many seconds they must be there."""
    samples = round_size(config.effort, expected_ms)
    return samples, config.time_limit_s + 3 * samples * expected_ms / 1000


def infer_on_device(config: MeasurementConfig, workload: Workload, inputs: Floats) -> Outputs:
    """Return what an artifact computes on its device; raises what the worker raises."""
    device, _ = open_device(config)
    with device:
        device.call("load", workload, config.threads, timeout_s=config.time_limit_s)
        outputs: Outputs = device.call("infer", inputs, timeout_s=config.time_limit_s)
        return outputs


def kernel_microseconds(
    config: MeasurementConfig, workload: Workload, artifacts: Sequence[Artifact]
) -> list[list[float]]:
    """Return the median time of every kernel inside each artifact; artifacts take turns.

    A CPU's must be marked ones.

    Raises what the worker raises.
    """
    device, _ = open_device(config)
    with device:
        return time_kernels(device, config, workload, artifacts)


def time_kernels(
    device: Worker, config: MeasurementConfig, workload: Workload, artifacts: Sequence[Artifact]
) -> list[list[float]]:
    """Return the same as `kernel_microseconds`, through a session that is open."""
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
            kernels = len(artifact.manifest.kernels)
            device.call("load", one, config.threads, timeout_s=limit_s)
            device.call("time", 1, timeout_s=limit_s)  # caches and clocks again
            seconds.extend(device.call("kernel_seconds", kernels, samples, timeout_s=round_s))
    return [
        [1e6 * statistics.median(one) for one in zip(*seconds, strict=True)] for seconds in taken
    ]
