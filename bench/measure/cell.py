"""Measures one cell of a run: every runtime on one variant, device and thread count."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self, cast

from mobilebench.bench.accuracy.detection import max_box_error_px
from mobilebench.bench.accuracy.evaluation import Evaluation, doubts, predict, score
from mobilebench.bench.build.artifact import Artifact, RooflinePeaks
from mobilebench.bench.measure.attempt import Attempt, CellResult, KernelProfile, failing
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.fidelity import compare, why_wrong
from mobilebench.bench.measure.latency import is_complete
from mobilebench.bench.measure.layers import LayerCheck
from mobilebench.bench.measure.quantized_fidelity import beside_float32, why_far
from mobilebench.bench.measure.sessions import close_device, device_state, open_device
from mobilebench.bench.measure.timing import take_round, time_kernels
from mobilebench.bench.models.heads import CLASS_AXIS
from mobilebench.bench.models.outputs import Floats, Outputs, Reference
from mobilebench.bench.models.variant import DETECT, Variant
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


def _tell_nobody(_what: str) -> None:
    """Tell nobody which part of the measurement begins."""


@dataclass(frozen=True)
class CellInputs:
    """What is measured in a cell, and the reference it is compared with."""

    runtimes: tuple[str, ...]
    workload: Workload
    reference: Reference  # at int8 of the quantized network
    float_outputs: Outputs | None = None  # at int8: PyTorch's of the float32 network
    profiling: ProfilingInputs | None = None  # None: kernels are not timed
    evaluation: Evaluation | None = None  # None: accuracy is not measured
    layers: LayerCheck | None = None  # at int8, of what was quantized here
    tell: Callable[[str], None] = _tell_nobody  # called with what begins


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
        cell.count_instructions()
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
        self._inputs.tell("a device")
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
                self._inputs.tell(f"{attempt.runtime} to load the network")
                self._load(attempt)
            if attempt.ok:
                with failing(attempt):
                    self._inputs.tell(f"{attempt.runtime}'s first inferences")
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
                self._inputs.tell(f"round {number + 1} of {attempt.runtime}")
                worker, expected_ms = self._resumed(attempt), self._expected_ms[attempt.runtime]
                with failing(attempt):
                    attempt.rounds_ms.append(take_round(worker, self._config, expected_ms))
                self._pause(attempt)
            number += 1

    def record_memory_and_copies(self) -> None:
        """Record the memory of each process, and the time to copy data to the device and back."""
        workload = self._inputs.workload
        given = workload.input_shape, workload.input_type
        for attempt in self.attempts:
            if not self._is_alive(attempt):
                continue
            self._resumed(attempt)
            with failing(attempt):
                attempt.usage = self._call(attempt, "usage")
                if attempt.runtime == TVM and attempt.ok:
                    attempt.round_trip_ms = self._call(attempt, "round_trip_ms", *given)
                    if self._config.target.device_type != CPU:
                        attempt.copies_ms = self._call(attempt, "copies_ms", *given)
            self._pause(attempt)

    def count_instructions(self) -> None:
        """Count what an inference of TVM executes, if the device counts.

        On one thread only: threads that wait for others spin, some longer and some shorter.
        """
        attempt = next((one for one in self.attempts if one.runtime == TVM and one.ok), None)
        if attempt is None or self._config.threads > 1:
            return
        self._resumed(attempt)
        with failing(attempt):
            attempt.instructions = self._call(attempt, "instructions")
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
            images = len(evaluation.dataset)
            self._inputs.tell(f"the accuracy of {attempt.runtime} on {images} images")
            infer = partial(self._call, attempt, "infer")
            self._resumed(attempt)
            with failing(attempt):
                answers = predict(
                    evaluation.variant, evaluation.dataset, evaluation.preprocessing, infer
                )
                attempt.accuracy = score(evaluation, answers)
                attempt.pytorch_accuracy = pytorch
                attempt.remarks += doubts(evaluation, attempt.accuracy)
            self._pause(attempt)

    def profile_kernels(self) -> KernelProfile | None:
        """Time every kernel of TVM's artifact inside the network."""
        inputs, config = self._inputs.profiling, self._config
        attempt = next((one for one in self.attempts if one.runtime == TVM and one.ok), None)
        if attempt is None or inputs is None:
            return None
        self._inputs.tell("the times of kernels")
        device = self._resumed(attempt)
        instrumented = inputs.instrumented
        try:
            peak, read = self._call(attempt, "roofline_peaks", inputs.roofline_peaks)
            (times,) = time_kernels(device, config, self._inputs.workload, [instrumented])
            counts = self._kernel_instructions(attempt, len(times))
        except (BenchError, WorkerError) as error:
            attempt.remarks.append(f"kernels were not timed: {error}")
            return None
        kernels = [
            KernelTime(**kernel, microseconds=taken, instructions=count)
            for kernel, taken, count in zip(
                instrumented.manifest.kernels, times, counts, strict=True
            )
        ]
        return KernelProfile(kernels, peak, read)

    def _kernel_instructions(self, attempt: Attempt, kernels: int) -> list[int] | list[None]:
        """Return how many instructions each kernel of the artifact that was timed executes."""
        nothing = [None] * kernels
        if attempt.instructions is None:
            return nothing
        counted: list[int] = self._call(attempt, "kernel_instructions", kernels)
        return counted or nothing

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
        if isinstance(variant, Variant) and variant.task == DETECT:
            error_px = max_box_error_px(outputs, reference.outputs, variant)
            fidelity = replace(fidelity, max_box_error_px=error_px)
        attempt.fidelity, attempt.error = fidelity, why_wrong(fidelity, workload.precision, variant)
        if self._inputs.float_outputs is not None:
            in_float = reference.thinned(self._inputs.float_outputs)
            fidelity = beside_float32(fidelity, compare(outputs, in_float, class_axis))
            attempt.fidelity = fidelity
            if attempt.runtime != TVM:
                own_error = compare(reference.outputs, in_float).relative_l2_error
                attempt.error = why_far(fidelity, own_error)
        if attempt.error and attempt.runtime == TVM and self._inputs.layers is not None:
            self._compare_layers(attempt, self._inputs.layers)
        if attempt.error:
            attempt.status = "wrong"

    def _compare_layers(self, attempt: Attempt, layers: LayerCheck) -> None:
        """Take the error away if every layer by itself agrees with the reference's."""
        self._inputs.tell("its layers to be compared one by one")
        workload, threads = self._inputs.workload, self._config.threads

        def infer(artifact: Artifact, image: Floats) -> Outputs:
            other = replace(workload, library=artifact.library, params_path=artifact.params_path)
            self._call(attempt, "load", other, threads)
            outputs: Outputs = self._call(attempt, "infer", image)
            self._call(attempt, "load", workload, threads)
            return outputs

        try:
            layer = layers.disagreement(cast(Floats, self._inputs.reference.inputs[:1]), infer)
        except (BenchError, WorkerError) as error:
            attempt.remarks.append(f"layers were not compared: {error}")
            return
        if layer:
            attempt.error += f"; the first layer that differs is {layer}"
            return
        attempt.remarks.append(
            f"{attempt.error}, but each layer by itself agrees: only sums halfway between two "
            "bytes are rounded otherwise (looking at layers is part of the peak of memory)"
        )
        attempt.error = ""

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
