"""Which cells a run still has to measure."""

from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from mobilebench.bench.accuracy.evaluation import Dataset
from mobilebench.bench.bundle.bundle import Bundle
from mobilebench.bench.config.suite import Suite
from mobilebench.bench.models.variant import Variant, parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.runtimes.runtime import TVM
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.store import Run, Store
from mobilebench.schedules.databases.database import directories
from mobilebench.schedules.precision import FLOAT16, FLOAT32
from mobilebench.targets.catalog.target import OPENCL, Target, find_target
from mobilebench.targets.devices.farm import Farm, find_farm


@dataclass(frozen=True)
class Context:
    """What every step of a run needs to know."""

    run: Run
    suite: Suite
    weights: tuple[Weights, ...]
    cache_dir: Path
    dataset: Dataset | None = None
    bundles: tuple[Bundle, ...] = ()  # measured as they are, instead of what the suite would build

    @property
    def databases(self) -> tuple[Path, ...]:
        """Where tuned tiles are looked for: nowhere if best guesses were asked for."""
        return () if self.suite.trials == 0 else directories()

    @property
    def targets(self) -> list[Target]:
        """What is measured on."""
        exported = {one.target.name: one.target for one in self.bundles}
        return [self.cooled(exported.get(name) or find_target(name)) for name in self.suite.targets]

    def cooled(self, target: Target) -> Target:
        """Return a target that is let cool as far as the suite says."""
        cool_below_c = self.suite.cool_below_c
        return target if cool_below_c is None else replace(target, cool_below_c=cool_below_c)

    def farm(self, target: Target) -> Farm | None:
        """Return where a target's boards are; None if this machine is its device."""
        suite = self.suite
        return find_farm(target, suite.tracker, self.cache_dir, suite.wait_s)


@dataclass(frozen=True)
class Cell:
    """A variant on a target with a number of threads, and the runtimes still to be measured."""

    variant: Variant
    target: Target
    threads: int
    precision: str
    weights: Weights
    runtimes: tuple[str, ...]
    bundle: Bundle | None = None  # what is measured, if it was exported before

    @property
    def title(self) -> str:
        """What progress calls it."""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        half = f", {self.precision}" if self.precision != FLOAT32 else ""
        named = f", {self.weights.label}" if self.weights.sha256 else ""
        return f"{self.variant.name} on {self.target.name}, {threads}{half}{named}"


def open_cells(context: Context, store: Store) -> list[Cell]:
    """Return the cells of the suite, without what has a record in this run already.

    On boards and GPUs only TVM runs, and half precision only on GPUs. Boards come first, so that
    this machine has nothing else to do when it is measured itself.
    """
    suite = context.suite
    done = {record.key for record in store.records([context.run.run_id])}
    cells = [_cell_of(bundle, context) for bundle in context.bundles]
    cells = [cell for cell in cells if cell_key(context, cell, TVM) not in done]
    if context.bundles:
        return cells
    asked = product(
        suite.variants, context.targets, suite.threads, suite.precisions, context.weights
    )
    for name, target, threads, precision, weights in asked:
        variant = parse_variant(name)
        if (precision == FLOAT16 and target.device_type != OPENCL) or not weights.fits(variant):
            continue
        cell = Cell(variant, target, threads, precision, weights, suite.runtimes)
        runtimes = tuple(
            runtime
            for runtime in suite.runtimes
            if cell_key(context, cell, runtime) not in done and (runtime == TVM or target.has_peers)
        )
        if runtimes:
            cells.append(replace(cell, runtimes=runtimes))
    return sorted(cells, key=lambda cell: cell.target.tracker_key == "")


def _cell_of(bundle: Bundle, context: Context) -> Cell:
    manifest, target = bundle.manifest, context.cooled(bundle.target)
    given = (bundle.variant, target, manifest.threads, manifest.precision, bundle.weights)
    return Cell(*given, (TVM,), bundle)


def cell_key(context: Context, cell: Cell, runtime: str) -> CellKey:
    """Return what a cell's row of a runtime is about, on whichever device."""
    bundle = cell.bundle
    return CellKey(
        target=cell.target.name,
        device="",
        threads=cell.threads,
        precision=cell.precision,
        optimize_for=bundle.manifest.compiled.optimize_for if bundle else context.suite.optimize_for,
        variant=cell.variant.name,
        weights=cell.weights.label,
        runtime=runtime,
    )
