"""One cell of a run: every runtime on one variant, device and thread count, side by side."""

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.artifact import Artifact, Ceilings
from bench.fidelity import TOLERANCE, Fidelity, Floats, compare
from bench.latency import Profile, is_complete, round_size
from bench.onnx_export import Exported
from bench.runtimes.convert import convert_for
from bench.runtimes.runtime import RUNTIMES, TVM, Usage, Workload
from reports.record import KernelTime, Status
from targets.device import DeviceState
from targets.errors import BenchError
from targets.target import Target
from targets.worker import Worker, WorkerCrashedError, WorkerError, WorkerTimedOutError


@dataclass
class Attempt:
    """How far one runtime got."""

    runtime: str
    status: Status = "ok"
    error: str = ""
    fidelity: Fidelity | None = None
    usage: Usage | None = None
    round_trip_ms: float | None = None
    rounds_ms: list[list[float]] = field(default_factory=list)
    remark: str = ""  # what a reader of the row should know, though nothing failed


@dataclass(frozen=True)
class Inside:
    """What a look inside TVM's artifact found."""

    kernels: list[KernelTime]
    peak_macs_per_s: float
    read_bytes_per_s: float


@dataclass(frozen=True)
class CellResult:
    """What became of a cell; a device state is None where the device could not be asked."""

    attempts: list[Attempt]
    inside: Inside | None = None
    before: DeviceState | None = None
    after: DeviceState | None = None


@dataclass(frozen=True)
class Bench:
    """Where and how thoroughly a cell is measured."""

    target: Target
    threads: int
    profile: Profile
    time_limit_s: float
    cache_dir: Path


def open_device(target: Target, threads: int, cache_dir: Path) -> Worker:
    """Return a worker that holds a fresh session to the target's device."""
    return Worker(RUNTIMES[TVM].factory, target, threads, cache_dir, blocked_modules=("torch",))


def device_state(target: Target, cache_dir: Path, time_limit_s: float) -> DeviceState:
    """Describe a target's device; raises what the worker raises."""
    with open_device(target, 1, cache_dir) as device:
        state: DeviceState = device.call("device_state", timeout_s=time_limit_s)
        return state


def infer_on_device(
    target: Target,
    threads: int,
    workload: Workload,
    inputs: Floats,
    cache_dir: Path,
    time_limit_s: float,
) -> Floats:
    """Return what an artifact computes on its device; raises what the worker raises."""
    with open_device(target, threads, cache_dir) as device:
        device.call("load", workload, threads, timeout_s=time_limit_s)
        outputs: Floats = device.call("infer", inputs, timeout_s=time_limit_s)
        return outputs


def look_inside(bench: Bench, workload: Workload, marked: Artifact, ceilings: Ceilings) -> Inside:
    """Time every kernel of a marked artifact inside the network; raises what the worker raises."""
    with open_device(bench.target, bench.threads, bench.cache_dir) as device:
        peak, read = device.call("ceilings", ceilings, bench.threads, timeout_s=bench.time_limit_s)
    (microseconds,) = kernel_microseconds(bench, workload, [marked])
    times = [
        KernelTime(**kernel, microseconds=taken)
        for kernel, taken in zip(marked.manifest.kernels, microseconds, strict=True)
    ]
    return Inside(times, peak, read)


def kernel_microseconds(
    bench: Bench, workload: Workload, artifacts: Sequence[Artifact]
) -> list[list[float]]:
    """Return the median time of every kernel inside each marked artifact; artifacts take turns.

    Raises what the worker raises.
    """
    limit_s = bench.time_limit_s
    with ExitStack() as stack:
        devices = []
        expected_ms = []
        for artifact in artifacts:
            device = open_device(bench.target, bench.threads, bench.cache_dir)
            devices.append(stack.enter_context(device))
            own = replace(workload, library=artifact.library)
            device.call("load", own, bench.threads, timeout_s=limit_s)
            expected_ms.append(device.call("warm_up", bench.profile.warm_up_s, timeout_s=limit_s))
            device.pause()
        taken: list[list[list[float]]] = [[] for _ in artifacts]
        for _ in range(bench.profile.rounds):
            for device, artifact, expected, seconds in zip(
                devices, artifacts, expected_ms, taken, strict=True
            ):
                samples = round_size(bench.profile, expected)
                round_s = limit_s + 3 * samples * expected / 1000
                kernels = len(artifact.manifest.kernels)
                device.resume()
                device.call("time", 1, timeout_s=limit_s)  # caches and clocks again
                seconds.extend(device.call("kernel_seconds", kernels, samples, timeout_s=round_s))
                device.pause()
    return [
        [1e6 * statistics.median(one) for one in zip(*seconds, strict=True)] for seconds in taken
    ]


def measure_cell(
    bench: Bench, runtimes: Sequence[str], workload: Workload, exported: Exported
) -> CellResult:
    """Validate every runtime against PyTorch, then time those that are right, round by round.

    Each runtime has a process of its own, stopped while another is measured: thread pools spin
    while they wait and would take the cores from each other. What fails costs its own row only.
    """
    attempts = [Attempt(name) for name in runtimes]
    workers: dict[str, Worker] = {}
    try:
        before = _state(bench)
        expected_ms = {}
        for attempt in attempts:
            with _excusing(attempt, "load_failed"):
                own = convert_for(
                    RUNTIMES[attempt.runtime], workload, bench.cache_dir, bench.time_limit_s
                )
                workers[attempt.runtime] = _start(attempt.runtime, bench)
                _call(workers, attempt, bench, "load", own, bench.threads)
            if attempt.status == "ok":
                with _excusing(attempt):
                    _validate(workers, attempt, exported, bench)
                    if attempt.status == "ok":
                        expected_ms[attempt.runtime] = _call(
                            workers, attempt, bench, "warm_up", bench.profile.warm_up_s
                        )
            if attempt.runtime in workers and workers[attempt.runtime].alive:
                workers[attempt.runtime].pause()
        _take_rounds(attempts, workers, expected_ms, bench)
        _take_stock(attempts, workers, workload, bench)
    finally:
        for worker in workers.values():
            worker.close()
    return CellResult(attempts, before=before, after=_state(bench))


def _state(bench: Bench) -> DeviceState | None:
    try:
        return device_state(bench.target, bench.cache_dir, bench.time_limit_s)
    except (BenchError, WorkerError):
        return None


def _start(runtime: str, bench: Bench) -> Worker:
    if runtime == TVM:
        return open_device(bench.target, bench.threads, bench.cache_dir)
    return Worker(RUNTIMES[runtime].factory)


def _call(
    workers: dict[str, Worker], attempt: Attempt, bench: Bench, method: str, *args: Any
) -> Any:
    return workers[attempt.runtime].call(method, *args, timeout_s=bench.time_limit_s)


def _validate(
    workers: dict[str, Worker], attempt: Attempt, exported: Exported, bench: Bench
) -> None:
    inputs, reference = exported.reference()
    attempt.fidelity = compare(_call(workers, attempt, bench, "infer", inputs), reference)
    tolerance = TOLERANCE["float32"]
    if not attempt.fidelity.relative_l2_error <= tolerance:
        attempt.status = "wrong"
        attempt.error = (
            f"relative L2 error {attempt.fidelity.relative_l2_error:.2g} against PyTorch is above "
            f"{tolerance:g}"
        )


def _take_rounds(
    attempts: list[Attempt],
    workers: dict[str, Worker],
    expected_ms: dict[str, float],
    bench: Bench,
) -> None:
    """Give each runtime a turn per round, first in another order each time."""
    turn = 0
    while waiting := [
        attempt
        for attempt in attempts
        if attempt.status == "ok" and not is_complete(bench.profile, attempt.rounds_ms)
    ]:
        first = turn % len(waiting)
        for attempt in waiting[first:] + waiting[:first]:
            samples = round_size(bench.profile, expected_ms[attempt.runtime])
            limit_s = bench.time_limit_s + 3 * samples * expected_ms[attempt.runtime] / 1000
            worker = workers[attempt.runtime]
            worker.resume()
            with _excusing(attempt):
                _call(workers, attempt, bench, "time", 1)  # caches and clocks again
                attempt.rounds_ms.append(worker.call("time", samples, timeout_s=limit_s))
            if worker.alive:
                worker.pause()
        turn += 1


def _take_stock(
    attempts: list[Attempt], workers: dict[str, Worker], workload: Workload, bench: Bench
) -> None:
    for attempt in attempts:
        worker = workers.get(attempt.runtime)
        if worker is None or not worker.alive:
            continue
        worker.resume()
        with _excusing(attempt):
            attempt.usage = _call(workers, attempt, bench, "usage")
            if attempt.runtime == TVM and attempt.status == "ok":
                shape = workload.variant.input_shape
                attempt.round_trip_ms = _call(workers, attempt, bench, "round_trip_ms", shape)
        if worker.alive:
            worker.pause()


@contextmanager
def _excusing(attempt: Attempt, otherwise: Status = "failed") -> Iterator[None]:
    """Turn what a worker raises into the status of an attempt.

    A process that died or did not answer has a status of its own; `otherwise` is for the rest.
    """
    try:
        yield
    except (BenchError, WorkerError) as error:
        attempt.error = str(error)
        if isinstance(error, WorkerCrashedError):
            attempt.status = "crashed"
        elif isinstance(error, WorkerTimedOutError):
            attempt.status = "timed_out"
        else:
            attempt.status = otherwise
