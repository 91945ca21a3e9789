"""TVM beside ONNX Runtime, both as 64-bit Arm programs in the same emulated Python.

    python docs/scripts/emulated_peer.py mobilenet_v2_0.35_96 mobilenet_v2_0.5_160

It is a ratio between two emulated programs on one thread, and says nothing of an Arm processor.
Each runs in a process of its own; rounds take turns, on the same input.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.cache import cache_directory
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.emulated.board import make_board

ONNXRUNTIME = ("onnxruntime==1.32.0", "flatbuffers", "protobuf", "packaging")
ROUNDS, SAMPLES = 7, 5

# The program of each side: after its arguments are loaded, every line it is sent is a round.
_COMMON = """
import json, sys, time
import numpy as np
path, shape, samples, packages = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
image = np.random.default_rng(0).standard_normal(shape, np.float32)
{load}
run(); run()
for _ in sys.stdin:
    times = []
    for _ in range(samples):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    print(json.dumps(times), flush=True)
"""
_TVM = """
import tvm
from tvm.runtime import vm
machine = vm.VirtualMachine(tvm.runtime.load_module(path), tvm.cpu())
machine.set_input("main", tvm.runtime.tensor(image))
run = lambda: machine.invoke_stateful("main")
"""
_ONNXRUNTIME = """
sys.path.append(packages)
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
run = lambda: session.run(None, {name: image})
"""


def main() -> None:
    """Print the medians of both, and their ratio, for each variant named."""
    cache = cache_directory()
    launcher = make_board(cache, print)
    target = find_target("emulated-arm")
    with tempfile.TemporaryDirectory() as packages, BuildService(cache, 300) as service:
        _fetch(Path(packages))
        print("variant, tvm ms, onnxruntime ms, onnxruntime / tvm")
        for name in sys.argv[1:]:
            variant = parse_variant(name)
            exported = service.to_onnx(variant, Weights())
            library = service.build(exported, BuildOptions(target)).library
            sides = [
                _start(launcher, program, path, variant.input_shape, packages)
                for program, path in ((_TVM, library), (_ONNXRUNTIME, exported.onnx_path))
            ]
            times: list[list[float]] = [[], []]
            for _ in range(ROUNDS):
                for side, taken in zip(sides, times, strict=True):
                    taken.extend(_round(side))
            for side in sides:
                side.kill()
                side.wait()
            tvm, peer = map(statistics.median, times)
            print(f"{name}, {tvm:.1f}, {peer:.1f}, {peer / tvm:.2f}")


def _fetch(packages: Path) -> None:
    tags = ["--platform=manylinux_2_28_aarch64", "--python-version=3.11", "--implementation=cp"]
    how = ["--quiet", "--no-deps", "--only-binary=:all:", *tags, f"--target={packages}"]
    subprocess.run([sys.executable, "-m", "pip", "install", *how, *ONNXRUNTIME], check=True)


def _start(
    launcher: Path, load: str, path: Path, shape: tuple[int, ...], packages: str
) -> "subprocess.Popen[str]":
    program = _COMMON.format(load=load)
    arguments = [str(path), json.dumps(shape), str(SAMPLES), packages]
    return subprocess.Popen(
        [str(launcher), "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _round(side: "subprocess.Popen[str]") -> list[float]:
    assert side.stdin and side.stdout
    side.stdin.write("\n")
    side.stdin.flush()
    times: list[float] = json.loads(side.stdout.readline())
    return times


if __name__ == "__main__":
    main()
