"""`mobilebench run`."""

import logging
import secrets
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.assemble import utc_now
from bench.cache import cache_directory
from bench.commands.report import check_report_directory, report_command
from bench.commands.tune import INTERRUPTED, tune_suite
from bench.models.weights import RANDOM, Weights, find_weights
from bench.plan import Context
from bench.progress import Progress
from bench.runner import run_suite
from bench.suite import Suite, make_suite, read_suite
from bench.variant import Variant
from reports.store import Run, Store
from schedules.database import user_directory
from targets.errors import BenchError


def run_command(
    suite_file: Path | None,
    chosen: dict[str, Any],
    store_url: str,
    resume: str | None,
    out: Path,
) -> int:
    """Measure a suite and report it.

    Returns the exit code: 0 if every row is ok, 1 if one is not, 130 if interrupted. Raises
    BenchError or ReportError for a request that cannot be met.
    """
    console = Console(stderr=True)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("mobilebench").setLevel(logging.INFO)
    chosen = {key: value for key, value in chosen.items() if value not in (None, [])}
    check_report_directory(out)
    if resume is None:
        context = _new_run(suite_file, chosen)
    elif suite_file or chosen:
        raise BenchError(
            "--resume goes on with the run's own suite; leave out the suite file and what selects"
        )
    with Store(store_url, create=resume is None) as store:
        if resume is not None:
            context = _old_run(store.find_run(resume))
        try:
            if context.suite.trials:
                tune_suite(context.suite, user_directory(), console)
            with Progress(console) as progress:
                run_suite(context, store, progress)
        except KeyboardInterrupt:
            console.print(_farewell(context, store), markup=False, highlight=False, soft_wrap=True)
            return INTERRUPTED
        records = store.records([context.run.run_id])
    report_command(store_url, [context.run.run_id], out)
    return 0 if all(record.status == "ok" for record in records) else 1


def _new_run(suite_file: Path | None, chosen: dict[str, Any]) -> Context:
    """Join the suite file and the options; options win."""
    chosen = (read_suite(suite_file) if suite_file else {}) | chosen
    cache_dir = cache_directory()
    weights = find_weights(chosen.get("weights", RANDOM), cache_dir, chosen.get("seed", 0))
    if "variants" not in chosen:
        chosen |= _declared_variant(weights)
    suite = replace(make_suite(chosen), weights=weights.pinned_source)
    # The date makes runs readable in a list, the rest keeps two of one second apart.
    run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    return Context(Run(run_id, utc_now(), asdict(suite)), suite, weights, cache_dir)


def _declared_variant(weights: Weights) -> dict[str, tuple[str, ...]]:
    """Choose the variant that a checkpoint's manifest says it was trained as."""
    if weights.width_multiplier is None or weights.resolution is None:
        return {}
    size = weights.resolution
    return {"variants": (Variant(weights.width_multiplier, size, size).name,)}


def _old_run(run: Run) -> Context:
    cache_dir = cache_directory()
    lists = {key: tuple(value) for key, value in run.suite.items() if isinstance(value, list)}
    try:
        suite = Suite(**(run.suite | lists))
    except TypeError as error:
        raise BenchError(
            f"run {run.run_id}: it was begun by another version of mobilebench and cannot be "
            "resumed; start a new one"
        ) from error
    return Context(run, suite, find_weights(suite.weights, cache_dir, suite.seed), cache_dir)


def _farewell(context: Context, store: Store) -> str:
    run_id = context.run.run_id
    if not any(run.run_id == run_id for run in store.runs()):
        return "interrupted before anything was measured"
    kept = len(store.records([run_id]))
    return (
        f"interrupted; {kept} finished rows are kept. Go on with: mobilebench run "
        f"--resume {run_id} --store {store.url}"
    )
