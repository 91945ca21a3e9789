"""Measures one cell of a run: every runtime on one variant, device and thread count."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from mobilebench.bench.accuracy.detection import max_box_error_px
from mobilebench.bench.accuracy.evaluation import Evaluation, doubts, predict, score
from mobilebench.bench.build.artifact import Artifact, RooflinePeaks
from mobilebench.bench.measure.attempt import Attempt, CellResult, KernelProfile, failing
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.fidelity import compare, why_wrong
from mobilebench.bench.measure.file_cache import read_files_of
from mobilebench.bench.measure.latency import is_complete
from mobilebench.bench.measure.layers import LayerCheck
from mobilebench.bench.measure.load import LoadPlan, doubt, energy_of, run_load
from mobilebench.bench.measure.processes import Processes
from mobilebench.bench.measure.quantized_fidelity import beside_float32, why_far
from mobilebench.bench.measure.sensing import DeviceSensing
from mobilebench.bench.measure.stages import time_stages
from mobilebench.bench.measure.timing import take_round, time_kernels
from mobilebench.bench.models.heads import CLASS_AXIS
from mobilebench.bench.models.outputs import Floats, Outputs, Reference
from mobilebench.bench.models.variant import DETECT, Variant
from mobilebench.bench.runtimes.convert import convert_for
from mobilebench.bench.runtimes.runtime import RUNTIMES, TVM, Workload
from mobilebench.bench.runtimes.saturation import saturates, saturates_here
from mobilebench.reports.records.calibration import Calibration
from mobilebench.reports.records.record import KernelTime, Status
from mobilebench.targets.catalog.target import CPU
from mobilebench.targets.devices.device import DeviceState, require_flags
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import WorkerError

_LOST: tuple[Status, ...] = ("crashed", "timed_out")  # when a session has ended


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
    stage_images: tuple[Path, ...] = ()  # none: the stages around the inference are not timed
    agreed_error: float = 0.0  # of a bundle: up to which its layers are known to agree
    tell: Callable[[str], None] = _tell_nobody  # called with what begins


def measure_cell(config: MeasurementConfig, inputs: CellInputs) -> CellResult:
    """Compare every runtime with PyTorch, then time those that are right, round by round.

    After the loss of a board, the cell is measured again, on another board or later. If TVM's model
    itself ends each session, the other runtimes are measured without it at last.
    """
    result = _measure_once(config, inputs)
    for retries in range(1, config.retries + 1):
        if not result.lost:
            return result
        lost = result.lost
        result = _measure_once(config, inputs)
        for attempt in result.attempts:
            attempt.retries = retries
            attempt.remarks.insert(0, f"measured again because of: {lost}")
    failed = [one for one in result.attempts if one.runtime == TVM and one.status in _LOST]
    others = tuple(name for name in inputs.runtimes if name != TVM)
    if result.lost and failed and others:
        result = _measure_once(config, replace(inputs, runtimes=others, profiling=None))
        for attempt in result.attempts:
            attempt.retries = config.retries + 1
            attempt.remarks.insert(0, f"measured without {TVM}, whose session was lost")
        result.attempts[:0] = failed
    return result


def _measure_once(config: MeasurementConfig, inputs: CellInputs) -> CellResult:
    with Processes(config) as processes:
        cell = _CellMeasurement(config, inputs, processes)
        before = cell.open_device()
        cell.load_and_compare()
        cell.take_rounds()
        cell.record_memory_and_copies()
        cell.count_instructions()
        cell.measure_accuracy()
        cell.time_stages()
        kernel_profile = cell.profile_kernels()
        after = processes.device_state()
        cell.put_under_load()  # which heats the device
        lost = [attempt.error for attempt in cell.attempts if attempt.status in _LOST]
        why_lost = lost[0] if lost and config.farm and processes.lost else ""
        if all(attempt.ok for attempt in cell.attempts):
            processes.keep_session()
    return CellResult(cell.attempts, kernel_profile, before, after, why_lost)


class _CellMeasurement:
    """A cell that is being measured. If one runtime fails, only its own row fails."""

    def __init__(self, config: MeasurementConfig, inputs: CellInputs, processes: Processes) -> None:
        self.attempts = [Attempt(name) for name in inputs.runtimes]
        self._config = config
        self._inputs = inputs
        self._processes = processes
        self._before: DeviceState | None = None
        self._expected_ms: dict[str, float] = {}  # of an inference, by runtime
        self._workloads: dict[str, Workload] = {}  # as they were loaded, by runtime

    def open_device(self) -> DeviceState | None:
        """Open a session for those that need one; return the device's state before measuring.

        On this machine TVM alone needs it, on a board all do.
        """
        on_board = self._config.farm is not None
        needing = [one for one in self.attempts if on_board or one.runtime == TVM]
        self._inputs.tell("a device")
        if needing:
            with failing(needing[0], "load_failed"):
                self._before = self._processes.open_session()
                require_flags(self._config.target, self._before)
                self._processes.pause(TVM)
        for attempt in needing[1:]:
            attempt.status, attempt.error = needing[0].status, needing[0].error
        self._before = self._before or self._processes.device_state()
        return self._before

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
                    attempt.first_inference_ms = self._call(attempt, "first_inference_ms")
                    self._compare(attempt)
                    if attempt.ok:
                        self._expected_ms[attempt.runtime] = self._call(
                            attempt, "warm_up", self._config.effort.warm_up_s
                        )
            self._processes.pause(attempt.runtime)

    def take_rounds(self) -> None:
        """Time each runtime once per round; each round begins with another runtime."""
        number, speed = 0, self._calibrate()
        while waiting := [
            attempt
            for attempt in self.attempts
            if attempt.ok and not is_complete(self._config.effort, attempt.rounds_ms)
        ]:
            first = number % len(waiting)
            for attempt in waiting[first:] + waiting[:first]:
                self._inputs.tell(f"round {number + 1} of {attempt.runtime}")
                expected_ms = self._expected_ms[attempt.runtime]
                before, taken = speed, attempt.calibrations
                with self._turn_of(attempt):
                    process = self._processes[attempt.runtime]
                    attempt.rounds_ms.append(take_round(process, self._config, expected_ms))
                speed = self._calibrate()
                between = not taken or taken[-1] is not before  # others had a turn
                taken += filter(None, [before if between else None, speed])
            number += 1

    def _calibrate(self) -> Calibration | None:
        """Return how fast the device is now; an emulated one's speed says nothing of it."""
        if self._before is None or self._before.emulated:
            return None
        return self._processes.calibrate()

    def record_memory_and_copies(self) -> None:
        """Record the memory of each process, and the time to copy data to the device and back."""
        workload = self._inputs.workload
        given = workload.input_shape, workload.input_type
        for attempt in self.attempts:
            if not self._processes.alive(attempt.runtime):
                continue
            with self._turn_of(attempt):
                attempt.usage = self._call(attempt, "usage")
                if attempt.runtime == TVM and attempt.ok:
                    attempt.round_trip_ms = self._call(attempt, "round_trip_ms", *given)
                    if self._config.target.device_type != CPU:
                        attempt.copies_ms = self._call(attempt, "copies_ms", *given)

    def count_instructions(self) -> None:
        """Count what an inference executes, if the device counts.

        On one thread only: threads that wait for others spin, some longer and some shorter.
        """
        for attempt in self.attempts:
            if attempt.ok and self._config.threads == 1:
                with self._turn_of(attempt):
                    attempt.instructions = self._call(attempt, "instructions")

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
            with self._turn_of(attempt):
                answers = predict(
                    evaluation.variant, evaluation.dataset, evaluation.preprocessing, infer
                )
                attempt.accuracy = score(evaluation, answers)
                attempt.pytorch_accuracy = pytorch
                attempt.remarks += doubts(evaluation, attempt.accuracy)

    def time_stages(self) -> None:
        """Time what is around an inference too, each runtime in a process that does all of it."""
        files, config = self._inputs.stage_images, self._config
        for attempt in self.attempts if files else ():
            if not attempt.ok:
                continue
            self._inputs.tell(f"the stages of {attempt.runtime}, from file to answer")
            workload = self._workloads[attempt.runtime]
            try:
                attempt.stages = time_stages(
                    attempt.runtime, workload, config.threads, files, config.time_limit_s
                )
            except (BenchError, WorkerError) as error:
                attempt.remarks.append(f"stages were not timed: {error}")
                continue
            attempt.remarks += filter(None, [attempt.stages.doubt])

    def profile_kernels(self) -> KernelProfile | None:
        """Time every kernel of TVM's artifact inside the network."""
        inputs, config = self._inputs.profiling, self._config
        attempt = next((one for one in self.attempts if one.runtime == TVM and one.ok), None)
        if attempt is None or inputs is None:
            return None
        self._inputs.tell("the times of kernels")
        device = self._processes[TVM]
        device.resume()
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

    def put_under_load(self) -> None:
        """Have each runtime compute for as long as was asked for, while sensors are read."""
        plan, loaded = self._config.load, [one for one in self.attempts if one.ok]
        if plan is None or not loaded:
            return
        emulated = bool(self._before and self._before.emulated)
        self._processes.pause(TVM)
        try:
            with DeviceSensing(self._config, self._processes.session, emulated) as sensing:
                self._inputs.tell("the idle device, to know what it takes")
                sensing.rest()
                for attempt in loaded:
                    self._load_one(attempt, plan, sensing)
        except (BenchError, WorkerError) as error:  # of a session that has ended
            for attempt in loaded:
                if attempt.ok and attempt.load is None:
                    with failing(attempt):
                        raise error

    def _load_one(self, attempt: Attempt, plan: LoadPlan, sensing: DeviceSensing) -> None:
        runtime, workload = attempt.runtime, self._inputs.workload
        self._inputs.tell("the device to cool down")
        attempt.remarks += filter(None, [sensing.cool()])
        self._inputs.tell(f"{runtime} under load for {plan.seconds:g} s")
        with self._turn_of(attempt):
            if runtime == TVM:  # another library may have been looked at meanwhile
                self._call(attempt, "load", workload, self._config.threads)
            sustain = partial(self._call, attempt, "sustain")
            load = run_load(plan, sustain, self._expected_ms[runtime], sensing)
            attempt.load = load
            if sensing.source:
                attempt.energy = energy_of(load, sensing.source, sensing.idle)
            attempt.remarks += filter(None, [doubt(load.trace, self._config.threads)])
        if plan.wants_energy and sensing.why_no_energy:
            attempt.remarks.append(f"energy: {sensing.why_no_energy}")

    def _kernel_instructions(self, attempt: Attempt, kernels: int) -> list[int] | list[None]:
        """Return how many instructions each kernel of the artifact that was timed executes."""
        nothing = [None] * kernels
        if attempt.instructions is None:
            return nothing
        counted: list[int] = self._call(attempt, "kernel_instructions", kernels)
        return counted or nothing

    def _load(self, attempt: Attempt) -> None:
        entry, config, runtime = RUNTIMES[attempt.runtime], self._config, attempt.runtime
        attempt.version = self._processes.start(runtime)  # before what may take long for nothing
        workload = replace(self._inputs.workload, saturates=self._saturates())
        workload = convert_for(entry, workload, config.cache_dir, config.time_limit_s)
        self._workloads[runtime] = workload
        read_files_of(workload)
        self._processes[runtime].resume()
        attempt.load_ms = self._call(attempt, "load", workload, config.threads)
        attempt.loaded = self._call(attempt, "usage")
        attempt.notes = self._call(attempt, "notes")

    def _saturates(self) -> bool:
        if self._config.farm is None or self._before is None:
            return saturates_here()
        return saturates(self._before.architecture, self._before.cpu_flags)

    def _compare(self, attempt: Attempt) -> None:
        reference, workload = self._inputs.reference, self._inputs.workload
        outputs = reference.thinned(self._call(attempt, "infer", reference.inputs))
        variant, class_axis = workload.variant, CLASS_AXIS[workload.variant.task]
        fidelity = compare(outputs, reference.outputs, class_axis)
        if isinstance(variant, Variant) and variant.task == DETECT:
            error_px = max_box_error_px(outputs, reference.outputs, variant)
            fidelity = replace(fidelity, max_box_error_px=error_px)
        attempt.fidelity = fidelity
        attempt.error = why_wrong(fidelity, workload.precision, variant, self._inputs.agreed_error)
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
        attempt.layers_agree, attempt.error = True, ""

    @contextmanager
    def _turn_of(self, attempt: Attempt) -> Iterator[None]:
        """Let a runtime's process run; what fails meanwhile fails its row."""
        with failing(attempt):
            self._processes[attempt.runtime].resume()
            yield
        self._processes.pause(attempt.runtime)

    def _call(self, attempt: Attempt, method: str, *args: Any) -> Any:
        return self._processes.call(attempt.runtime, method, *args)
