"""What a run leaves behind so that it can be resumed, and what is said about that."""

import shlex
from pathlib import Path
from typing import Any

from mobilebench.bench.cache import cache_directory
from mobilebench.bench.config.bundle_suite import open_bundles
from mobilebench.bench.config.check import from_table
from mobilebench.bench.config.declaration import options_of
from mobilebench.bench.config.suite import Suite, SuiteFile
from mobilebench.bench.measure.run_context import RunContext
from mobilebench.bench.models.find_models import find_models
from mobilebench.reports.records.store import Run, Store
from mobilebench.targets.errors import BenchError

_OUT = "out"  # beside the suite's own keys: where the run's report is
_NAMED = "runtimes_named"  # of the suite, and no option
_PATHS = ("PATH", "DIR", "FILE")  # placeholders of options that are paths
_TARGET_FILE = ".toml"


def suite_to_keep(suite: Suite, out: Path) -> dict[str, Any]:
    """Return a suite for the store, with its report's directory.

    Paths are absolute, so that the run can be resumed from any directory.
    """
    table = suite.to_table()
    for option in options_of(Suite):
        if option.kind is Path or option.shown.metavar in _PATHS:
            table[option.key] = _each(table[option.key], _absolute)
    table["target"] = _each(table["target"], _absolute_target)
    return table | {_OUT: str(out.absolute()), _NAMED: suite.runtimes_named}


def kept_suite(run: Run) -> Suite:
    """Return the suite of a run in the store; raises BenchError if another version wrote it."""
    table = {key: value for key, value in run.suite.items() if key not in (_OUT, _NAMED)}
    try:
        suite = from_table(Suite, table, f"run {run.run_id}")
        return suite.model_copy(update={_NAMED: bool(run.suite.get(_NAMED))})
    except BenchError as error:
        raise BenchError(
            f"run {run.run_id}: it was started by another version of mobilebench and can neither "
            "be resumed nor measured again; start a new one"
        ) from error


def kept_context(run: Run) -> RunContext:
    """Return what it takes to measure the libraries of a run in the store again.

    That is neither weights nor images. Raises BenchError for what was measured and is gone.
    """
    suite, cache_dir = kept_suite(run), cache_directory()
    bundles = open_bundles(suite.bundles)
    networks = find_models(suite.models, suite.input_shape, cache_dir, suite.time_limit_s)
    return RunContext(run, suite, (), cache_dir, networks=networks, bundles=bundles)


def kept_report_directory(run: Run) -> Path | None:
    """Return where a run in the store writes its report; None if it is not known."""
    return Path(run.suite[_OUT]) if _OUT in run.suite else None


def resume_hint(run: Run, store: Store, said: SuiteFile, out: Path) -> str:
    """Return the command that goes on with a run, with all that it needs but a password."""
    words = ["mobilebench", "run", "--resume", run.run_id, "--store", store_word(store.url)]
    if kept_report_directory(run) != out.absolute():
        words += ["--out", str(out.absolute())]
    if said.scheduler:
        words += ["--scheduler", said.scheduler]
    if said.power_meter:
        words += ["--power-meter", said.power_meter]
    if said.events:
        words += ["--events", _absolute(said.events)]
    return shlex.join(words)


def report_hint(run: Run, store: Store, out: Path) -> str:
    """Return the command that writes the report of a run."""
    words = ["mobilebench", "report", "--run", run.run_id, "--store", store_word(store.url)]
    return shlex.join([*words, "--out", str(out.absolute())])


def nothing_left(run: Run, store: Store, out: Path) -> str:
    """Say that a run has all its rows, and where its report is or how to write it."""
    records = store.records([run.run_id])
    ok = sum(record.status == "ok" for record in records)
    page = out / "index.html"
    written = f"its report is {page}"
    where = written if page.exists() else f"write its report with: {report_hint(run, store, out)}"
    return (
        f"run {run.run_id}: nothing is left to measure ({ok} of {len(records)} rows are ok); "
        f"{where}"
    )


def store_word(url: str) -> str:
    """Return a store, given by its URL without a password, as a command in any directory names it.

    Nobody is told the password.
    """
    path = url.removeprefix("sqlite:///")
    return url if "://" in path or "?" in path else _absolute(path)


def _each(value: Any, change: Any) -> Any:
    if isinstance(value, list):
        return [change(one) for one in value]
    return change(value) if value else value


def _absolute(path: str) -> str:
    return path if "://" in path else str(Path(path).absolute())


def _absolute_target(name: str) -> str:
    return _absolute(name) if name.endswith(_TARGET_FILE) else name
