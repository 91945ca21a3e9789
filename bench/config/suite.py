"""What a run is asked to measure: from a TOML file, the command line, or the defaults."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mobilebench.bench.config.effort import find_effort
from mobilebench.bench.models.variant import paper_grid, parse_variant, published_grid, small_grid
from mobilebench.bench.models.weights import RANDOM
from mobilebench.bench.runtimes.runtime import TVM, default_runtimes, find_runtime
from mobilebench.reports.records.store import DEFAULT_URL
from mobilebench.schedules.objective import LATENCY, OBJECTIVES
from mobilebench.schedules.precision import FLOAT16, FLOAT32, PRECISIONS
from mobilebench.targets.catalog.target import OPENCL, Target, find_target
from mobilebench.targets.devices.farm import WAIT_S
from mobilebench.targets.errors import BenchError, unknown
from mobilebench.targets.rpc.tracker import parse_tracker

GRIDS = {"published": published_grid, "small": small_grid, "paper": paper_grid}
MAX_THREADS = 1024
MAX_TRIALS = 10_000
MAX_TIME_LIMIT_S = 86400.0
MAX_RETRIES = 10


@dataclass(frozen=True)
class Suite:
    """The cells to measure: every variant on every target with every runtime and thread count.

    All plain data, so that the store can keep it and a resumed run can read it back.
    """

    variants: tuple[str, ...]
    bundles: tuple[str, ...] = ()  # measured as they are; then they say what is above and below
    targets: tuple[str, ...] = ("native",)
    runtimes: tuple[str, ...] = ()
    threads: tuple[int, ...] = (1,)
    precisions: tuple[str, ...] = (FLOAT32,)  # of weights and activations; half on OpenCL only
    trials: int | None = None  # None: the databases as they are; 0: best guesses; else tune first
    optimize_for: str = LATENCY  # what TVM's artifacts are made for
    kernels: bool = False  # time each kernel of TVM's artifacts too
    memory: bool = False  # account for the activations' memory too
    check_regressions: bool = (
        False  # hold the run against the nights before, and measure suspects again
    )
    effort: str = "quick"
    weights: tuple[str, ...] = (RANDOM,)
    data: str = ""  # images in the format of the variants' task; empty: no accuracy
    seed: int = 0
    time_limit_s: float = 300.0  # of each request to a worker, compilation included
    tracker: str = ""  # HOST:PORT of the boards' tracker
    wait_s: float = WAIT_S  # for a board
    retries: int = 2  # on other boards, or later, after a board or the model had died
    cool_below_c: float | None = None  # that a device is let cool to; None: what its target says


@dataclass(frozen=True)
class Places:
    """Where a run gets help and leaves things: of the machine that it is started on, not of it."""

    store: str = DEFAULT_URL
    report: str = "mobilebench-report"  # with strftime's fields, e.g. report-%Y-%m-%d
    events: str = ""  # a file of JSON lines
    scheduler: str = ""  # of the Dask cluster that compiles

    @property
    def report_directory(self) -> Path:
        """The report's directory, today."""
        return Path(datetime.now().astimezone().strftime(self.report))


_LISTS: dict[str, type] = {
    "variants": str,
    "bundles": str,
    "targets": str,
    "runtimes": str,
    "threads": int,
    "precisions": str,
    "weights": str,
}
_SCALARS: dict[str, Any] = {
    "optimize_for": str,
    "kernels": bool,
    "memory": bool,
    "check_regressions": bool,
    "effort": str,
    "data": str,
    "seed": int,
    "trials": int,
    "time_limit_s": (int, float),
    "tracker": str,
    "wait_s": (int, float),
    "retries": int,
    "cool_below_c": (int, float),
}
_PLACES = {field.name: str for field in fields(Places)}


def read_suite(path: Path) -> dict[str, Any]:
    """Read the keys of a suite file; raises BenchError naming the file and the key."""
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise BenchError(f"suite file {path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BenchError(f"suite file {path}: {error}") from error
    for key, value in table.items():
        if key in _LISTS:
            member = _LISTS[key]
            good = isinstance(value, list) and all(type(item) is member for item in value)
            expected = f"a list of {member.__name__}"
        elif kind := (_SCALARS | _PLACES).get(key):
            good = isinstance(value, kind)
            if kind is not bool:  # to Python true is a number
                good = good and not isinstance(value, bool)
            expected = {str: "a string", bool: "true or false"}.get(kind, "a number")
        else:
            allowed = ", ".join(field.name for field in (*fields(Suite), *fields(Places)))
            raise BenchError(f"suite file {path}: unknown key {key!r}; allowed are {allowed}")
        if not good:
            raise BenchError(f"suite file {path}: {key} must be {expected}, not {value!r}")
    return {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}


def split_places(chosen: dict[str, Any]) -> tuple[dict[str, Any], Places]:
    """Return what selects, and where things go."""
    places = Places(**{key: value for key, value in chosen.items() if key in _PLACES})
    return {key: value for key, value in chosen.items() if key not in _PLACES}, places


def make_suite(chosen: dict[str, Any]) -> Suite:
    """Return a suite of what was chosen, with defaults for the rest, each name checked.

    A variant may also be the name of a grid (`published`, `small`, `paper`). Raises BenchError for
    the first thing that cannot be measured.
    """
    chosen = {key: value for key, value in chosen.items() if value not in (None, (), [])}
    chosen["variants"] = expand_variants(chosen.get("variants", ("small",)))
    named = set(chosen)
    chosen.setdefault("runtimes", tuple(default_runtimes()))
    for key in _LISTS:
        if key in chosen:
            chosen[key] = tuple(dict.fromkeys(chosen[key]))  # what is named twice is measured once
    suite = Suite(**chosen)
    targets = [find_target(name) for name in suite.targets]
    if not any(target.has_peers for target in targets):
        suite = replace(suite, runtimes=_tvm_alone(suite.runtimes, "runtimes" in named))
    _check_precisions(suite, targets)
    if suite.tracker:
        parse_tracker(suite.tracker)
    for name in suite.runtimes:
        entry = find_runtime(name)
        if entry.version() is None:
            raise BenchError(
                f"runtime {name!r} is not installed; pip install 'mobilebench[{entry.extra}]'"
            )
    find_effort(suite.effort)
    if suite.optimize_for not in OBJECTIVES:
        raise unknown("preference", suite.optimize_for, OBJECTIVES)
    if suite.kernels and TVM not in suite.runtimes:
        raise BenchError(f"kernels: only those of {TVM} can be timed; add it to the runtimes")
    _check_numbers(suite)
    return suite


def _check_numbers(suite: Suite) -> None:
    """Raise BenchError for a number that is out of range."""
    for count in suite.threads:
        if not 1 <= count <= MAX_THREADS:
            raise BenchError(f"threads: {count} is not a number of threads; give 1 or more")
    if suite.trials is not None and not 0 <= suite.trials <= MAX_TRIALS:
        raise BenchError(f"trials: {suite.trials} must be between 0 and {MAX_TRIALS} a kernel")
    if not 0 <= suite.retries <= MAX_RETRIES:
        raise BenchError(f"retries: {suite.retries} must be between 0 and {MAX_RETRIES}")
    for name in ("time_limit_s", "wait_s"):
        seconds = getattr(suite, name)
        if not 0 < seconds <= MAX_TIME_LIMIT_S:
            raise BenchError(
                f"{name}: {seconds:g} must be above 0 and at most {MAX_TIME_LIMIT_S:g} seconds"
            )


def _tvm_alone(runtimes: Sequence[str], named: bool) -> tuple[str, ...]:
    """Return what can run on boards and GPUs; raises BenchError for another that was named."""
    others = [name for name in runtimes if name != TVM]
    if named and others:
        raise BenchError(
            f"runtime {others[0]!r}: boards and OpenCL devices run {TVM} alone; leave it out, or "
            "add --target native"
        )
    return (TVM,)


def _check_precisions(suite: Suite, targets: Sequence[Target]) -> None:
    """Raise BenchError for a precision that is not known, or that no target has."""
    for name in suite.precisions:
        if name not in PRECISIONS:
            raise unknown("precision", name, PRECISIONS)
    halves = any(target.device_type == OPENCL for target in targets)
    if FLOAT16 in suite.precisions and not (halves and TVM in suite.runtimes):
        raise BenchError(
            f"precision {FLOAT16}: only {TVM} on an OpenCL target stores half-precision floats; "
            "add one, e.g. --target opencl, or leave it out"
        )


def expand_variants(names: Sequence[str]) -> tuple[str, ...]:
    """Return variants' names with grids (`published`, `small`, `paper`) spelt out, each checked."""
    expanded = []
    for name in names:
        if name in GRIDS:
            expanded += [variant.name for variant in GRIDS[name]()]
        else:
            expanded.append(parse_variant(name).name)
    return tuple(dict.fromkeys(expanded))
