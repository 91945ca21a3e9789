"""`mobilebench predict`."""

import json
from dataclasses import asdict
from typing import Any

from rich.console import Console

from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.cache import cache_directory
from mobilebench.bench.cli.tables import make_table, or_dash, print_table
from mobilebench.bench.config.commands import PredictOptions
from mobilebench.bench.extras import import_extra
from mobilebench.bench.measure.support import why_unsupported
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.prediction.executions import EMULATOR, EXTRA
from mobilebench.bench.prediction.llvm_tools import find_llvm_tools
from mobilebench.bench.prediction.prediction import KernelPrediction, Prediction, predict
from mobilebench.bench.quantization.calibration import Calibration
from mobilebench.bench.runtimes.runtime import TVM
from mobilebench.schedules.databases.database import directories
from mobilebench.schedules.params_pool import EXTERNAL
from mobilebench.targets.catalog.cpu_models import check_has_model, model_of
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.devices.target_check import check_platform
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import WorkerError


def predict_command(options: PredictOptions) -> None:
    """Compile a network for one thread of a target and print the cycles that are predicted.

    Raises BenchError if the network, the target, its model or a program for it is not there.
    """
    variant, target = parse_variant(options.variant), find_target(options.target)
    check_has_model(target)
    check_platform(target)
    if reason := why_unsupported(TVM, target, options.precision):
        raise BenchError(f"precision {options.precision}: {reason}")
    tools = find_llvm_tools(options.llvm)
    import_extra(EMULATOR, EXTRA)
    console = Console(stderr=True)

    def say(step: str) -> None:
        console.print(f"{variant.name} for {target.name}: {step}", highlight=False, soft_wrap=True)

    try:
        with BuildService(cache_directory(), options.time_limit_s) as service:
            for refusal in service.check_target(target, directories()):
                say(f"warning: {refusal}")
            say("compile")
            network = service.network(variant, Weights(), options.precision, Calibration())
            how = BuildOptions(
                target=target,
                databases=directories(),
                precision=options.precision,
                instrumented=True,
                params_storage=EXTERNAL,
            )
            artifact = service.build(network, how)
    except WorkerError as error:
        raise BenchError(f"{variant.name} for {target.name}: {error}") from error
    say("predict")
    cpu = options.cpu or model_of(artifact.manifest.tvm_target, target.name)
    prediction = predict(artifact, cpu, tools)
    if options.format == "json":
        print(json.dumps(_to_data(options, prediction), indent=2))
    else:
        _print_text(options, prediction)


def _to_data(options: PredictOptions, prediction: Prediction) -> dict[str, Any]:
    what = {
        "variant": options.variant,
        "target": options.target,
        "precision": options.precision,
        "predicted": True,
    }
    sums = {
        "cycles": prediction.cycles,
        "floor_cycles": prediction.floor_cycles,
        "ratio": prediction.ratio,
    }
    return what | sums | asdict(prediction)


def _print_text(options: PredictOptions, prediction: Prediction) -> None:
    columns = ("calls", "MMAC", "kcycles", "floor", "ratio", "busiest unit")
    table = make_table("kernel", right=columns)
    for kernel in prediction.kernels:
        table.add_row(*_row(kernel))
    table.add_row(
        "all kernels",
        str(sum(kernel.calls for kernel in prediction.kernels)),
        f"{sum(kernel.macs for kernel in prediction.kernels) / 1e6:.2f}",
        *_cycles(prediction),
    )
    mnemonic = prediction.multiply_add.partition("\t")[0]
    floor = (
        f"Floor: multiply-accumulates alone, {prediction.macs_per_cycle:g} a cycle by {mnemonic}. "
        if mnemonic
        else ""
    )
    table.caption = (
        f"PREDICTED, not measured: {options.variant} at {options.precision} for {options.target}, "
        f"on one thread, by LLVM {prediction.llvm_version}'s model of {prediction.cpu}; kcycles "
        "are 10^3 cycles of all calls in an inference, every load from the first cache. "
        f"{floor}Busiest unit: the part of the processor that works for most of the cycles."
    )
    print_table(table)


def _row(kernel: KernelPrediction) -> tuple[str, ...]:
    return (
        kernel.name.partition(" #")[0],
        str(kernel.calls),
        f"{kernel.macs / 1e6:.2f}" if kernel.macs else "-",
        *_cycles(kernel),
        f"{kernel.busiest_unit} {100 * kernel.busiest_share:.0f} %",
    )


def _cycles(one: KernelPrediction | Prediction) -> tuple[str, str, str]:
    floor = one.floor_cycles / 1e3 if one.floor_cycles else None
    return f"{one.cycles / 1e3:.1f}", or_dash(floor, ".1f"), or_dash(one.ratio, ".2f")
