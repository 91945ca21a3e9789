"""TVM's own schedules for OpenCL, dlight's, beside ours: one server, one session, in turns.

    python docs/scripts/opencl_against_dlight.py mobilenet_v2_0.35_96 mobilenet_v2_1.0_224

Both come from the same ONNX file, run on this machine's first OpenCL device, and are compared with
PyTorch before they are timed. Where that device is a CPU it is a ratio on that CPU, and says
nothing of a GPU.
"""

import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import tvm
from tvm import rpc
from tvm.relax.frontend.onnx import from_onnx
from tvm.runtime import vm

from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.cache import cache_directory
from mobilebench.bench.measure.fidelity import TOLERANCE, compare
from mobilebench.bench.models.onnx_export import OnnxModel
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.catalog.target import Target, find_target
from mobilebench.targets.catalog.tvm_target import resolve
from mobilebench.targets.opencl.accelerator import accelerator_of
from mobilebench.targets.opencl.server import start_server
from mobilebench.targets.rpc.local_server import HOST

THREADS = 2
ROUNDS, ROUND_S, FEWEST = 5, 1.0, 2  # in each of several rounds, samples for a second, two at least


def main() -> None:
    """Print the medians of both, and their ratio, for each variant named."""
    cache = cache_directory()
    names = sys.argv[1:] or ["mobilenet_v2_0.35_96", "mobilenet_v2_1.0_224"]
    with (
        tempfile.TemporaryDirectory() as directory,
        BuildService(cache, 300) as service,
        start_server(THREADS, cache) as server,
    ):
        session = rpc.connect(HOST, server.port, server.key)
        target = find_target("opencl")
        accelerator = accelerator_of(session, target, "this machine")
        target = replace(target, limits=accelerator.limits)
        print(f"{accelerator.name}, {THREADS} threads, medians of {ROUNDS} rounds in turns\n")
        print("| variant | dlight, ms | ours, ms | dlight / ours |\n|---|---:|---:|---:|")
        for name in names:
            variant = parse_variant(name)
            exported = service.to_onnx(variant, Weights())
            theirs = Path(directory) / f"{name}-dlight.so"
            _build_with_dlight(exported.onnx_path, target, theirs)
            ours = Path(directory) / f"{name}-ours.so"
            built = service.build(exported, BuildOptions(target, THREADS)).library
            ours.write_bytes(built.read_bytes())
            sides = [_load(session, library, exported) for library in (theirs, ours)]
            dlight, own = _in_turns(sides, session.device(target.device_type))
            print(f"| {name} | {dlight:.2f} | {own:.3f} | {dlight / own:.1f} |", flush=True)


def _build_with_dlight(onnx_path: Path, target: Target, library: Path) -> None:
    module = from_onnx(onnx.load(onnx_path), keep_params_in_input=False)
    handle = tvm.target.Target(resolve(target))
    tvm.compile(module, target=handle).export_library(str(library))


def _load(session: Any, library: Path, exported: OnnxModel) -> Any:
    """Return a virtual machine with an image in it; exit if it computes something else."""
    session.upload(str(library))
    device = session.device("opencl")
    machine = vm.VirtualMachine(session.load_module(library.name), device)
    inputs, reference = exported.reference()
    machine.set_input("main", tvm.runtime.tensor(inputs[:1], device))
    machine.invoke_stateful("main")
    output = machine.get_outputs("main").numpy()
    error = compare((output,), (reference[0][:1],)).relative_l2_error
    if not error <= TOLERANCE["float32"]:
        sys.exit(f"{library.name}: relative L2 error {error:.2g} against PyTorch")
    return machine


def _in_turns(machines: list[Any], device: Any) -> list[float]:
    """Return the median times of an inference, in milliseconds."""
    counts = [int(max(FEWEST, ROUND_S / _seconds(one, device, 2)[-1])) for one in machines]
    taken: list[list[float]] = [[] for _ in machines]
    for _ in range(ROUNDS):
        for machine, count, times in zip(machines, counts, taken, strict=True):
            times.extend(_seconds(machine, device, count))
    return [1000 * statistics.median(times) for times in taken]


def _seconds(machine: Any, device: Any, samples: int) -> list[float]:
    timer = machine.time_evaluator("invoke_stateful", device, number=1, repeat=samples)
    return list(timer("main").results)


if __name__ == "__main__":
    main()
