"""`mobilebench tune`."""

import logging
from itertools import product
from pathlib import Path

from rich.console import Console

from mobilebench.bench.cache import cache_directory
from mobilebench.bench.cli.progress import TuningDisplay
from mobilebench.bench.config.commands import TuneOptions
from mobilebench.bench.config.suite import Suite, make_suite
from mobilebench.bench.measure.support import precision_of, why_unsupported
from mobilebench.bench.models.find_models import find_models
from mobilebench.bench.models.onnx_network import Network, OnnxNetwork
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.quantization.calibration import find_calibration
from mobilebench.bench.runtimes.runtime import TVM
from mobilebench.bench.tuning.tuning import Tuning, tune
from mobilebench.schedules.databases.database import user_directory
from mobilebench.schedules.precision import INT8
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.devices.farm import find_farm
from mobilebench.targets.devices.target_check import check_platform

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def tune_command(options: TuneOptions) -> int:
    """Tune the kernels of variants for targets, built here or by a Dask scheduler's workers.

    Returns the exit code: 0 if all is well, 1 if a variant's outputs are wrong, 130 if interrupted.
    Raises BenchError if the request cannot be met.
    """
    console = Console(stderr=True)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("mobilebench").setLevel(logging.INFO)
    values = options.values_of(Suite)
    if options.models and "variants" not in options.given():
        del values["variants"]
    suite = make_suite(values | {"runtimes": (TVM,)})
    networks = find_models(suite.models, suite.input_shape, cache_directory(), suite.time_limit_s)
    directory = options.out or user_directory()
    try:
        return 0 if tune_suite(suite, networks, directory, options.scheduler, console) else 1
    except KeyboardInterrupt:
        console.print(
            "interrupted; the measurements are kept: run the same command again to continue"
        )
        return INTERRUPTED


def tune_suite(
    suite: Suite,
    networks: tuple[OnnxNetwork, ...],
    directory: Path,
    scheduler: str,
    console: Console,
) -> bool:
    """Tune for every target and thread count of a suite; return whether all outputs were right.

    The suite must set the number of trials.
    """
    assert suite.trials
    good, calibration = True, find_calibration(suite.calibration_data)
    known: list[Network] = [*map(parse_variant, suite.variants), *networks]
    for network in known if INT8 in suite.precisions else ():
        calibration.check_shown_to(network, Weights().preprocessing(network))
    precisions = dict.fromkeys(
        precision_of(network, asked) for asked in suite.precisions for network in known
    )
    for target in suite.targets:
        check_platform(find_target(target))
        for threads, precision in product(suite.threads, precisions):
            title = f"{target}, {threads} thread{'s' if threads > 1 else ''}, {precision}"
            if reason := why_unsupported(TVM, find_target(target), precision):
                console.print(f"{title}: not tuned: {reason}", soft_wrap=True)
                continue
            request = Tuning(
                variants=suite.variants if precision in suite.precisions else (),
                networks=tuple(
                    one
                    for one in networks
                    if precision in {precision_of(one, asked) for asked in suite.precisions}
                ),
                target=target,
                threads=threads,
                precision=precision,
                calibration=calibration,
                trials=suite.trials,
                directory=directory,
                cache_dir=cache_directory(),
                time_limit_s=suite.time_limit_s,
                scheduler=scheduler,
                farm=find_farm(find_target(target), suite.tracker, cache_directory(), suite.wait_s),
            )
            with TuningDisplay(console, title) as progress:
                good &= tune(request, progress)
    return good
