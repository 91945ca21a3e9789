"""One cell of a run: every runtime on one variant, device and thread count, side by side."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from mobilebench.bench.accuracy.detection import max_box_error_px
from mobilebench.bench.accuracy.evaluation import Accuracy, Evaluation, predict, score
from mobilebench.bench.build.artifact import Artifact, RooflinePeaks
from mobilebench.bench.measure.fidelity import TOLERANCE, Fidelity, compare
from mobilebench.bench.measure.latency import is_complete
from mobilebench.bench.measure.on_device import (
    MeasurementConfig,
    close_device,
    device_state,
    open_device,
    take_round,
    time_kernels,
)
from mobilebench.bench.models.heads import CLASS_AXIS
from mobilebench.bench.models.outputs import Reference
from mobilebench.bench.models.variant import DETECT
from mobilebench.bench.runtimes.convert import convert_for
from mobilebench.bench.runtimes.runtime import RUNTIMES, TVM, Usage, Workload
from mobilebench.reports.records.record import KernelTime, Status
from mobilebench.targets.catalog.target import CPU
from mobilebench.targets.devices.device import DeviceState, require_flags
from mobilebench.targets.errors import BenchError, NoDeviceError
from mobilebench.targets.processes.worker import (
    Worker,
    WorkerCrashedError,
    WorkerError,
    WorkerTimedOutError,
)

_LOST: tuple[Status, ...] = ("crashed", "timed_out")  # a board's fault, it may be


@dataclass
class Attempt:
    """How far one runtime got."""

    runtime: str
    status: Status = "ok"
    error: str = ""
    fidelity: Fidelity | None = None
    usage: Usage | None = None
    loaded: Usage | None = None  # the same before the first inference
    round_trip_ms: float | None = None
    copies_ms: tuple[float, float] | None = None  # input to the device, output back
    accuracy: Accuracy | None = None
    pytorch_accuracy: Accuracy | None = None  # on the same images
    rounds_ms: list[list[float]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)  # what a reader of the row should know
    retries: int = 0


@dataclass(frozen=True)
class ProfilingInputs:
    """What a look inside TVM's artifact needs."""

    instrumented: Artifact
    roofline_peaks: RooflinePeaks


@dataclass(frozen=True)
class KernelProfile:
    """What a look inside TVM's artifact found."""

    kernels: list[KernelTime]
    peak_macs_per_s: float
    read_bytes_per_s: float


@dataclass(frozen=True)
class CellResult:
    """What became of a cell; a device state is None where the device could not be asked."""

    attempts: list[Attempt]
    kernel_profile: KernelProfile | None = None
    before: DeviceState | None = None
    after: DeviceState | None = None


def measure_cell(
    config: MeasurementConfig,
    runtimes: Sequence[str],
    workload: Workload,
    reference: Reference,
    profiling_inputs: ProfilingInputs | None = None,
    evaluation: Evaluation | None = None,
) -> CellResult:
    """Validate every runtime against PyTorch, then time those that are right, round by round.

    On a farm, what a board or a model that died has spoilt is measured again, elsewhere or later.
    """
    result = _measure_once(config, runtimes, workload, reference, profiling_inputs, evaluation)
    for retries in range(1, config.retries + 1):
        lost = [attempt.error for attempt in result.attempts if attempt.status in _LOST]
        if config.farm is None or not lost:
            break
        result = _measure_once(config, runtimes, workload, reference, profiling_inputs, evaluation)
        for attempt in result.attempts:
            attempt.retries = retries
            attempt.remarks.insert(0, f"measured again, because {lost[0]}")
    return result


def _measure_once(
    config: MeasurementConfig,
    runtimes: Sequence[str],
    workload: Workload,
    reference: Reference,
    profiling_inputs: ProfilingInputs | None,
    evaluation: Evaluation | None,
) -> CellResult:
    """Each runtime has a process of its own, stopped while another is measured.

    Thread pools spin while they wait and would take the cores from each other. What fails costs its
    own row only.
    """
    attempts = [Attempt(name) for name in runtimes]
    workers: dict[str, Worker] = {}
    before: DeviceState | None = None
    kernel_profile: KernelProfile | None = None
    try:
        for attempt in attempts:
            if attempt.runtime == TVM:
                with _excusing(attempt, "load_failed"):
                    workers[TVM], before = open_device(config)
                    require_flags(config.target, before)
                    workers[TVM].pause()
        if before is None:
            before = _state(config)
        expected_ms: dict[str, float] = {}
        for attempt in attempts:
            _get_ready(attempt, workers, workload, reference, config, expected_ms)
        _take_rounds(attempts, workers, expected_ms, config)
        _take_stock(attempts, workers, workload, config)
        if evaluation is not None:
            _evaluate(attempts, workers, config, evaluation)
        for attempt in attempts:
            if attempt.runtime == TVM and attempt.status == "ok" and profiling_inputs is not None:
                kernel_profile = _profile_kernels(
                    attempt, workers[TVM], config, workload, profiling_inputs
                )
        after = _state(config, workers.get(TVM))
        if all(attempt.status == "ok" for attempt in attempts) and TVM in workers:
            close_device(config, workers.pop(TVM))
    finally:
        for worker in workers.values():
            worker.close()
    return CellResult(attempts, kernel_profile, before, after)


def _state(config: MeasurementConfig, device: Worker | None = None) -> DeviceState | None:
    """Describe the device, through its session if there is one; another board is another device."""
    try:
        if device is not None and device.alive:
            device.resume()
            state: DeviceState = device.call("device_state", timeout_s=config.time_limit_s)
            return state
        return device_state(config) if config.farm is None else None
    except (BenchError, WorkerError):
        return None


def _get_ready(
    attempt: Attempt,
    workers: dict[str, Worker],
    workload: Workload,
    reference: Reference,
    config: MeasurementConfig,
    expected_ms: dict[str, float],
) -> None:
    """Load the model into a runtime, compare what it computes, and warm it up."""
    with _excusing(attempt, "load_failed"):
        if attempt.status != "ok":
            return
        own = convert_for(
            RUNTIMES[attempt.runtime], workload, config.cache_dir, config.time_limit_s
        )
        if attempt.runtime == TVM:
            workers[TVM].resume()
        else:
            workers[attempt.runtime] = Worker(RUNTIMES[attempt.runtime].factory)
        _call(workers, attempt, config, "load", own, config.threads)
        attempt.loaded = _call(workers, attempt, config, "usage")
    if attempt.status == "ok":
        with _excusing(attempt):
            _validate(workers, attempt, workload, reference, config)
            if attempt.status == "ok":
                expected_ms[attempt.runtime] = _call(
                    workers, attempt, config, "warm_up", config.effort.warm_up_s
                )
    if attempt.runtime in workers and workers[attempt.runtime].alive:
        workers[attempt.runtime].pause()


def _profile_kernels(
    attempt: Attempt,
    device: Worker,
    config: MeasurementConfig,
    workload: Workload,
    profiling_inputs: ProfilingInputs,
) -> KernelProfile | None:
    """Time every kernel of the marked artifact inside the network."""
    device.resume()
    try:
        peak, read = device.call(
            "roofline_peaks", profiling_inputs.roofline_peaks, timeout_s=config.time_limit_s
        )
        (microseconds,) = time_kernels(device, config, workload, [profiling_inputs.instrumented])
    except (BenchError, WorkerError) as error:
        attempt.remarks.append(f"kernels were not timed: {error}")
        return None
    times = [
        KernelTime(**kernel, microseconds=taken)
        for kernel, taken in zip(
            profiling_inputs.instrumented.manifest.kernels, microseconds, strict=True
        )
    ]
    return KernelProfile(times, peak, read)


def _call(
    workers: dict[str, Worker], attempt: Attempt, config: MeasurementConfig, method: str, *args: Any
) -> Any:
    return workers[attempt.runtime].call(method, *args, timeout_s=config.time_limit_s)


def _validate(
    workers: dict[str, Worker],
    attempt: Attempt,
    workload: Workload,
    reference: Reference,
    config: MeasurementConfig,
) -> None:
    outputs = reference.thinned(_call(workers, attempt, config, "infer", reference.inputs))
    variant, tolerance = workload.variant, TOLERANCE[workload.precision]
    fidelity = compare(outputs, reference.outputs, CLASS_AXIS[variant.task])
    if variant.task == DETECT:
        error_px = max_box_error_px(outputs, reference.outputs, variant)
        fidelity = replace(fidelity, max_box_error_px=error_px)
    attempt.fidelity = fidelity
    if not fidelity.relative_l2_error <= tolerance:
        attempt.status = "wrong"
        attempt.error = (
            f"relative L2 error {fidelity.relative_l2_error:.2g} against PyTorch is above "
            f"{tolerance:g}"
        )


def _take_rounds(
    attempts: list[Attempt],
    workers: dict[str, Worker],
    expected_ms: dict[str, float],
    config: MeasurementConfig,
) -> None:
    """Give each runtime a turn per round, first in another order each time."""
    turn = 0
    while waiting := [
        attempt
        for attempt in attempts
        if attempt.status == "ok" and not is_complete(config.effort, attempt.rounds_ms)
    ]:
        first = turn % len(waiting)
        for attempt in waiting[first:] + waiting[:first]:
            worker = workers[attempt.runtime]
            worker.resume()
            with _excusing(attempt):
                attempt.rounds_ms.append(take_round(worker, config, expected_ms[attempt.runtime]))
            if worker.alive:
                worker.pause()
        turn += 1


def _take_stock(
    attempts: list[Attempt],
    workers: dict[str, Worker],
    workload: Workload,
    config: MeasurementConfig,
) -> None:
    for attempt in attempts:
        worker = workers.get(attempt.runtime)
        if worker is None or not worker.alive:
            continue
        worker.resume()
        with _excusing(attempt):
            attempt.usage = _call(workers, attempt, config, "usage")
            if attempt.runtime == TVM and attempt.status == "ok":
                shape = workload.variant.input_shape
                attempt.round_trip_ms = _call(workers, attempt, config, "round_trip_ms", shape)
                if config.target.device_type != CPU:
                    attempt.copies_ms = _call(workers, attempt, config, "copies_ms", shape)
        if worker.alive:
            worker.pause()


def _evaluate(
    attempts: list[Attempt],
    workers: dict[str, Worker],
    config: MeasurementConfig,
    evaluation: Evaluation,
) -> None:
    """Ask every runtime about the images; last, so that it costs nothing that was measured."""
    pytorch = score(evaluation, evaluation.reference())
    for attempt in attempts:
        if attempt.status != "ok":
            continue
        infer = partial(_call, workers, attempt, config, "infer")
        workers[attempt.runtime].resume()
        with _excusing(attempt):
            answers = predict(
                evaluation.variant, evaluation.dataset, evaluation.preprocessing, infer
            )
            attempt.accuracy = score(evaluation, answers)
            attempt.pytorch_accuracy = pytorch
        if workers[attempt.runtime].alive:
            workers[attempt.runtime].pause()


@contextmanager
def _excusing(attempt: Attempt, otherwise: Status = "failed") -> Iterator[None]:
    """Turn what a worker raises into the status of an attempt.

    A process that died or did not answer has a status of its own; `otherwise` is for the rest.
    """
    try:
        yield
    except (BenchError, NoDeviceError, WorkerError) as error:
        attempt.error = str(error)
        if isinstance(error, NoDeviceError):
            attempt.status = "no_device"
        elif isinstance(error, WorkerCrashedError):
            attempt.status = "crashed"
        elif isinstance(error, WorkerTimedOutError):
            attempt.status = "timed_out"
        else:
            attempt.status = otherwise
