"""The built artifact on a device, through TVM's RPC and the Relax virtual machine."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tvm
from tvm import rpc
from tvm.runtime import vm

from bench.artifact import Ceilings
from bench.fidelity import Floats
from bench.runtimes.runtime import Usage, Workload, warm_up
from targets.device import Device, DeviceState
from targets.errors import BenchError, DeviceLostError
from targets.local import HOST, LocalServer
from targets.probe import build_probe
from targets.target import Target
from targets.toolchain import find_toolchain

ENTRY = "main"
_ROUND_TRIPS = 5
_CEILING_RUNS = 10


class TvmRuntime:
    """A session on a fresh server: samples are taken on the device, so RPC is not in them."""

    def __init__(self, target: Target, threads: int, cache_dir: Path) -> None:
        probe = build_probe(find_toolchain(target.toolchain), cache_dir)
        self._server = LocalServer(threads)
        self._device = Device(rpc.connect(HOST, self._server.port, self._server.key), probe)
        self._tvm_device = self._device.tvm_device(target)
        self._base_rss_bytes = self._device.resident_bytes()[0]

    def device_state(self) -> DeviceState:
        """Describe the device as it is now."""
        with self._noticing_loss():
            return self._device.state()

    def load(self, workload: Workload, threads: int) -> None:
        """Ship the library and open a virtual machine on it."""
        if workload.library is None:
            raise BenchError(f"{workload.variant.name}: nothing was built for TVM to run")
        with self._noticing_loss():
            self._device.session.upload(str(workload.library))
            self._library = self._device.session.load_module(workload.library.name)
            self._device.set_threads(threads)
            self._vm = vm.VirtualMachine(self._library, self._tvm_device)
            self._put(np.zeros(workload.variant.input_shape, np.float32))
            self._timers: dict[int, Any] = {}

    def infer(self, inputs: Floats) -> Floats:
        """Return outputs (N, classes) for inputs (N, 3, H, W), one at a time."""
        with self._noticing_loss():
            return np.concatenate([self._round_trip(image[None]) for image in inputs])

    def warm_up(self, seconds: float) -> float:
        """Run for about so long, three times at least; return the last median in milliseconds."""
        return warm_up(self.time, seconds)

    def time(self, samples: int) -> list[float]:
        """Return the times of single inferences on the device, in milliseconds.

        `number=1`: with more, each result would be a mean already and its percentiles too narrow.
        """
        with self._noticing_loss():
            if samples not in self._timers:
                self._timers[samples] = self._vm.time_evaluator(
                    "invoke_stateful", self._tvm_device, number=1, repeat=samples
                )
            return [seconds * 1000 for seconds in self._timers[samples](ENTRY).results]

    def round_trip_ms(self, shape: tuple[int, ...]) -> float:
        """Return the median time of input over RPC, one inference and the output back."""
        image = np.zeros(shape, np.float32)
        times = []
        with self._noticing_loss():
            for _ in range(_ROUND_TRIPS):
                start = time.perf_counter()
                self._round_trip(image)
                times.append((time.perf_counter() - start) * 1000)
        return statistics.median(times)

    def kernel_seconds(self, kernels: int, inferences: int) -> list[list[float]]:
        """Return the seconds that each kernel of a marked artifact took, a list per inference."""
        with self._noticing_loss():
            for _ in range(inferences):
                self._vm.invoke_stateful(ENTRY)
            remote = tvm.runtime.tensor(np.zeros((inferences, kernels)), self._tvm_device)
            self._library.get_function("kernel_seconds", True)(remote)
            found: list[list[float]] = remote.numpy().tolist()
            return found

    def ceilings(self, libraries: Ceilings, threads: int) -> tuple[float, float]:
        """Return how much the device does in a second at best: multiply-adds, bytes read."""
        output = np.zeros(libraries.sums, np.float32)
        runs = (
            (libraries.multiply, np.full(libraries.factors, 0.5, np.float32), libraries.macs),
            (libraries.read, np.ones(libraries.read_bytes // 4, np.float32), libraries.read_bytes),
        )
        rates = []
        with self._noticing_loss():
            self._device.set_threads(threads)
            for path, data, amount in runs:
                args = [tvm.runtime.tensor(array, self._tvm_device) for array in (data, output)]
                self._device.session.upload(str(path))
                library = self._device.session.load_module(path.name)
                timer = library.time_evaluator(
                    libraries.entry, self._tvm_device, number=1, repeat=_CEILING_RUNS
                )
                rates.append(amount / min(timer(*args).results))
        return rates[0], rates[1]

    def usage(self) -> Usage:
        """Tell what memory the session's process took so far."""
        with self._noticing_loss():
            return Usage(self._base_rss_bytes, self._device.resident_bytes()[1])

    def _put(self, image: Floats) -> None:
        self._vm.set_input(ENTRY, tvm.runtime.tensor(image, self._tvm_device))

    def _round_trip(self, image: Floats) -> Floats:
        self._put(image)
        self._vm.invoke_stateful(ENTRY)
        output: Floats = self._vm.get_outputs(ENTRY).numpy()
        return output

    @contextmanager
    def _noticing_loss(self) -> Iterator[None]:
        """Tell an error that the device reports from the end of the process that reports them."""
        try:
            yield
        except Exception as error:
            time.sleep(0.2)  # the server writes its log once its child is reaped
            cause = self._server.session_end()
            if cause is None:
                raise
            raise DeviceLostError(cause) from error
