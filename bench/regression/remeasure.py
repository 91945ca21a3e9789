"""Measures the libraries of two runs again, in turns on one device."""

from dataclasses import replace
from functools import partial

from mobilebench.bench.build.artifact import Artifact, find_artifact
from mobilebench.bench.clock import utc_now
from mobilebench.bench.config.effort import Effort
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.inference import workload_of
from mobilebench.bench.measure.latency import is_complete
from mobilebench.bench.measure.run_context import RunContext
from mobilebench.bench.measure.sessions import close_device, open_device
from mobilebench.bench.measure.timing import take_round
from mobilebench.bench.models.onnx_network import Network
from mobilebench.bench.models.variant import parse_variant
from mobilebench.reports.history.suspects import LibraryPair
from mobilebench.reports.records.confirmation import Confirmation
from mobilebench.targets.devices.own_name import own_device_name
from mobilebench.targets.errors import BenchError, NoDeviceError
from mobilebench.targets.processes.worker import Worker, WorkerError
from mobilebench.targets.rpc.tracker import boards_of

# Short turns, and many: what comes and goes meanwhile is in few of them.
EFFORT = Effort("confirmation", warm_up_s=0.5, min_samples=128, min_duration_s=5.0, rounds=20)


def remeasure_in(context: RunContext, pair: LibraryPair) -> Confirmation:
    """Measure a pair of libraries where a run measured, in turns.

    Raises what `remeasure` raises, and BenchError for a machine that the cell is not of.
    """
    cell, here = pair.cell, own_device_name()
    targets = {target.name: target for target in context.targets}
    if cell.target not in targets:
        raise BenchError(f"target {cell.target} is not one of run {context.run.run_id}'s")
    config = context.measurement_config(targets[cell.target], cell.threads)
    if config.farm is None and cell.device != here:
        raise BenchError(f"it was measured on {cell.device}, and this is {here}")
    config = replace(config, effort=EFFORT)
    return remeasure(config, pair, context.network(cell.variant))


def remeasure(
    config: MeasurementConfig, pair: LibraryPair, network: Network | None = None
) -> Confirmation:
    """Measure a cell's new library and an earlier one, in turns, in one session.

    `network` is what both compute; None for the variant that the cell names.

    Raises BenchError if a library is no longer in the cache, no device is free, or one of the
    libraries fails there.
    """
    head = find_artifact(pair.head.artifact_key, config.cache_dir)
    kept = ((one, find_artifact(one.artifact_key, config.cache_dir)) for one in pair.bases)
    base_library, base = next((one for one in kept if one[1] is not None), (pair.bases[0], None))
    if head is None or base is None:
        gone = pair.head if head is None else pair.bases[0]
        raise BenchError(f"the library of run {gone.run_id} is no longer in the cache")
    network = network or parse_variant(pair.cell.variant)
    try:
        rounds_ms = _in_turns(config, network, pair, (base, head))
    except (NoDeviceError, WorkerError) as error:
        raise BenchError(str(error)) from error
    base_rounds_ms, head_rounds_ms = rounds_ms
    return Confirmation(
        run_id=pair.head.run_id,
        base_run_id=base_library.run_id,
        cell=pair.cell,
        measured_at=utc_now(),
        base_rounds_ms=base_rounds_ms,
        head_rounds_ms=head_rounds_ms,
    )


def _in_turns(
    config: MeasurementConfig,
    network: Network,
    pair: LibraryPair,
    sides: tuple[Artifact, Artifact],
) -> list[list[list[float]]]:
    """Return the samples of both, in rounds; each round begins with the other library."""
    device = _device_of(config, pair.cell.device)
    with device:
        workloads = [workload_of(network, side) for side in sides]
        call = partial(device.call, timeout_s=config.time_limit_s)
        expected_ms = []
        for workload in workloads:
            call("load", workload, config.threads)
            expected_ms.append(call("warm_up", config.effort.warm_up_s))
        rounds_ms: list[list[list[float]]] = [[], []]
        while not all(is_complete(config.effort, one) for one in rounds_ms):
            order = (0, 1) if len(rounds_ms[0]) % 2 == 0 else (1, 0)
            for side in order:
                call("load", workloads[side], config.threads)
                rounds_ms[side].append(take_round(device, config, expected_ms[side]))
        close_device(config, device)
    return rounds_ms


def _device_of(config: MeasurementConfig, name: str) -> Worker:
    """Return a session on the cell's own board; if it is gone, on another board of its key.

    The tracker chooses the board: wrong boards are kept reserved until the right one is granted.
    """
    boards = boards_of(config.farm.tracker, config.target.tracker_key) if config.farm else ()
    others: list[Worker] = []
    try:
        for _ in range(max(1, len(boards))):
            device, state = open_device(config)
            if config.farm is None or state.name == name:
                return device
            others.append(device)
        return others.pop()
    finally:
        for other in others:
            other.close()
