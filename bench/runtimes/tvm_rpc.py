"""The built artifact on a device, through TVM's RPC and the Relax virtual machine."""

import gc
import re
import statistics
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import tvm
from tvm.runtime import vm

from mobilebench.bench.build.artifact import RooflinePeaks
from mobilebench.bench.models.input_type import PIXELS
from mobilebench.bench.models.outputs import Inputs, Outputs
from mobilebench.bench.runtimes.batches import in_batches
from mobilebench.bench.runtimes.runtime import ENTRY, Workload
from mobilebench.bench.runtimes.stretch import Stretch
from mobilebench.bench.runtimes.usage import Usage
from mobilebench.bench.runtimes.warm_up import warm_up
from mobilebench.targets.catalog.target import Target
from mobilebench.targets.devices.connection import Connector
from mobilebench.targets.devices.device import Device, DeviceState, MachineSpeed
from mobilebench.targets.devices.farm import Farm
from mobilebench.targets.devices.probe import AWAIT_FRAME, build_probe
from mobilebench.targets.errors import BenchError, DeviceLostError
from mobilebench.targets.opencl.accelerator import OPENCL_ERROR, first_line
from mobilebench.targets.processes.instruction_count import least_of_few
from mobilebench.targets.toolchains.toolchain import find_toolchain

_ROUND_TRIPS = 5
_CEILING_RUNS = 10
_COPIES = 20
_COPY = "runtime.TVMTensorCopyFromTo"
_CPU = 1  # in DLPack
_RECORD, _TIMES = "mobilebench.opencl.record_kernels", "mobilebench.opencl.kernel_times"


def _noise(workload: Workload) -> Inputs:
    generator, shape = np.random.default_rng(0), workload.input_shape
    if workload.input_type == PIXELS:
        return generator.integers(0, 256, shape, np.uint8)
    return generator.standard_normal(shape, np.float32)


@dataclass
class _Loaded:
    """A library on the device, and a virtual machine on it."""

    library: Any
    machine: Any
    batch: int
    timers: dict[int, Any] = field(default_factory=dict)


class TvmRuntime:
    """A session on a device: samples are taken there, so RPC is not in them."""

    def configure(
        self, target: Target, threads: int, cache_dir: Path, farm: Farm | None = None
    ) -> None:
        """Take what is needed to `wait` for a board and `connect`; farm None is this machine."""
        self._target = target
        self._threads = threads
        self._cache_dir = cache_dir
        self._connector = Connector(target, threads, farm, cache_dir)
        self._probe = build_probe(find_toolchain(target.toolchain), cache_dir)

    def release(self) -> None:
        """End the session: a board is free for others then, and this for another aim."""
        self.__dict__.clear()
        gc.collect()  # what refers to the session may lie in cycles
        gc.freeze()  # what stays, TVM itself above all, is not looked through the next time

    def wait(self) -> None:
        """Wait for a free board; raises NoDeviceError if there is none in time."""
        self._connector.wait()

    def connect(self) -> None:
        """Open the session; raises BenchError for a device that cannot be used."""
        self._connection = self._connector.connect()
        with self._noticing_loss():
            self._device = Device(self._connection, self._probe)
            self._accelerator = self._device.accelerator(self._target)
            self._tvm_device = self._device.tvm_device(self._target)
            self._device.set_threads(self._threads, self._target.cores)
        self._loaded: dict[Path, _Loaded] = {}

    def temperature_c(self) -> float | None:
        """Return how hot the device is, in degrees Celsius; None if it does not tell."""
        with self._noticing_loss():
            return self._device.temperature_c()

    def begin(self) -> DeviceState:
        """Describe the device as it is before anything is measured."""
        with self._noticing_loss():
            state = self.device_state()
            self._device.forget_peak()  # the calibration kernel's
            self._base_rss_bytes = self._device.resident_bytes()[0]
            return state

    def device_state(self) -> DeviceState:
        """Describe the device as it is now."""
        with self._noticing_loss():
            return replace(self._device.state(), accelerator=self._accelerator)

    def machine_speed(self) -> MachineSpeed | None:
        """Time fixed kernels on as many of the device's CPUs as an inference has threads."""
        with self._noticing_loss():
            return self._device.machine_speed(self._threads, self._target.cores)

    def load(self, workload: Workload, threads: int) -> float:
        """Ship the library and open a virtual machine on it; what is loaded already is taken up.

        Returns the milliseconds that loading took on the device, 0 for what was loaded already.
        """
        if workload.library is None:
            raise BenchError(f"{workload.variant.name}: nothing was built for TVM to run")
        if workload.library in self._loaded:
            self._current = self._loaded[workload.library]
            return 0.0
        name = f"{len(self._loaded)}-{workload.library.name}"
        with self._noticing_loss():
            self._device.session.upload(str(workload.library), name)
            params = self._send(workload.params_path) if workload.params_path else ""
            load_ms = self._device.load_ms(self._path(name), params, self._target)
            library = self._device.session.load_module(name)
            if params:
                library.get_function("load_params", True)(params)
            machine = vm.VirtualMachine(library, self._tvm_device)
        self._current = self._loaded[workload.library] = _Loaded(library, machine, workload.batch)
        with self._noticing_loss():
            # Zeros would be easier than an image: what is constant is fast to emulate.
            self._put(_noise(workload))
        return load_ms

    def first_inference_ms(self) -> float:
        """Return the milliseconds that one inference takes on the device, the first one."""
        with self._noticing_loss():
            machine = self._current.machine.module
            return self._device.call_ms(machine, "invoke_stateful", ENTRY, self._target)

    def infer(self, inputs: Inputs) -> Outputs:
        """Return outputs (N, ...) for N inputs, a batch at a time."""
        with self._noticing_loss():
            return in_batches(inputs, self._current.batch, self._round_trip)

    def warm_up(self, seconds: float) -> float:
        """Run for about so long, three times at least; return the last median in milliseconds."""
        return warm_up(self.time, seconds)

    def time(self, samples: int) -> list[float]:
        """Return the times of single inferences on the device, in milliseconds.

        `number=1`: with more, each result would be a mean already and its percentiles too narrow.
        """
        with self._noticing_loss():
            if samples not in self._current.timers:
                self._current.timers[samples] = self._current.machine.time_evaluator(
                    "invoke_stateful", self._tvm_device, number=1, repeat=samples
                )
            return [seconds * 1000 for seconds in self._current.timers[samples](ENTRY).results]

    def sustain(self, inferences: int, frames_per_s: float) -> Stretch:
        """Run under load: one inference after the other, or each when a frame comes (above 0).

        TVM runs one more before those that it times.
        """
        if not frames_per_s:
            return Stretch(self.time(inferences), inferences + 1)
        with self._noticing_loss():
            self._device.probe_function("begin_frames")(round(1e9 / frames_per_s))
            timer = self._current.machine.time_evaluator(
                *("invoke_stateful", self._tvm_device), number=1, repeat=inferences,
                f_preproc=AWAIT_FRAME,
            )  # fmt: skip
            latencies_ms = [seconds * 1000 for seconds in timer(ENTRY).results]
            lines = str(self._device.probe_function("frames")()).splitlines()
        frames, begun_ns = zip(*(map(int, line.split()) for line in lines), strict=True)
        begun_ms = [nanoseconds / 1e6 for nanoseconds in begun_ns]
        return Stretch(latencies_ms, inferences + 1, list(frames), begun_ms)

    def instructions(self) -> int | None:
        """Return how many instructions an inference executes on one thread; None if uncounted."""
        machine = self._current.machine.module
        with self._noticing_loss():
            return least_of_few(
                lambda: self._device.instructions(machine, "invoke_stateful", ENTRY)
            )

    def round_trip_ms(self, shape: tuple[int, ...], kind: str) -> float:
        """Return the median time of input over RPC, one inference and the output back."""
        image = np.zeros(shape, kind)
        times = []
        with self._noticing_loss():
            for _ in range(_ROUND_TRIPS):
                start = time.perf_counter()
                self._round_trip(image)
                times.append((time.perf_counter() - start) * 1000)
        return statistics.median(times)

    def copies_ms(self, shape: tuple[int, ...], kind: str) -> tuple[float, float]:
        """Return the median times of the input's way to the device, and of the output's back.

        Both begin and end in the memory of the CPU beside the device, and are taken there.
        """
        beside = self._device.session.cpu()
        with self._noticing_loss():
            image = tvm.runtime.tensor(np.zeros(shape, kind), beside)
            there = tvm.runtime.empty(shape, kind, self._tvm_device)
            back_ms = 0.0
            for output in self._outputs():
                back = tvm.runtime.empty(output.shape, output.dtype, beside)
                back_ms += self._copy_ms(output, back)
            return self._copy_ms(image, there), back_ms

    def _copy_ms(self, source: Any, destination: Any) -> float:
        evaluator = self._device.session.get_function("runtime.RPCTimeEvaluator")
        # Of no module: a function that TVM's runtime has; with the CPU's clock, once, so often.
        timer = evaluator(None, _COPY, _CPU, 0, 1, _COPIES, 0, 0, 0, 0, 0, "")
        seconds = struct.unpack(f"{_COPIES}d", bytes(timer(source, destination)))
        return float(statistics.median(seconds) * 1000)

    def kernel_seconds(self, kernels: int, inferences: int) -> list[list[float]]:
        """Return the seconds that each kernel took, a list per inference.

        A CPU's artifact must be instrumented. Raises BenchError for a device whose driver has not
        counted as many kernels.
        """
        with self._noticing_loss():
            if self._accelerator:
                return self._launch_seconds(kernels, inferences)
            for _ in range(inferences):
                self._current.machine.invoke_stateful(ENTRY)
            remote = tvm.runtime.tensor(np.zeros((inferences, kernels)), self._tvm_device)
            self._current.library.get_function("kernel_seconds", True)(remote)
            found: list[list[float]] = remote.numpy().tolist()
            return found

    def kernel_instructions(self, kernels: int) -> list[int]:
        """Return how many instructions each kernel executes on one thread; empty if uncounted.

        The artifact must be instrumented.
        """
        with self._noticing_loss():
            library = self._current.library
            if not library.get_function("count_instructions", True)(1):
                return []
            self._current.machine.invoke_stateful(ENTRY)
            remote = tvm.runtime.tensor(np.zeros((1, kernels)), self._tvm_device)
            library.get_function("kernel_seconds", True)(remote)
            library.get_function("count_instructions", True)(0)
            return [round(count) for count in remote.numpy()[0]]

    def _launch_seconds(self, kernels: int, inferences: int) -> list[list[float]]:
        """Return the same from the events of an OpenCL device, launch by launch."""
        try:
            record, times = map(self._device.session.get_function, (_RECORD, _TIMES))
        except AttributeError as error:
            raise BenchError("TVM on the device does not tell them; the plug-in does") from error
        record(1)
        for _ in range(inferences):
            self._current.machine.invoke_stateful(ENTRY)
        launches = [line.rsplit(" ", 1) for line in str(times()).splitlines()]
        record(0)
        # What TVM made of one function is one kernel, in one launch or in several.
        names = [re.sub(r"_kernel(_\d+)?$", "", name) for name, _ in launches]
        order = list(dict.fromkeys(names))
        if len(order) != kernels or len(launches) % inferences:
            raise BenchError(f"the device has launched {len(order)} kernels, not {kernels}")
        found = [[0.0] * kernels for _ in range(inferences)]
        each = len(launches) // inferences
        for number, (name, (_, nanoseconds)) in enumerate(zip(names, launches, strict=True)):
            found[number // each][order.index(name)] += int(nanoseconds) / 1e9
        return found

    def roofline_peaks(self, libraries: RooflinePeaks) -> tuple[float, float]:
        """Return how much the device does in a second at best: multiply-adds, bytes read."""
        output = np.zeros(libraries.sums, np.float32)
        runs = (
            (libraries.multiply, np.full(libraries.factors, 0.5, np.float32), libraries.macs),
            (libraries.read, np.ones(libraries.read_bytes // 4, np.float32), libraries.read_bytes),
        )
        rates = []
        with self._noticing_loss():
            for path, data, amount in runs:
                args = [tvm.runtime.tensor(array, self._tvm_device) for array in (data, output)]
                self._device.session.upload(str(path))
                library = self._device.session.load_module(path.name)
                timer = library.time_evaluator(
                    libraries.entry, self._tvm_device, number=1, repeat=_CEILING_RUNS
                )
                rates.append(amount / min(timer(*args).results))
        return rates[0], rates[1]

    def notes(self) -> str:
        """Return nothing: the record's other columns say how the artifact was built."""
        return ""

    def usage(self) -> Usage:
        """Tell what memory the session's process took so far."""
        with self._noticing_loss():
            _, peak = self._device.resident_bytes()
            return Usage(self._base_rss_bytes, peak, self._device.heap_bytes())

    def _send(self, file: Path) -> str:
        """Ship a file for the library loaded next; returns its path on the device."""
        name = f"{len(self._loaded)}-{file.name}"
        self._device.session.upload(str(file), name)
        return self._path(name)

    def _path(self, name: str) -> str:
        """Return the path of a shipped file on the device."""
        return str(self._device.session.get_function("tvm.rpc.server.workpath")(name))

    def _put(self, image: Inputs) -> None:
        self._current.machine.set_input(ENTRY, tvm.runtime.tensor(image, self._tvm_device))

    def _round_trip(self, image: Inputs) -> Outputs:
        self._put(image)
        self._current.machine.invoke_stateful(ENTRY)
        return tuple(output.numpy() for output in self._outputs())

    def _outputs(self) -> tuple[Any, ...]:
        """Return what the last inference has left on the device."""
        outputs = self._current.machine.get_outputs(ENTRY)
        return tuple(outputs) if isinstance(outputs, (list, tuple)) else (outputs,)

    @contextmanager
    def _noticing_loss(self) -> Iterator[None]:
        """Tell an error that the device reports from the end of the process that reports them."""
        try:
            yield
        except BenchError:
            raise
        except Exception as error:
            cause = self._connection.ended()
            if cause is not None:
                raise DeviceLostError(cause) from error
            if OPENCL_ERROR in str(error):
                raise BenchError(first_line(error)) from error
            raise
