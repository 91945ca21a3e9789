"""What runtimes share that run the model in their own process."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.runtimes.batches import in_batches
from mobilebench.bench.runtimes.model_files import ModelFiles
from mobilebench.bench.runtimes.stretch import Stretch, take_frames
from mobilebench.bench.runtimes.usage import Usage
from mobilebench.bench.runtimes.warm_up import warm_up
from mobilebench.targets.processes.cpu_allowance import keep_threads_to, own_cpus
from mobilebench.targets.processes.denormals import flush_denormals
from mobilebench.targets.processes.instruction_count import instructions_of, least_of_few
from mobilebench.targets.processes.process import heap_bytes, peak_resident_bytes, resident_bytes

if TYPE_CHECKING:  # boards have no more of this project than a class that runs there needs
    from mobilebench.bench.runtimes.runtime import Workload

_NANOSECONDS_PER_MS = 1e6


def elapsed_ms(work: Callable[..., object], *args: Any) -> float:
    """Return the milliseconds that a call takes."""
    start = time.perf_counter_ns()
    work(*args)
    return (time.perf_counter_ns() - start) / _NANOSECONDS_PER_MS


class InProcessRuntime(ABC):
    """A runtime whose inference is a Python call; subclasses say how to load and to run one."""

    def __init__(self) -> None:
        flush_denormals()  # before a library has started threads
        self._base_rss_bytes = resident_bytes()
        self._cpus = own_cpus()  # before a library has placed its threads
        self._batch = 1

    def load(self, workload: "Workload", threads: int) -> float:
        """Make the model ready; return the milliseconds that this took.

        They begin when the process has started and imported the runtime.
        """
        return elapsed_ms(self.prepare, workload, threads)

    @abstractmethod
    def prepare(self, workload: "Workload", threads: int) -> None:
        """Make the model ready and put a first input in place."""

    @abstractmethod
    def set_input(self, image: Floats) -> None:
        """Put one input of shape (batch, 3, H, W) in place."""

    @abstractmethod
    def run(self) -> Outputs:
        """Run one inference on the input in place; return outputs (batch, ...)."""

    def infer(self, inputs: Floats) -> Outputs:
        """Return outputs (N, ...) for inputs (N, 3, H, W), a batch at a time."""
        return in_batches(inputs, self._batch, self._answer)

    def _answer(self, images: Floats) -> Outputs:
        self.set_input(images)
        return tuple(np.array(output) for output in self.run())

    def first_inference_ms(self) -> float:
        """Return the milliseconds that one inference takes, the first one."""
        return elapsed_ms(self.run)

    def warm_up(self, seconds: float) -> float:
        """Run for about so long, three times at least; return the last median in milliseconds."""
        self.run()  # so that all threads are there
        keep_threads_to(self._cpus)
        return warm_up(self.time, seconds)

    def time(self, samples: int) -> list[float]:
        """Return the times of single inferences, in milliseconds."""
        run, clock = self.run, time.perf_counter_ns
        times = []
        for _ in range(samples):
            start = clock()
            run()
            times.append((clock() - start) / _NANOSECONDS_PER_MS)
        return times

    def sustain(self, inferences: int, frames_per_s: float) -> Stretch:
        """Run under load: one inference after the other, or each when a frame comes (above 0)."""
        if frames_per_s:
            return take_frames(self.run, inferences, frames_per_s)
        return Stretch(self.time(inferences), inferences)

    def instructions(self) -> int | None:
        """Return how many instructions an inference executes on one thread; None if uncounted."""
        return least_of_few(lambda: instructions_of(self.run))

    def notes(self) -> str:
        """Tell how the loaded model is run; empty if nothing is known."""
        return ""

    def usage(self) -> Usage:
        """Tell what memory this process took so far."""
        return Usage(self._base_rss_bytes, peak_resident_bytes(), heap_bytes())


class FileRuntime(InProcessRuntime):
    """A runtime that needs nothing but files, so that it runs on boards too.

    What is imported where such a class is goes to the board: the standard library, NumPy, the
    runtime's package, and small modules of this project.
    """

    def prepare(self, workload: "Workload", threads: int) -> None:
        """Load the files of a workload."""
        self.take(workload.files, threads)

    def take(self, files: ModelFiles, threads: int) -> None:
        """Make the model ready, whose input's first axis is the batch."""
        self._batch = files.input_shape[0]
        self.open(files, threads)

    @abstractmethod
    def open(self, files: ModelFiles, threads: int) -> None:
        """Make the model ready and put a first input in place."""
