"""`mobilebench run`."""

import logging
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from mobilebench.bench.accuracy.evaluation import Dataset, check_shown, read_data
from mobilebench.bench.build.cluster import Cluster
from mobilebench.bench.cache import cache_directory
from mobilebench.bench.cli.events import EventLog
from mobilebench.bench.cli.progress import RunDisplay
from mobilebench.bench.cli.report import check_report_directory, report_command
from mobilebench.bench.cli.resume import (
    kept_context,
    kept_report_directory,
    nothing_left,
    report_hint,
    resume_hint,
    suite_to_keep,
)
from mobilebench.bench.cli.tune import INTERRUPTED, tune_suite
from mobilebench.bench.clock import utc_now
from mobilebench.bench.config.bundle_suite import bundle_suite, open_bundles
from mobilebench.bench.config.commands import RunOptions
from mobilebench.bench.config.suite import Suite, SuiteFile, make_suite
from mobilebench.bench.config.suite_file import read_suite
from mobilebench.bench.measure.plan import open_cells
from mobilebench.bench.measure.run_context import RunContext
from mobilebench.bench.measure.runner import run_suite
from mobilebench.bench.measure.stage_images import find_stage_images
from mobilebench.bench.models.class_names import are_same, names_of
from mobilebench.bench.models.find_models import find_models, pinned
from mobilebench.bench.models.find_weights import check_takes_images, find_weights, own_weights
from mobilebench.bench.models.onnx_network import Network, OnnxNetwork
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import RANDOM, Weights
from mobilebench.bench.quantization.calibration import find_calibration
from mobilebench.reports.errors import ReportError
from mobilebench.reports.history.finding import Finding, format_finding
from mobilebench.reports.records.record import UNSUPPORTED, Record
from mobilebench.reports.records.store import Run, Store
from mobilebench.schedules.databases.database import user_directory
from mobilebench.schedules.precision import INT8
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
    # Where it may write no cache of fonts, it makes one for the time being: nothing to be done.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    said = read_suite(options.suite_file) if options.suite_file else SuiteFile()
    said = said.model_copy(update=options.given(SuiteFile))
    chosen, resume, out = said.given(Suite), options.resume, said.report_directory
    if said.power_meter and resume is None:
        chosen["energy"] = True
    check_report_directory(out)
    if resume is not None and (options.suite_file or chosen):
        raise BenchError(
            "--resume continues the run's own suite; leave out the suite file and what selects"
        )
    with ExitStack() as stack:
        if resume is None:
            context = _new_run(chosen, out)
            store = stack.enter_context(Store(said.store, create=True))
        else:
            store = stack.enter_context(Store(said.store, create=False))
            context = _old_run(store.find_run(resume))
            out = _old_directory(context.run, said)
        context = replace(context, power_meter=said.power_meter)
        finished = resume is not None and _is_finished(context, store)
        try:
            if finished:
                found = _found(context, store, RunDisplay(console, EventLog(None)))
            else:
                found = _measure(context, store, said, console)
        except KeyboardInterrupt:
            farewell = _farewell(context, store, said, out)
            console.print(farewell, markup=False, highlight=False, soft_wrap=True)
            return INTERRUPTED
        records = store.records([context.run.run_id])
        compared = _compared(store, context.run) if context.suite.check_regressions else ""
        if finished:
            print(nothing_left(context.run, store, out))
        else:
            _report(context.run, store, said, out, console)
    for finding in found:
        print(format_finding(finding))
    if compared:
        regressions = sum(finding.kind == "regression" for finding in found)
        print(f"regressions: {regressions or 'none'}; {compared}")
    regressed = any(finding.kind == "regression" for finding in found)
    return 1 if regressed or not _is_good(records) else 0


def _measure(context: RunContext, store: Store, said: SuiteFile, console: Console) -> list[Finding]:
    """Tune and measure what a run asks for, and return what has changed if it is a night."""
    with ExitStack() as stack:
        builders = None
        if said.scheduler:
            builders = stack.enter_context(Cluster(said.scheduler, context.cache_dir))
        events = stack.enter_context(EventLog(Path(said.events) if said.events else None))
        if context.suite.trials:
            tune_suite(context.suite, context.networks, user_directory(), said.scheduler, console)
        with RunDisplay(console, events) as progress:
            run_suite(context, store, progress, builders)
            return _found(context, store, progress)


def _report(run: Run, store: Store, said: SuiteFile, out: Path, console: Console) -> None:
    """Write the report of a run; if that fails or is interrupted, tell how to do it later."""
    later = f"all rows are kept, report them with: {report_hint(run, store, out)}"
    try:
        report_command(said.store, [run.run_id], out)
    except ReportError as error:
        raise ReportError(f"{error}; {later}") from error
    except KeyboardInterrupt:
        console.print(f"interrupted; {later}", markup=False, highlight=False, soft_wrap=True)
        raise


def _is_good(records: Sequence[Record]) -> bool:
    """Whether a row is ok, and none is neither that nor of what a runtime or target has not."""
    statuses = {record.status for record in records}
    return "ok" in statuses and statuses <= {"ok", UNSUPPORTED}


def _found(context: RunContext, store: Store, progress: RunDisplay) -> list[Finding]:
    """Return what has changed in a night, compared with earlier ones; nothing for other runs."""
    if not context.suite.check_regressions:
        return []
    from mobilebench.bench.regression.regression_check import (
        check_regressions,  # imported late because pandas is slow to import
    )

    return check_regressions(context, store, progress)


def _is_finished(context: RunContext, store: Store) -> bool:
    """Whether a run has all its rows and, if it is a night, the suspects' second measurements."""
    if open_cells(context, store):
        return False
    if not context.suite.check_regressions:
        return True
    from mobilebench.bench.regression.regression_check import is_checked  # imported late, as above

    return is_checked(context, store)


def _compared(store: Store, run: Run) -> str:
    """Say with which earlier runs in the store a run was compared."""
    from mobilebench.reports.history.compared import compared_with  # imported late, as above

    return compared_with(store, run)


def _new_run(chosen: dict[str, Any], out: Path) -> RunContext:
    cache_dir = cache_directory()
    if sources := chosen.pop("bundles", ()):
        bundles = open_bundles(sources)
        suite = bundle_suite(bundles, chosen)
        weights = tuple(bundle.weights for bundle in bundles)
        return RunContext(_begin(suite, out), suite, weights, cache_dir, bundles=bundles)
    sources, seed = chosen.get("weights", (RANDOM,)), chosen.get("seed", 0)
    weights = tuple(find_weights(source, cache_dir, seed) for source in dict.fromkeys(sources))
    if "variants" not in chosen:
        chosen |= _declared_variants(weights)
    suite = make_suite(chosen)
    networks = find_models(suite.models, suite.input_shape, cache_dir, suite.time_limit_s)
    suite = suite.model_copy(
        update={
            "variants": _own_variants(suite.variants, weights),
            "weights": tuple(one.pinned_source for one in weights),
            "models": tuple(map(pinned, networks)),
        }
    )
    _check_weights(suite, weights)
    return _context(_begin(suite, out), suite, weights, networks)


def _context(
    run: Run, suite: Suite, weights: tuple[Weights, ...], networks: tuple[OnnxNetwork, ...]
) -> RunContext:
    """Return what a run needs, with the images that its suite names."""
    dataset = _dataset(suite, weights, networks)
    calibration = find_calibration(suite.calibration_data)
    if INT8 in suite.precisions:
        for network, one in _pairs(suite, weights, networks):
            calibration.check_shown_to(network, one.preprocessing(network))
    images = find_stage_images(suite.stage_images, _pairs(suite, weights, networks))
    given = (dataset, calibration, images, networks)
    return RunContext(run, suite, weights, cache_directory(), *given)


def _pairs(
    suite: Suite, weights: Sequence[Weights], networks: Sequence[OnnxNetwork]
) -> Iterator[tuple[Network, Weights]]:
    """Yield each network with each checkpoint that fits it."""
    known: list[Network] = [*map(parse_variant, suite.variants), *networks]
    for network in known:
        for one in (*weights, *map(own_weights, networks)):
            if one.fits(network):
                yield network, one


def _begin(suite: Suite, out: Path) -> Run:
    # The date makes a list of runs readable, the rest makes the names of two runs differ.
    run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    return Run(run_id, utc_now(), suite_to_keep(suite, out))


def _declared_variants(weights: Sequence[Weights]) -> dict[str, tuple[str, ...]]:
    """Return the variants that the manifests of the checkpoints declare."""
    names = [one.declared_variant.name for one in weights if one.declared_variant]
    return {"variants": tuple(dict.fromkeys(names))} if len(names) == len(weights) else {}


def _own_variants(names: Sequence[str], weights: Sequence[Weights]) -> tuple[str, ...]:
    """Return the variants with as many classes as the checkpoints have that are loaded into them.

    Checkpoints of one architecture that have different numbers of classes make several of one.
    """
    found = []
    for name in names:
        variant = parse_variant(name)
        own = [one.own(variant).name for one in weights if one.fits(one.own(variant))]
        found += own or [name]
    return tuple(dict.fromkeys(found))


def _check_weights(suite: Suite, weights: Sequence[Weights]) -> None:
    """Raise BenchError if a variant has no weights, or two checkpoints have the same name."""
    for name in suite.variants:
        variant = parse_variant(name)
        if not any(one.fits(variant) for one in weights):
            reasons = "; ".join(f"{one.label} {one.misfit(variant)}" for one in weights)
            raise BenchError(f"variant {name}: no checkpoint fits it ({reasons})")
    for one in weights:
        if sum(other.label == one.label for other in weights) > 1:
            raise BenchError(f"weights: two checkpoints have the name {one.label}; rename one")


def _dataset(
    suite: Suite, weights: Sequence[Weights], networks: Sequence[OnnxNetwork]
) -> Dataset | None:
    """Read the images that accuracy is measured on, in the format of the networks' task."""
    if not suite.data:
        return None
    for one in networks:
        check_takes_images(one)
    if suite.variants and RANDOM in suite.weights:
        raise BenchError(
            f"data {suite.data}: accuracy cannot be measured with random weights; give --weights"
        )
    measured: list[Network] = [*map(parse_variant, suite.variants), *networks]
    tasks = sorted({one.task for one in measured})
    if len(tasks) > 1:
        raise BenchError(
            f"data {suite.data}: the run's variants {' and '.join(tasks)}; the images fit one of "
            "these tasks, so name the variants of one (--variant)"
        )
    labels = sorted({one.labels for one in measured})
    if len(labels) > 1:
        raise BenchError(
            f"data {suite.data}: the run's variants tell {' and '.join(map(str, labels))} classes "
            "apart; measure those of each number in a run of its own"
        )
    pairs = list(_pairs(suite, weights, networks))
    named = [names_of(network, one.class_names) for network, one in pairs]
    known = [names for names in named if names] or [()]
    if not all(are_same(names, known[0]) for names in known[1:]):
        raise BenchError(
            f"data {suite.data}: the checkpoints call their classes differently, or have them in "
            "another order; measure each in a run of its own"
        )
    with RunDisplay(Console(stderr=True), EventLog(None)) as display:
        display.step(f"data {suite.data}", "its images to be decoded")
        dataset = read_data(Path(suite.data), tasks[0], labels[0], known[0])
        for network, checkpoint in pairs:
            check_shown(dataset, checkpoint.preprocessing(network))
    return dataset


def _old_run(run: Run) -> RunContext:
    kept = kept_context(run)
    if kept.bundles:
        return replace(kept, weights=tuple(bundle.weights for bundle in kept.bundles))
    suite, cache_dir = kept.suite, kept.cache_dir
    weights = tuple(find_weights(source, cache_dir, suite.seed) for source in suite.weights)
    return _context(run, suite, weights, kept.networks)


def _old_directory(run: Run, said: SuiteFile) -> Path:
    """Return where the report of a resumed run goes: where it went, unless --out is given."""
    kept = kept_report_directory(run)
    if kept is None or "out" in said.model_fields_set:
        return said.report_directory
    check_report_directory(kept)
    return kept


def _farewell(context: RunContext, store: Store, said: SuiteFile, out: Path) -> str:
    run_id = context.run.run_id
    if not any(run.run_id == run_id for run in store.runs()):
        return "interrupted before anything was measured"
    kept = len(store.records([run_id]))
    return (
        f"interrupted; {kept} finished rows are kept. Continue with: "
        f"{resume_hint(context.run, store, said, out)}"
    )
