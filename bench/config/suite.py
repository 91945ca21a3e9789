"""What a run is asked to measure: from a TOML file, the command line, or the defaults."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field

from mobilebench.bench.config import options
from mobilebench.bench.config.check import from_values
from mobilebench.bench.config.declaration import Options
from mobilebench.bench.models.variant import GRIDS, parse_variant
from mobilebench.bench.models.weights import RANDOM
from mobilebench.bench.runtimes.runtime import TVM, default_runtimes, find_runtime
from mobilebench.reports.records.store import DEFAULT_URL
from mobilebench.schedules.objective import LATENCY
from mobilebench.schedules.precision import FLOAT16, FLOAT32, INT8
from mobilebench.targets.catalog.target import CPU, Target, find_target
from mobilebench.targets.devices.farm import WAIT_S
from mobilebench.targets.errors import BenchError
from mobilebench.targets.rpc.tracker import parse_tracker

T = TypeVar("T")


class Suite(Options):
    """The cells to measure: every variant on every target with every runtime and thread count.

    Only plain data, so that the store can keep it and a resumed run can read it back.
    """

    variants: options.Variants = ("small",)
    models: options.Models = ()
    input_shape: options.InputShape = ""
    bundles: options.Bundles = ()  # if there are any, they set the other fields of this group
    targets: options.Targets = ("native",)
    runtimes: options.Runtimes = ()
    # No option: whether the runtimes were chosen.
    runtimes_named: Annotated[bool, Field(exclude=True)] = False
    threads: options.Threads = (1,)
    batches: options.Batches = (1,)
    streams: options.Streams = (1,)
    precisions: options.Precisions = (FLOAT32,)
    weights: options.WeightsSources = (RANDOM,)
    seed: options.Seed = 0
    data: options.Data = ""
    calibration_data: options.CalibrationData = ""
    stage_images: options.StageImages = ""
    effort: options.Effort = "quick"
    trials: options.Trials = None
    optimize_for: options.OptimizeFor = LATENCY
    kernels: options.Kernels = False
    memory: options.Memory = False
    sustained_minutes: options.Sustained = None
    pace_fps: options.Pace = None
    energy: options.Energy = False
    check_regressions: options.CheckRegressions = False
    time_limit_s: options.TimeLimit = options.TIME_LIMIT_S
    retries: options.Retries = 2
    cool_below_c: options.CoolBelow = None
    dump_ir: options.DumpIr = None
    tracker: options.TrackerAddress = ""
    wait_s: options.Wait = WAIT_S

    def compares_on(self, target: Target) -> bool:
        """Whether other runtimes than TVM are measured on a target; on boards if they are named."""
        return target.has_peers and (self.runtimes_named or not target.tracker_key)


class Places(Options):
    """What the machine that starts a run has: addresses, paths and a command of the user's.

    A resumed run may change them, and the store keeps none: no command from there is executed.
    """

    scheduler: options.Scheduler = ""
    power_meter: options.PowerMeter = ""
    store: options.StoreUrl = DEFAULT_URL
    out: options.DatedReport = "mobilebench-report"
    events: options.Events = ""

    @property
    def report_directory(self) -> Path:
        """The report's directory, with today's date filled in."""
        return Path(datetime.now().astimezone().strftime(self.out))


class SuiteFile(Places, Suite):
    """The keys of a suite file."""


def make_suite(chosen: Mapping[str, Any]) -> Suite:
    """Return the suite of the chosen options, with defaults for the others; all names are checked.

    A variant may also be the name of a group, such as `published`. Raises BenchError for the first
    choice that cannot be measured.
    """
    chosen = {key: value for key, value in chosen.items() if value not in (None, (), [])}
    asked = from_values(Suite, chosen)
    check_names(asked)
    # Names that are given twice are measured once.
    lists = {key: _each(value) for key, value in asked if isinstance(value, tuple)}
    own_alone = asked.models and "variants" not in chosen
    lists["variants"] = () if own_alone else expand_variants(asked.variants)
    lists["runtimes"] = lists["runtimes"] or tuple(default_runtimes(asked.precisions))
    targets = [find_target(name) for name in asked.targets]
    named = asked.model_copy(update={"runtimes_named": bool(asked.runtimes)})
    if asked.runtimes and not any(target.has_peers for target in targets):
        _require_tvm_alone(asked.runtimes)
    if not any(map(named.compares_on, targets)):
        lists["runtimes"] = (TVM,)
    suite = named.model_copy(update=lists)
    _check_installed(suite.runtimes)
    _check_precisions(suite, targets)
    if suite.calibration_data and INT8 not in suite.precisions:
        raise BenchError(
            f"calibration {suite.calibration_data}: only {INT8} is calibrated; add "
            f"--precision {INT8}, or leave out --calibration"
        )
    if suite.stage_images and not any(map(runs_here, targets)):
        raise BenchError(
            f"stages {suite.stage_images}: they are timed on this machine's CPU, add --target "
            "native; on a board the programs of a bundle time them (--time)"
        )
    if own_alone and suite.weights != (RANDOM,):
        raise BenchError(
            f"weights {suite.weights[0]}: a --model has its own weights; leave out --weights"
        )
    _check_at_once(suite)
    if suite.kernels and TVM not in suite.runtimes:
        raise BenchError(f"kernels: only {TVM}'s kernels can be timed; add it to the runtimes")
    return suite


def runs_here(target: Target) -> bool:
    """Whether a target is this machine's own CPU, in whose processes anything can be timed."""
    return not target.tracker_key and target.device_type == CPU


def check_names(suite: Suite) -> None:
    """Raise BenchError for an unknown variant, target or runtime, or a bad tracker address."""
    expand_variants(suite.variants)
    for name in suite.targets:
        find_target(name)
    for name in suite.runtimes:
        find_runtime(name)
    if suite.tracker:
        parse_tracker(suite.tracker)


def _check_installed(runtimes: Sequence[str]) -> None:
    for entry in map(find_runtime, runtimes):
        if entry.version() is None:
            raise BenchError(
                f"runtime {entry.name!r} is not installed; pip install 'mobilebench[{entry.extra}]'"
            )


def _require_tvm_alone(runtimes: Sequence[str]) -> None:
    """Raise BenchError if any other runtime was named for GPUs."""
    others = [name for name in runtimes if name != TVM]
    if others:
        raise BenchError(
            f"runtime {others[0]!r}: only {TVM} runs on OpenCL devices; leave it out, or add "
            "--target native"
        )


def _check_precisions(suite: Suite, targets: Sequence[Target]) -> None:
    """Raise BenchError for a precision that no runtime supports."""
    if FLOAT16 in suite.precisions and TVM not in suite.runtimes:
        raise BenchError(
            f"precision {FLOAT16}: only {TVM} is measured in it; add --runtime {TVM}, or leave it "
            "out"
        )


def _check_at_once(suite: Suite) -> None:
    """Raise BenchError for what makes no sense of several images or instances at once."""
    if suite.pace_fps is not None and suite.batches != (1,):
        raise BenchError(
            "--pace: a camera's frames come one at a time; leave out --batch, or run it by itself"
        )
    loads = {
        "--pace": suite.pace_fps,
        "--sustained": suite.sustained_minutes,
        "--energy": suite.energy or None,
    }
    for flag, value in loads.items():
        if value is not None and suite.streams != (1,):
            raise BenchError(
                f"{flag}: is measured of one instance at a time; leave out --streams, or run it by "
                "itself"
            )


def expand_variants(names: Sequence[str]) -> tuple[str, ...]:
    """Return checked names of variants, each group, such as `published`, expanded."""
    expanded = []
    for name in names:
        if name in GRIDS:
            expanded += [variant.name for variant in GRIDS[name]()]
        else:
            expanded.append(parse_variant(name).name)
    return _each(expanded)


def _each(values: Iterable[T]) -> tuple[T, ...]:
    """Return the values in order without repetitions."""
    return tuple(dict.fromkeys(values))
