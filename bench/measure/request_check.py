"""Refuses a run whose every row would fail, before it begins."""

from collections.abc import Sequence
from dataclasses import replace

from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.measure.planned_cell import PlannedCell
from mobilebench.bench.measure.progress import RunProgress
from mobilebench.bench.measure.run_context import RunContext
from mobilebench.bench.measure.sessions import probe_target
from mobilebench.bench.measure.streams import cpus_of_streams
from mobilebench.bench.models.variant import Variant
from mobilebench.schedules.precision import FLOAT16, FLOAT32
from mobilebench.targets.catalog.target import Target
from mobilebench.targets.devices.target_check import check_platform
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import WorkerError
from mobilebench.targets.rpc.tracker import boards_of
from mobilebench.targets.sensors.meter import check_meter


def check_request(
    context: RunContext,
    service: BuildService,
    cells: Sequence[PlannedCell],
    progress: RunProgress,
) -> list[PlannedCell]:
    """Return the cells with the limits that the devices reported.

    Raises BenchError for a target, a device or weights with which no cell could be measured.
    """
    _check_meter(context)
    for cell in cells:
        if cell.streams > 1 and cell.supported:
            cpus_of_streams(cell.streams, cell.threads)
    live = {cell.target.name: cell.target for cell in cells if cell.supported}
    exported = {one.target.name for one in context.bundles}  # their code is made already
    for target in list(live.values()):
        if target.name not in exported:
            check_platform(target)
        for refusal in service.check_target(target, context.databases):
            progress.warn(refusal)
        if target.tracker_key:
            progress.say(f"{target.name}: wait for a board")
            progress.step(target.name, f"a board of key {target.tracker_key}")
        own = [cell for cell in cells if cell.target.name == target.name]
        live[target.name] = _probe(context, target, own)
        progress.step(target.name, "")
    for weights in context.weights:
        for note in (*weights.notes, *weights.remarks):
            progress.say(f"{weights.label}: {note}")
    _check_weights(context, service, cells)
    return [replace(cell, target=live.get(cell.target.name, cell.target)) for cell in cells]


def _check_meter(context: RunContext) -> None:
    """Raise BenchError for a power meter that prints no numbers, or tells of too much at once.

    A run that is resumed with one has passed the suite's own checks without it.
    """
    meter = context.power_meter
    if not meter:
        return
    if context.suite.streams != (1,):
        raise BenchError(
            f"--power-meter {meter}: energy is measured of one instance at a time, and the run has "
            "several streams; leave it out"
        )
    for target in context.targets:
        farm = context.farm(target)
        count = len(boards_of(farm.tracker, target.tracker_key)) if farm else 1
        if count > 1 or len(context.targets) > 1:
            boards = f"{count} boards of key {target.tracker_key}"
            several = boards if count > 1 else "several targets"
            raise BenchError(
                f"--power-meter {meter}: one meter tells of one device, and {several} would be "
                "measured; choose one"
            )
    check_meter(meter)


def _probe(context: RunContext, target: Target, cells: Sequence[PlannedCell]) -> Target:
    half = any(cell.precision == FLOAT16 and cell.supported for cell in cells)
    exported = (one for one in context.bundles if one.target.name == target.name)
    built_for = next((one.manifest.architecture for one in exported), "")
    # With the most of them, because more than the device has would fail row by row.
    config = context.measurement_config(target, max((cell.threads for cell in cells), default=1))
    return probe_target(config, FLOAT16 if half else FLOAT32, built_for)


def _check_weights(
    context: RunContext, service: BuildService, cells: Sequence[PlannedCell]
) -> None:
    """Raise BenchError for a checkpoint that does not fit its network; bundles have their own."""
    if context.bundles:
        return
    # Whether weights fit does not depend on the input size.
    variants = [(c.weights, c.variant) for c in cells if isinstance(c.variant, Variant)]
    models = {(weights, replace(one, height=0, width=0)): one for weights, one in variants}
    for (weights, _), variant in models.items():
        if not weights.sha256:
            continue
        try:
            service.check_weights(variant, weights)
        except WorkerError as error:
            raise BenchError(f"checkpoint {weights.source}: {error}") from error
