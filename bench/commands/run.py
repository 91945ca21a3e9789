"""`mobilebench run`."""

import logging
import secrets
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.assemble import utc_now
from bench.cache import cache_directory
from bench.commands.report import check_report_directory, report_command
from bench.models.weights import RANDOM, Weights, find_weights
from bench.plan import Context
from bench.progress import Progress
from bench.runner import run_suite
from bench.suite import Suite, make_suite, read_suite
from bench.variant import Variant
from reports.store import Run, Store
from targets.errors import BenchError

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


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
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    cache_dir = cache_directory()
    check_report_directory(out)
    with Store(store_url, create=resume is None) as store:
        if resume is None:
            suite, weights = _choose(suite_file, chosen, cache_dir)
            run = Run(_new_run_id(), utc_now(), asdict(suite))
            context = Context(run.run_id, suite, weights, cache_dir)
            begin = [run]
        else:
            if suite_file or any(chosen.values()):
                raise BenchError(
                    "--resume goes on with the run's own suite; leave out the suite file and "
                    "selectors"
                )
            run = store.find_run(resume)
            suite = _restore(run)
            weights = find_weights(suite.weights, cache_dir, suite.seed)
            context = Context(run.run_id, suite, weights, cache_dir)
            begin = []
        try:
            with Progress(console) as progress:
                run_suite(context, store, progress, begin)
        except KeyboardInterrupt:
            kept = len(store.records([run.run_id]))
            console.print(
                f"interrupted; {kept} finished rows are kept. Go on with: mobilebench run "
                f"--resume {run.run_id} --store {store_url}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
            return INTERRUPTED
        records = store.records([run.run_id])
    report_command(store_url, [run.run_id], out)
    return 0 if all(record.status == "ok" for record in records) else 1
