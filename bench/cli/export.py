"""`mobilebench export`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.bundle.checksums import SUMS
from mobilebench.bench.cache import cache_directory, file_sha256, write_once
from mobilebench.bench.config.effort import find_effort
from mobilebench.bench.config.suite import Suite, make_suite
from mobilebench.bench.export.latency import WrongResultError, measure
from mobilebench.bench.export.write import for_others, make_bundle, read_labels
from mobilebench.bench.measure.on_device import MeasurementConfig, probe_target
from mobilebench.bench.models.outputs import Reference
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import find_weights
from mobilebench.bench.runtimes.runtime import TVM
from mobilebench.schedules.databases.database import directories
from mobilebench.schedules.params_pool import EMBEDDED, EXTERNAL, PARAMS_STORAGES
from mobilebench.schedules.precision import FLOAT32, PRECISIONS
from mobilebench.targets.catalog.target import CPU, Target, find_target
from mobilebench.targets.devices.farm import find_farm
from mobilebench.targets.errors import BenchError, unknown
from mobilebench.targets.processes.worker import WorkerError


def export_command(
    variant_name: str,
    target_name: str,
    out: Path,
    *,
    precision: str,
    weights_source: str,
    params_storage: str | None,
    labels_file: Path | None,
    measured: bool,
    chosen: dict[str, Any],
) -> int:
    """Build a variant for a target, measure it there, and write it as a bundle.

    `chosen` is what a suite may say beside: threads, prefer, profile, seed, tracker, wait_s.
    Returns the exit code: 1 if the library computes something else than PyTorch; nothing is
    written then. Raises BenchError for a request that cannot be met.
    """
    console = Console(stderr=True)
    target = find_target(target_name)
    suite = make_suite(
        chosen
        | {"variants": (variant_name,), "targets": (target_name,), "runtimes": (TVM,)}
        # On a CPU half precision is how weights are stored, which no run has.
        | {"precisions": (precision if target.device_type != CPU else FLOAT32,)}
    )
    if len(suite.variants) > 1:
        raise BenchError(f"variant {variant_name!r}: name one variant; a bundle is of one")
    (name,), (threads,) = suite.variants, suite.threads
    variant = parse_variant(name)
    params_storage = params_storage or (EXTERNAL if target.device_type == CPU else EMBEDDED)
    _require("precision", precision, PRECISIONS)
    _require("place of weights", params_storage, PARAMS_STORAGES)
    if out.exists():
        raise BenchError(f"directory {out}: exists already; remove it, or choose another --out")
    write_once(out, lambda _: None)  # that it can be made is known before anything is compiled
    out.rmdir()
    labels = read_labels(labels_file, variant.task) if labels_file else []
    cache_dir = cache_directory()
    weights = find_weights(weights_source, cache_dir, suite.seed)
    config = _live_bench(suite, target, precision, cache_dir) if measured else None
    target = config.target if config else target

    def say(step: str) -> None:
        console.print(f"{variant.name} for {target.name}: {step}", highlight=False, soft_wrap=True)

    try:
        with BuildService(cache_dir, suite.time_limit_s) as service:
            for refusal in service.check_target(target, directories()):
                say(f"warning: {refusal}")
            say("export")
            exported = service.to_onnx(variant, weights)
            say("compile")
            options = (directories(), precision, suite.optimize_for)
            artifact = service.build(
                variant, exported, target, threads, *options, params_storage=params_storage
            )
        figures = None
        if config:
            say("measure")
            figures = measure(config, variant, artifact, Reference(*exported.reference()))
    except WorkerError as error:
        raise BenchError(f"{variant.name} for {target.name}: {error}") from error
    except WrongResultError as error:
        say(f"{error}; nothing was written")
        return 1
    target = for_others(target)
    parts = variant, weights, exported, target, threads, artifact, labels, figures
    write_once(out, lambda directory: make_bundle(directory, *parts))
    print(f"bundle: {out} (sha256 {file_sha256(out / SUMS)})")
    return 0


def _require(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise unknown(what, value, allowed)


def _live_bench(suite: Suite, target: Target, precision: str, cache_dir: Path) -> MeasurementConfig:
    """Return where the target is measured; raises BenchError if no device of it is live."""
    farm = find_farm(target, suite.tracker, cache_dir, suite.wait_s)
    effort, threads = find_effort(suite.effort), suite.threads[0]
    config = MeasurementConfig(
        target, threads, suite.time_limit_s, cache_dir, farm, effort, suite.retries
    )
    return replace(config, target=probe_target(config, precision))
