"""`mobilebench export`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.bundle.checksums import SUMS
from mobilebench.bench.cache import cache_directory, file_sha256, write_once
from mobilebench.bench.config.commands import ExportOptions
from mobilebench.bench.config.effort import find_effort
from mobilebench.bench.config.suite import Suite, make_suite
from mobilebench.bench.export.latency import WrongResultError, measure
from mobilebench.bench.export.write import (
    BundleContents,
    for_others,
    make_bundle,
    read_labels,
)
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.layers import layers_of
from mobilebench.bench.measure.sessions import probe_target
from mobilebench.bench.measure.support import precision_of, why_not_at_once, why_unsupported
from mobilebench.bench.models.class_names import names_of
from mobilebench.bench.models.find_models import find_models
from mobilebench.bench.models.find_weights import assumed_of, find_weights, own_weights
from mobilebench.bench.models.input_type import PIXELS, check_takes_pixels
from mobilebench.bench.models.onnx_network import Network
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import RANDOM, Weights
from mobilebench.bench.quantization.calibration import Calibration, find_calibration
from mobilebench.bench.runtimes.runtime import TVM
from mobilebench.schedules.databases.database import directories
from mobilebench.schedules.params_pool import EMBEDDED, EXTERNAL
from mobilebench.schedules.precision import INT8
from mobilebench.targets.catalog.target import CPU, Target, find_target
from mobilebench.targets.devices.farm import find_farm
from mobilebench.targets.devices.target_check import check_platform
from mobilebench.targets.errors import BenchError, NoTrackerError
from mobilebench.targets.processes.worker import WorkerError


def export_command(options: ExportOptions) -> int:
    """Build a variant for a target, measure it there, and write it as a bundle.

    It is built without a device where nobody said where the target's boards are.

    Returns the exit code: 1 if the library computes something else than PyTorch; nothing is
    written then. Raises BenchError for a request that cannot be met.
    """
    if bool(options.variant) == bool(options.model):
        raise BenchError("export: name one network, --variant NAME or --model FILE")
    console, target, out = Console(stderr=True), find_target(options.target), options.out
    check_platform(target)
    suite = _suite_of(options, target)
    if options.variant and len(suite.variants) != 1:
        raise BenchError(
            f"variant {options.variant!r}: name one variant; a bundle holds one network"
        )
    (threads,) = suite.threads
    variant, weights = _network(options, suite)
    precision = precision_of(variant, options.precision)
    _check_precision(precision, target)
    usual_storage = EXTERNAL if target.device_type == CPU else EMBEDDED
    params_storage = options.params_storage or usual_storage
    _require_new(out)
    labels = _labels(options, variant, weights)
    cache_dir = cache_directory()
    calibration = find_calibration(options.calibration_data)
    _check_images(options, variant, weights, calibration, precision)

    def say(step: str) -> None:
        console.print(f"{variant.name} for {target.name}: {step}", highlight=False, soft_wrap=True)

    if precision != options.precision:
        say(f"warning: {weights.label} is quantized, so that its precision is {precision}")
    config = _config_of(options, suite, target, precision, say) if options.measure else None
    target = config.target if config else target
    try:
        with BuildService(cache_dir, suite.time_limit_s) as service:
            for refusal in service.check_target(target, directories()):
                say(f"warning: {refusal}")
            for note in filter(None, (*weights.notes, *weights.remarks, assumed_of(variant))):
                say(f"{weights.label}: {note}")
            say("export")
            model = service.network(variant, weights, precision, calibration, options.input_type)
            say("compile")
            how = BuildOptions(
                target=target,
                threads=threads,
                databases=directories(),
                batch=options.batch,
                precision=precision,
                optimize_for=suite.optimize_for,
                params_storage=params_storage,
                dump_ir=options.dump_ir,
            )
            artifact = service.build(model, how)
            figures = None
            if config:
                say("measure")
                figures = measure(config, variant, artifact, model, layers_of(service, model, how))
    except WorkerError as error:
        raise BenchError(f"{variant.name} for {target.name}: {error}") from error
    except WrongResultError as error:
        say(f"{error}; nothing was written")
        return 1
    target = for_others(target)
    contents = BundleContents(
        variant=variant,
        weights=weights,
        model=model,
        with_onnx=options.with_onnx,
        target=target,
        threads=threads,
        artifact=artifact,
        labels=labels,
        measured=figures,
    )
    write_once(out, lambda directory: make_bundle(directory, contents))
    if figures is None:
        but = ", but not its layers one by one as measuring does" if precision == INT8 else ""
        say(f"not measured; `mobilebench verify {out}` compares its outputs with PyTorch's{but}")
    print(f"bundle: {out} (sha256 {file_sha256(out / SUMS)})")
    return 0


def _labels(options: ExportOptions, variant: Network, weights: Weights) -> tuple[str, ...]:
    """Return the names of the classes; none if they are not known, or weights are random."""
    if options.labels:
        return read_labels(options.labels, variant)
    return () if weights.source == RANDOM else names_of(variant, weights.class_names)


def _suite_of(options: ExportOptions, target: Target) -> Suite:
    """Return the suite of one network; raises BenchError for one that cannot be exported."""
    precision = options.precision
    _check_precision(precision, target)
    if reason := why_not_at_once(TVM, target, options.batch, 1):
        raise BenchError(f"--batch {options.batch}: {reason}")
    return make_suite(
        options.values_of(Suite)
        | {
            "variants": (options.variant,) if options.variant else (),
            "models": (options.model,) if options.model else (),
            "targets": (options.target,),
            "runtimes": (TVM,),
            "threads": (options.threads,),
            "precisions": (precision,),
            "weights": (options.weights,),
        }
    )


def _check_precision(precision: str, target: Target) -> None:
    """Raise BenchError for a precision that a target's bundles cannot have."""
    if reason := why_unsupported(TVM, target, precision):
        raise BenchError(f"precision {precision}: {reason}")


def _check_images(
    options: ExportOptions,
    variant: Network,
    weights: Weights,
    calibration: Calibration,
    precision: str,
) -> None:
    """Raise BenchError if a network cannot be shown the images, or pixels, that it is to be."""
    preprocessing = weights.preprocessing(variant)
    if options.input_type == PIXELS:
        check_takes_pixels(variant, preprocessing)
    if precision == INT8:
        calibration.check_shown_to(variant, preprocessing)


def _require_new(out: Path) -> None:
    """Raise BenchError, before anything is compiled, if a bundle cannot be written there."""
    if out.exists():
        raise BenchError(f"directory {out}: already exists; remove it, or choose another --out")
    write_once(out, lambda _: None)
    out.rmdir()


def _config_of(
    options: ExportOptions,
    suite: Suite,
    target: Target,
    precision: str,
    say: Callable[[str], None],
) -> MeasurementConfig | None:
    """Return where the target is measured; None if nobody said where its boards are.

    Raises BenchError if no device of it can be reached, and also for the latter if measuring was
    asked for.
    """
    try:
        return _probed_config(suite, target, precision)
    except NoTrackerError as error:
        if "measure" in options.model_fields_set:
            raise
        say(f"warning: it will be built, but not measured: {error}")
        return None
    except BenchError as error:
        raise BenchError(f"{error}; with --no-measure it is exported unmeasured") from error


def _network(options: ExportOptions, suite: Suite) -> tuple[Network, Weights]:
    """Return what is exported, and whose weights it has."""
    cache_dir = cache_directory()
    own = find_models(suite.models, suite.input_shape, cache_dir, suite.time_limit_s)
    if not own:
        weights = find_weights(options.weights, cache_dir, suite.seed)
        return weights.own(parse_variant(suite.variants[0])), weights
    return own[0], own_weights(own[0])


def _probed_config(suite: Suite, target: Target, precision: str) -> MeasurementConfig:
    """Return where the target is measured; raises BenchError if no device of it can be reached."""
    cache_dir = cache_directory()
    farm = find_farm(target, suite.tracker, cache_dir, suite.wait_s)
    effort, threads = find_effort(suite.effort), suite.threads[0]
    config = MeasurementConfig(
        target, threads, suite.time_limit_s, cache_dir, farm, effort, suite.retries
    )
    return replace(config, target=probe_target(config, precision))
