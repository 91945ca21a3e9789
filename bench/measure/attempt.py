"""The result of measuring a cell: an attempt for each runtime, and the device's state."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mobilebench.bench.accuracy.evaluation import Accuracy
from mobilebench.bench.measure.fidelity import Fidelity
from mobilebench.bench.measure.load import Energy, Load
from mobilebench.bench.measure.stages import StageTimes
from mobilebench.bench.runtimes.usage import Usage
from mobilebench.reports.records.calibration import Calibration
from mobilebench.reports.records.record import KernelTime, Status
from mobilebench.targets.devices.device import DeviceState
from mobilebench.targets.errors import BenchError, NoDeviceError
from mobilebench.targets.processes.worker import (
    WorkerCrashedError,
    WorkerError,
    WorkerTimedOutError,
)


@dataclass
class Attempt:
    """How far one runtime got."""

    runtime: str
    status: Status = "ok"
    error: str = ""
    fidelity: Fidelity | None = None
    layers_agree: bool = False  # at int8: each by itself, where the outputs are too far
    usage: Usage | None = None
    loaded: Usage | None = None  # the same before the first inference
    load_ms: float | None = None  # from files in the file cache, in a fresh process
    first_inference_ms: float | None = None  # right after loading
    instructions: int | None = None  # of an inference on one thread, where they are counted
    round_trip_ms: float | None = None
    copies_ms: tuple[float, float] | None = None  # input to the device, output back
    stages: StageTimes | None = None  # from an image file to an answer
    accuracy: Accuracy | None = None
    pytorch_accuracy: Accuracy | None = None  # on the same images
    rounds_ms: list[list[float]] = field(default_factory=list)
    calibrations: list[Calibration] = field(default_factory=list)  # around the rounds
    load: Load | None = None
    energy: Energy | None = None
    version: str = ""  # that a board has; empty if it is not known, and on this machine
    notes: str = ""  # what the runtime tells about how it runs the model
    remarks: list[str] = field(default_factory=list)  # warnings for readers of the row
    retries: int = 0

    @property
    def ok(self) -> bool:
        """Whether no step has failed so far."""
        return self.status == "ok"


@dataclass(frozen=True)
class KernelProfile:
    """How long the kernels of TVM's artifact take, and the device's roofline peaks."""

    kernels: list[KernelTime]
    peak_macs_per_s: float
    read_bytes_per_s: float


@dataclass(frozen=True)
class CellResult:
    """The result of measuring a cell; a device state is None where it could not be read."""

    attempts: list[Attempt]
    kernel_profile: KernelProfile | None = None
    before: DeviceState | None = None
    after: DeviceState | None = None
    lost: str = ""  # why the session on the board has ended, if it has

    @property
    def stopped(self) -> str:
        """How a quota of CPU time has stopped the device's process meanwhile; empty if not."""
        if self.before is None or self.after is None or self.after.allowance.quota is None:
            return ""
        stopped_s = self.after.allowance.stopped_s - self.before.allowance.stopped_s
        if stopped_s <= 0:
            return ""
        quota = f"its quota of {self.after.allowance.quota:g} CPUs' time"
        return f"{quota} stopped it for {stopped_s:.2g} s: give it whole CPUs (a cpuset) instead"


@contextmanager
def failing(attempt: Attempt, otherwise: Status = "failed") -> Iterator[None]:
    """Turn an error of a worker into the status of an attempt.

    A process that crashed or timed out has its own status; all other errors get `otherwise`.
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
