"""The cells that a run still has to measure."""

from dataclasses import replace
from itertools import product

from mobilebench.bench.bundle.bundle import Bundle
from mobilebench.bench.measure.planned_cell import PlannedCell
from mobilebench.bench.measure.run_context import RunContext
from mobilebench.bench.measure.support import precision_of, precisions_of
from mobilebench.bench.models.find_weights import own_weights
from mobilebench.bench.models.onnx_network import Network
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.runtimes.runtime import TVM
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.store import Store


def open_cells(context: RunContext, store: Store) -> list[PlannedCell]:
    """Return the cells of the suite, without those that have a record in this run already.

    Only TVM runs on GPUs, and on boards unless other runtimes were named. A target without a
    precision gets one row that says so. Boards come first, so that this machine has nothing else to
    do when it is measured itself.
    """
    suite = context.suite
    done = {record.key for record in store.records([context.run.run_id])}
    cells = [_cell_of(bundle, context) for bundle in context.bundles]
    cells = [cell for cell in cells if cell_key(context, cell, TVM) not in done]
    if context.bundles:
        return cells
    networks: list[Network] = [*map(parse_variant, suite.variants), *context.networks]
    weights_of_all = [*context.weights, *map(own_weights, context.networks)]
    asked = product(
        *(networks, context.targets, suite.threads, suite.batches, suite.streams),
        *(suite.precisions, weights_of_all),
    )
    for variant, target, threads, batch, streams, named, weights in asked:
        precision = precision_of(variant, named)
        if not weights.fits(variant):
            continue
        if precision != named and named != suite.precisions[0]:
            continue  # it has been planned already
        compared = suite.compares_on(target) and precision in precisions_of(target)
        cell = PlannedCell(
            *(variant, target, threads, precision, weights, suite.runtimes),
            batch=batch,
            streams=streams,
        )
        runtimes = tuple(
            runtime
            for runtime in suite.runtimes
            if cell_key(context, cell, runtime) not in done and (runtime == TVM or compared)
        )
        if runtimes:
            cells.append(replace(cell, runtimes=runtimes))
    return sorted(cells, key=lambda cell: cell.target.tracker_key == "")


def _cell_of(bundle: Bundle, context: RunContext) -> PlannedCell:
    manifest, target = bundle.manifest, context.cooled(bundle.target)
    given = (bundle.variant, target, manifest.threads, manifest.precision, bundle.weights)
    return PlannedCell(*given, (TVM,), bundle, manifest.batch)


def cell_key(context: RunContext, cell: PlannedCell, runtime: str) -> CellKey:
    """Return the key of a cell's row of a runtime, on any device."""
    objective = context.suite.optimize_for
    if cell.bundle:
        objective = cell.bundle.manifest.compiled.optimize_for
    return CellKey(
        target=cell.target.name,
        device="",
        threads=cell.threads,
        precision=cell.precision,
        optimize_for=objective,
        variant=cell.variant.name,
        weights=cell.weights.label,
        runtime=runtime,
        batch=cell.batch,
        streams=cell.streams,
    )
