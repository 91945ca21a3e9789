"""Libraries of two nights, measured again beside each other on one device."""

from collections.abc import Callable, Sequence
from pathlib import Path

from bench.artifact import Artifact, find_artifact
from bench.assemble import utc_now
from bench.latency import is_complete, round_size
from bench.models.weights import Weights
from bench.on_device import Bench, close_device, open_device
from bench.runtimes.runtime import Workload
from bench.variant import parse_variant
from reports.confirmation import Confirmation
from reports.suspects import Library, LibraryPair
from targets.errors import BenchError, NoDeviceError
from targets.tracker import boards_of
from targets.worker import Worker, WorkerError


def look_again(bench: Bench, pair: LibraryPair) -> Confirmation:
    """Measure a cell's library of tonight and one of before, in turns, in one session.

    Raises BenchError, in one line, if a library is gone from the cache, no device is free or one of
    the libraries fails there.
    """
    head = _open(bench, pair.head)
    base_library, base = _first(bench, pair.bases)
    if head is None or base is None:
        gone = pair.head if head is None else pair.bases[0]
        raise BenchError(f"the library of run {gone.run_id} is no longer in the cache")
    try:
        rounds_ms = _in_turns(bench, pair, (base, head))
    except (NoDeviceError, WorkerError) as error:
        raise BenchError(str(error)) from error
    cell = pair.cell
    return Confirmation(
        run_id=pair.head.run_id,
        base_run_id=base_library.run_id,
        variant=cell.variant,
        target=cell.target,
        device=cell.device,
        runtime=cell.runtime,
        threads=cell.threads,
        precision=cell.precision,
        weights=cell.weights,
        measured_at=utc_now(),
        base_rounds_ms=rounds_ms[0],
        head_rounds_ms=rounds_ms[1],
    )


def _open(bench: Bench, library: Library) -> Artifact | None:
    return find_artifact(library.artifact_key, bench.cache_dir) if library.artifact_key else None


def _first(bench: Bench, libraries: Sequence[Library]) -> tuple[Library, Artifact | None]:
    """Return the best library that the cache still has."""
    for library in libraries:
        artifact = _open(bench, library)
        if artifact is not None:
            return library, artifact
    return libraries[0], None


def _in_turns(
    bench: Bench, pair: LibraryPair, sides: tuple[Artifact, Artifact]
) -> list[list[list[float]]]:
    """Return the samples of both, in rounds; who begins changes from round to round."""
    device = _device_of(bench, pair.cell.device)
    with device:
        cell, profile, limit_s = pair.cell, bench.profile, bench.time_limit_s
        variant = parse_variant(cell.variant)
        workloads = [
            Workload(variant, Weights(), Path(), side.library, precision=cell.precision)
            for side in sides
        ]
        load = _loader(device, bench)
        expected_ms = []
        for workload in workloads:
            load(workload)
            expected_ms.append(device.call("warm_up", profile.warm_up_s, timeout_s=limit_s))
        rounds_ms: list[list[list[float]]] = [[], []]
        while not all(is_complete(profile, one) for one in rounds_ms):
            order = (0, 1) if len(rounds_ms[0]) % 2 == 0 else (1, 0)
            for side in order:
                samples = round_size(profile, expected_ms[side])
                round_s = limit_s + 3 * samples * expected_ms[side] / 1000
                load(workloads[side])
                device.call("time", 1, timeout_s=limit_s)  # caches and clocks again
                rounds_ms[side].append(device.call("time", samples, timeout_s=round_s))
        close_device(bench, device)
    return rounds_ms


def _device_of(bench: Bench, name: str) -> Worker:
    """Return a session on the cell's own board; if it is gone, on another one of its key.

    The tracker says which board one gets: what is not the right one is held until it is found.
    """
    boards = boards_of(bench.farm.tracker, bench.target.key) if bench.farm else ()
    others: list[Worker] = []
    try:
        for _ in range(max(1, len(boards))):
            device, state = open_device(bench)
            if bench.farm is None or state.name == name:
                return device
            others.append(device)
        return others.pop()
    finally:
        for other in others:
            other.close()


def _loader(device: Worker, bench: Bench) -> Callable[[Workload], None]:
    def load(workload: Workload) -> None:
        device.call("load", workload, bench.threads, timeout_s=bench.time_limit_s)

    return load
