"""`mobilebench export`."""

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
from mobilebench.bench.measure.sessions import probe_target
from mobilebench.bench.measure.support import why_unsupported
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import find_weights
from mobilebench.bench.quantization.calibration import find_calibration
from mobilebench.bench.runtimes.runtime import TVM
from mobilebench.schedules.databases.database import directories
from mobilebench.schedules.params_pool import EMBEDDED, EXTERNAL
from mobilebench.schedules.precision import FLOAT16, FLOAT32
from mobilebench.targets.catalog.target import CPU, Target, find_target
from mobilebench.targets.devices.farm import find_farm
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import WorkerError


def export_command(options: ExportOptions) -> int:
    """Build a variant for a target, measure it there, and write it as a bundle.

    Returns the exit code: 1 if the library computes something else than PyTorch; nothing is
    written then. Raises BenchError for a request that cannot be met.
    """
    console = Console(stderr=True)
    target, precision, out = find_target(options.target), options.precision, options.out
    stores_half = precision == FLOAT16 and target.device_type == CPU
    if reason := "" if stores_half else why_unsupported(TVM, target, precision):
        raise BenchError(f"precision {precision}: {reason}")
    suite = make_suite(
        options.values_of(Suite)
        | {
            "variants": (options.variant,),
            "targets": (options.target,),
            "runtimes": (TVM,),
            "threads": (options.threads,),
            # Runs have no float16 on CPUs; a bundle may store its weights in it.
            "precisions": (FLOAT32 if stores_half else precision,),
            "weights": (options.weights,),
        }
    )
    if len(suite.variants) != 1:
        raise BenchError(
            f"variant {options.variant!r}: name one variant; a bundle holds one network"
        )
    (name,), (threads,) = suite.variants, suite.threads
    variant = parse_variant(name)
    usual_storage = EXTERNAL if target.device_type == CPU else EMBEDDED
    params_storage = options.params_storage or usual_storage
    if out.exists():
        raise BenchError(f"directory {out}: already exists; remove it, or choose another --out")
    write_once(out, lambda _: None)  # fails before anything is compiled if it cannot be written
    out.rmdir()
    labels = read_labels(options.labels, variant.task) if options.labels else []
    cache_dir = cache_directory()
    weights = find_weights(options.weights, cache_dir, suite.seed)
    calibration = find_calibration(options.calibration_data)
    config = _probed_config(suite, target, precision, cache_dir) if options.measure else None
    target = config.target if config else target

    def say(step: str) -> None:
        console.print(f"{variant.name} for {target.name}: {step}", highlight=False, soft_wrap=True)

    try:
        with BuildService(cache_dir, suite.time_limit_s) as service:
            for refusal in service.check_target(target, directories()):
                say(f"warning: {refusal}")
            say("export")
            model = service.network(variant, weights, precision, calibration)
            say("compile")
            how = BuildOptions(
                target=target,
                threads=threads,
                databases=directories(),
                precision=precision,
                optimize_for=suite.optimize_for,
                params_storage=params_storage,
                dump_ir=options.dump_ir,
            )
            artifact = service.build(model, how)
        figures = None
        if config:
            say("measure")
            figures = measure(config, variant, artifact, model)
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
    print(f"bundle: {out} (sha256 {file_sha256(out / SUMS)})")
    return 0


def _probed_config(
    suite: Suite, target: Target, precision: str, cache_dir: Path
) -> MeasurementConfig:
    """Return where the target is measured; raises BenchError if no device of it can be reached."""
    farm = find_farm(target, suite.tracker, cache_dir, suite.wait_s)
    effort, threads = find_effort(suite.effort), suite.threads[0]
    config = MeasurementConfig(
        target, threads, suite.time_limit_s, cache_dir, farm, effort, suite.retries
    )
    return replace(config, target=probe_target(config, precision))
