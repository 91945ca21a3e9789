"""`mobilebench run`."""

import logging
import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from mobilebench.bench.accuracy.evaluation import Dataset, read_data
from mobilebench.bench.build.cluster import Cluster
from mobilebench.bench.cache import cache_directory
from mobilebench.bench.cli.events import EventLog
from mobilebench.bench.cli.progress import RunDisplay
from mobilebench.bench.cli.report import check_report_directory, report_command
from mobilebench.bench.cli.tune import INTERRUPTED, tune_suite
from mobilebench.bench.clock import utc_now
from mobilebench.bench.config.bundle_suite import bundle_suite, open_bundles
from mobilebench.bench.config.check import from_table
from mobilebench.bench.config.commands import RunOptions
from mobilebench.bench.config.suite import Suite, SuiteFile, make_suite
from mobilebench.bench.config.suite_file import read_suite
from mobilebench.bench.measure.run_context import RunContext
from mobilebench.bench.measure.runner import run_suite
from mobilebench.bench.models.variant import MOBILENET_V2, parse_variant
from mobilebench.bench.models.weights import RANDOM, Weights, find_weights
from mobilebench.bench.quantization.calibration import find_calibration
from mobilebench.reports.history.finding import Finding, format_finding
from mobilebench.reports.records.record import UNSUPPORTED, Record
from mobilebench.reports.records.store import Run, Store
from mobilebench.schedules.databases.database import user_directory
from mobilebench.targets.errors import BenchError


def run_command(options: RunOptions) -> int:
    """Measure a suite and write its report; options override the suite file.

    Returns the exit code: 0 if every row is ok that is not unsupported, 1 if one is not or a
    regression was found, 130 if interrupted. Raises BenchError or ReportError if the request
    cannot be met.
    """
    console = Console(stderr=True)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("mobilebench").setLevel(logging.INFO)
    said = read_suite(options.suite_file) if options.suite_file else SuiteFile()
    said = said.model_copy(update=options.given(SuiteFile))
    chosen, resume, out = said.given(Suite), options.resume, said.report_directory
    check_report_directory(out)
    if resume is not None and (options.suite_file or chosen):
        raise BenchError(
            "--resume continues the run's own suite; leave out the suite file and what selects"
        )
    with ExitStack() as stack:
        if resume is None:
            context = _new_run(chosen)
            store = stack.enter_context(Store(said.store, create=True))
        else:
            store = stack.enter_context(Store(said.store, create=False))
            context = _old_run(store.find_run(resume))
        builders = None
        if said.scheduler:
            builders = stack.enter_context(Cluster(said.scheduler, context.cache_dir))
        events = stack.enter_context(EventLog(Path(said.events) if said.events else None))
        try:
            if context.suite.trials:
                tune_suite(context.suite, user_directory(), said.scheduler, console)
            with RunDisplay(console, events) as progress:
                run_suite(context, store, progress, builders)
                found = _watch(context, store, progress) if context.suite.check_regressions else []
        except KeyboardInterrupt:
            console.print(_farewell(context, store), markup=False, highlight=False, soft_wrap=True)
            return INTERRUPTED
        records = store.records([context.run.run_id])
    report_command(said.store, [context.run.run_id], out)
    for finding in found:
        print(format_finding(finding))
    regressed = any(finding.kind == "regression" for finding in found)
    return 1 if regressed or not _is_good(records) else 0


def _is_good(records: Sequence[Record]) -> bool:
    """Whether a row is ok, and none is neither that nor of what a runtime or target has not."""
    statuses = {record.status for record in records}
    return "ok" in statuses and statuses <= {"ok", UNSUPPORTED}


def _watch(context: RunContext, store: Store, progress: RunDisplay) -> list[Finding]:
    """Return which regressions the run has, compared with earlier runs in the store."""
    from mobilebench.bench.regression.regression_check import (
        check_regressions,  # imported late because pandas is slow to import
    )

    return check_regressions(context, store, progress)


def _new_run(chosen: dict[str, Any]) -> RunContext:
    cache_dir = cache_directory()
    if sources := chosen.pop("bundles", ()):
        bundles = open_bundles(sources)
        suite = bundle_suite(bundles, chosen)
        weights = tuple(bundle.weights for bundle in bundles)
        return RunContext(_begin(suite), suite, weights, cache_dir, bundles=bundles)
    sources, seed = chosen.get("weights", (RANDOM,)), chosen.get("seed", 0)
    weights = tuple(find_weights(source, cache_dir, seed) for source in dict.fromkeys(sources))
    if "variants" not in chosen:
        chosen |= _declared_variants(weights)
    suite = make_suite(chosen)
    suite = suite.model_copy(update={"weights": tuple(one.pinned_source for one in weights)})
    _check_weights(suite, weights)
    calibration = find_calibration(suite.calibration_data)
    return RunContext(_begin(suite), suite, weights, cache_dir, _dataset(suite), calibration)


def _begin(suite: Suite) -> Run:
    # The date makes a list of runs readable, the rest makes the names of two runs differ.
    run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    return Run(run_id, utc_now(), suite.to_table())


def _declared_variants(weights: Sequence[Weights]) -> dict[str, tuple[str, ...]]:
    """Return the variants that the manifests of the checkpoints declare."""
    names = [
        f"{one.architecture or MOBILENET_V2}_{one.width_multiplier}_{one.resolution}"
        for one in weights
        if one.width_multiplier is not None and one.resolution is not None
    ]
    return {"variants": tuple(dict.fromkeys(names))} if len(names) == len(weights) else {}


def _check_weights(suite: Suite, weights: Sequence[Weights]) -> None:
    """Raise BenchError if a variant has no weights, or two checkpoints have the same name."""
    for name in suite.variants:
        variant = parse_variant(name)
        if not any(one.fits(variant) for one in weights):
            raise BenchError(
                f"variant {name}: no checkpoint fits {variant.family} of width multiplier "
                f"{variant.width_multiplier} ({', '.join(one.label for one in weights)})"
            )
    for one in weights:
        if sum(other.label == one.label for other in weights) > 1:
            raise BenchError(f"weights: two checkpoints have the name {one.label}; rename one")


def _dataset(suite: Suite) -> Dataset | None:
    """Read the images that accuracy is measured on, in the format of the variants' task."""
    if not suite.data:
        return None
    if RANDOM in suite.weights:
        raise BenchError(
            f"data {suite.data}: accuracy cannot be measured with random weights; give --weights"
        )
    tasks = sorted({parse_variant(name).task for name in suite.variants})
    if len(tasks) > 1:
        raise BenchError(
            f"data {suite.data}: the run's variants {' and '.join(tasks)}; the images fit one of "
            "these tasks, so name the variants of one (--variant)"
        )
    return read_data(Path(suite.data), tasks[0])


def _old_run(run: Run) -> RunContext:
    cache_dir = cache_directory()
    try:
        suite = from_table(Suite, run.suite, f"run {run.run_id}")
    except BenchError as error:
        raise BenchError(
            f"run {run.run_id}: it was started by another version of mobilebench and cannot be "
            "resumed; start a new one"
        ) from error
    if suite.bundles:
        bundles = open_bundles(suite.bundles)
        weights = tuple(bundle.weights for bundle in bundles)
        return RunContext(run, suite, weights, cache_dir, bundles=bundles)
    weights = tuple(find_weights(source, cache_dir, suite.seed) for source in suite.weights)
    calibration = find_calibration(suite.calibration_data)
    return RunContext(run, suite, weights, cache_dir, _dataset(suite), calibration)


def _farewell(context: RunContext, store: Store) -> str:
    run_id = context.run.run_id
    if not any(run.run_id == run_id for run in store.runs()):
        return "interrupted before anything was measured"
    kept = len(store.records([run_id]))
    return (
        f"interrupted; {kept} finished rows are kept. Continue with: mobilebench run "
        f"--resume {run_id} --store {store.url}"
    )
