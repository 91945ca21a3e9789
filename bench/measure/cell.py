"""Measures one cell of a run: every runtime on one variant, device and thread count."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

from mobilebench.bench.accuracy.detection import max_box_error_px
from mobilebench.bench.accuracy.evaluation import Evaluation, predict, score
from mobilebench.bench.build.artifact import Artifact, RooflinePeaks
from mobilebench.bench.measure.attempt import Attempt, CellResult, KernelProfile, failing
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.fidelity import compare, why_wrong
from mobilebench.bench.measure.latency import is_complete
from mobilebench.bench.measure.quantized_fidelity import beside_float32, why_far
from mobilebench.bench.measure.sessions import close_device, device_state, open_device
from mobilebench.bench.measure.timing import take_round, time_kernels
from mobilebench.bench.models.heads import CLASS_AXIS
from mobilebench.bench.models.outputs import Outputs, Reference
from mobilebench.bench.models.variant import DETECT
from mobilebench.bench.runtimes.convert import convert_for
from mobilebench.bench.runtimes.runtime import RUNTIMES, TVM, Workload
from mobilebench.reports.records.record import KernelTime, Status
from mobilebench.targets.catalog.target import CPU
from mobilebench.targets.devices.device import DeviceState, require_flags
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import Worker, WorkerError

_RETRIED: tuple[Status, ...] = ("crashed", "timed_out")  # possibly the board's fault


@dataclass(frozen=True)
class ProfilingInputs:
    """The artifacts with which the kernels of TVM's artifact are timed."""

    instrumented: Artifact
    roofline_peaks: RooflinePeaks


@dataclass(frozen=True)
class CellInputs:
    """What is measured in a cell, and the reference it is compared with."""

    runtimes: tuple[str, ...]
    workload: Workload
    reference: Reference  # at int8 of the quantized network
    float_outputs: Outputs | None = None  # at int8: PyTorch's of the float32 network
    profiling: ProfilingInputs | None = None  # None: kernels are not timed
    evaluation: Evaluation | None = None  # None: accuracy is not measured


def measure_cell(config: MeasurementConfig, inputs: CellInputs) -> CellResult:
    """Compare every runtime with PyTorch, then time those that are right, round by round.

    After a crash of a board or a model, the cell is measured again, on another board or later.
    """
    result = _measure_once(config, inputs)
    for retries in range(1, config.retries + 1):
        lost = [attempt.error for attempt in result.attempts if attempt.status in _RETRIED]
        if config.farm is None or not lost:
            break
        result = _measure_once(config, inputs)
        for attempt in result.attempts:
            attempt.retries = retries
            attempt.remarks.insert(0, f"measured again because of: {lost[0]}")
    return result


def _measure_once(config: MeasurementConfig, inputs: CellInputs) -> CellResult:
    with _CellMeasurement(config, inputs) as cell:
        before = cell.open_device()
        cell.load_and_compare()
        cell.take_rounds()
        cell.record_memory_and_copies()
        cell.measure_accuracy()
        kernel_profile = cell.profile_kernels()
        after = cell.device_state()
        cell.keep_session()
    return CellResult(cell.attempts, kernel_profile, before, after)


class _CellMeasurement:
    """A cell that is being measured; leaving the context ends its workers.

    Each runtime has its own process, which is paused while another is measured: waiting thread
    pools spin and would slow each other down. If one runtime fails, only its own row fails.
    """

    def __init__(self, config: MeasurementConfig, inputs: CellInputs) -> None:
        self.attempts = [Attempt(name) for name in inputs.runtimes]
        self._config = config
        self._inputs = inputs
        self._workers: dict[str, Worker] = {}  # by runtime
        self._expected_ms: dict[str, float] = {}  # of an inference, by runtime

    def open_device(self) -> DeviceState | None:
        """Open TVM's session if TVM is measured; return the device's state before measuring."""
        before: DeviceState | None = None
        for attempt in self.attempts:
            if attempt.runtime == TVM:
                with failing(attempt, "load_failed"):
                    self._workers[TVM], before = open_device(self._config)
                    require_flags(self._config.target, before)
                    self._workers[TVM].pause()
        return before or self._state()

    def load_and_compare(self) -> None:
        """Load the model into each runtime, compare its outputs with PyTorch's, and warm it up."""
        for attempt in self.attempts:
            with failing(attempt, "load_failed"):
                if not attempt.ok:
                    continue
                self._load(attempt)
            if attempt.ok:
                with failing(attempt):
                    self._compare(attempt)
                    if attempt.ok:
                        self._expected_ms[attempt.runtime] = self._call(
                            attempt, "warm_up", self._config.effort.warm_up_s
                        )
            self._pause(attempt)

    def take_rounds(self) -> None:
        """Time each runtime once per round; each round begins with another runtime."""
        number = 0
        while waiting := [
            attempt
            for attempt in self.attempts
            if attempt.ok and not is_complete(self._config.effort, attempt.rounds_ms)
        ]:
            first = number % len(waiting)
            for attempt in waiting[first:] + waiting[:first]:
                worker, expected_ms = self._resumed(attempt), self._expected_ms[attempt.runtime]
                with failing(attempt):
                    attempt.rounds_ms.append(take_round(worker, self._config, expected_ms))
                self._pause(attempt)
            number += 1

    def record_memory_and_copies(self) -> None:
        """Record the memory of each process, and the time to copy data to the device and back."""
        shape = self._inputs.workload.variant.input_shape
        for attempt in self.attempts:
            if not self._is_alive(attempt):
                continue
            self._resumed(attempt)
            with failing(attempt):
                attempt.usage = self._call(attempt, "usage")
                if attempt.runtime == TVM and attempt.ok:
                    attempt.round_trip_ms = self._call(attempt, "round_trip_ms", shape)
                    if self._config.target.device_type != CPU:
                        attempt.copies_ms = self._call(attempt, "copies_ms", shape)
            self._pause(attempt)

    def measure_accuracy(self) -> None:
        """Have every runtime predict on the images; done last, to disturb no latency."""
        evaluation = self._inputs.evaluation
        if evaluation is None:
            return
        pytorch = score(evaluation, evaluation.reference())
        for attempt in self.attempts:
            if not attempt.ok:
                continue
            infer = partial(self._call, attempt, "infer")
            self._resumed(attempt)
            with failing(attempt):
                answers = predict(
                    evaluation.variant, evaluation.dataset, evaluation.preprocessing, infer
                )
                attempt.accuracy = score(evaluation, answers)
                attempt.pytorch_accuracy = pytorch
            self._pause(attempt)

    def profile_kernels(self) -> KernelProfile | None:
        """Time every kernel of TVM's artifact inside the network."""
        inputs, config = self._inputs.profiling, self._config
        attempt = next((one for one in self.attempts if one.runtime == TVM and one.ok), None)
        if attempt is None or inputs is None:
            return None
        device = self._resumed(attempt)
        instrumented = inputs.instrumented
        try:
            peak, read = self._call(attempt, "roofline_peaks", inputs.roofline_peaks)
            (times,) = time_kernels(device, config, self._inputs.workload, [instrumented])
        except (BenchError, WorkerError) as error:
            attempt.remarks.append(f"kernels were not timed: {error}")
            return None
        kernels = [
            KernelTime(**kernel, microseconds=taken)
            for kernel, taken in zip(instrumented.manifest.kernels, times, strict=True)
        ]
        return KernelProfile(kernels, peak, read)

    def device_state(self) -> DeviceState | None:
        """Return the device's state now, read through TVM's session if there is one."""
        return self._state(self._workers.get(TVM))

    def keep_session(self) -> None:
        """Give the session back to the pool if all went well."""
        if all(attempt.ok for attempt in self.attempts) and TVM in self._workers:
            close_device(self._config, self._workers.pop(TVM))

    def _load(self, attempt: Attempt) -> None:
        entry, config = RUNTIMES[attempt.runtime], self._config
        workload = convert_for(entry, self._inputs.workload, config.cache_dir, config.time_limit_s)
        if attempt.runtime == TVM:
            self._workers[TVM].resume()
        else:
            self._workers[attempt.runtime] = Worker(entry.factory)
        self._call(attempt, "load", workload, config.threads)
        attempt.loaded = self._call(attempt, "usage")
        attempt.notes = self._call(attempt, "notes")

    def _compare(self, attempt: Attempt) -> None:
        reference, workload = self._inputs.reference, self._inputs.workload
        outputs = reference.thinned(self._call(attempt, "infer", reference.inputs))
        variant, class_axis = workload.variant, CLASS_AXIS[workload.variant.task]
        fidelity = compare(outputs, reference.outputs, class_axis)
        if variant.task == DETECT:
            error_px = max_box_error_px(outputs, reference.outputs, variant)
            fidelity = replace(fidelity, max_box_error_px=error_px)
        attempt.fidelity, attempt.error = fidelity, why_wrong(fidelity, workload.precision)
        if self._inputs.float_outputs is not None:
            in_float = reference.thinned(self._inputs.float_outputs)
            fidelity = beside_float32(fidelity, compare(outputs, in_float, class_axis))
            attempt.fidelity = fidelity
            if attempt.runtime != TVM:
                own_error = compare(reference.outputs, in_float).relative_l2_error
                attempt.error = why_far(fidelity, own_error)
        if attempt.error:
            attempt.status = "wrong"

    def _state(self, device: Worker | None = None) -> DeviceState | None:
        """Return the device's state; without a session only this machine's, since boards differ."""
        config = self._config
        try:
            if device is not None and device.alive:
                device.resume()
                state: DeviceState = device.call("device_state", timeout_s=config.time_limit_s)
                return state
            return device_state(config) if config.farm is None else None
        except (BenchError, WorkerError):
            return None

    def _call(self, attempt: Attempt, method: str, *args: Any) -> Any:
        worker = self._workers[attempt.runtime]
        return worker.call(method, *args, timeout_s=self._config.time_limit_s)

    def _is_alive(self, attempt: Attempt) -> bool:
        worker = self._workers.get(attempt.runtime)
        return worker is not None and worker.alive

    def _resumed(self, attempt: Attempt) -> Worker:
        worker = self._workers[attempt.runtime]
        worker.resume()
        return worker

    def _pause(self, attempt: Attempt) -> None:
        if self._is_alive(attempt):
            self._workers[attempt.runtime].pause()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        for worker in self._workers.values():
            worker.close()
