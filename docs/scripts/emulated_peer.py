"""TVM beside ONNX Runtime, both as 64-bit Arm programs in the same emulated Python.

    python docs/scripts/emulated_peer.py mobilenet_v2_0.35_96 mobilenet_v2_0.5_160

Their times are a ratio between two emulated programs on one thread, and say nothing of an Arm
processor. How many instructions each executes does not depend on the emulator. Each runs in a
process of its own; rounds take turns, on the same input.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.cache import cache_directory
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.emulated.counter import counter_options
from mobilebench.targets.emulated.image import make_image
from mobilebench.targets.emulated.machine import Machine, make_machine
from mobilebench.targets.emulated.qemu import cpu_of, find_qemu

ONNXRUNTIME = ("onnxruntime==1.32.0", "flatbuffers", "protobuf", "packaging")
ROUNDS, SAMPLES = 7, 5

# The program of each side: after its arguments are loaded, every line it is sent is a round.
_COMMON = """
import ctypes, json, os, struct, sys, time
import numpy as np
path, shape, samples, packages = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
image = np.random.default_rng(0).standard_normal(shape, np.float32)
{load}
run(); run()

# The emulator's plug-in writes the count of this thread into a pipe (instruction_count.h).
libc, (reader, writer) = ctypes.CDLL(None), os.pipe()
def count():
    libc.prctl(0x6D626963, writer, 0, 0, 0)
    return struct.unpack("Q", os.read(reader, 8))[0]
def counted():
    before = count()
    run()
    return count() - before
count()
print(min(counted() for _ in range(3)), flush=True)
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
    """Print the medians and instructions of both, and their ratios, for each variant named."""
    cache = cache_directory()
    target = find_target("emulated-arm")
    with tempfile.TemporaryDirectory() as scratch, BuildService(cache, 900) as service:
        image, qemu = make_image(cache, print), find_qemu()
        options = counter_options(qemu, image, cache)
        assert options, f"{qemu} takes no plug-ins; apt-get install qemu-user"
        machine = Machine(qemu, cpu_of(target, qemu), "board", options)
        launcher = make_machine(machine, image, Path(scratch) / "board")
        packages = Path(scratch) / "packages"
        _fetch(packages)
        print("variant, million instructions: tvm, onnxruntime, ratio, ms: tvm, onnxruntime, ratio")
        for name in sys.argv[1:]:
            variant = parse_variant(name)
            exported = service.to_onnx(variant, Weights())
            library = service.build(exported, BuildOptions(target)).library
            sides = [
                _start(launcher, program, path, variant.input_shape, str(packages))
                for program, path in ((_TVM, library), (_ONNXRUNTIME, exported.onnx_path))
            ]
            counts = [_answer(side) for side in sides]
            times: list[list[float]] = [[], []]
            for _ in range(ROUNDS):
                for side, taken in zip(sides, times, strict=True):
                    taken.extend(_round(side))
            for side in sides:
                side.kill()
                side.wait()
            tvm, peer = map(statistics.median, times)
            own, others = (count / 1e6 for count in counts)
            print(f"{name}, {own:.3f}, {others:.3f}, {others / own:.2f}", end=", ")
            print(f"{tvm:.1f}, {peer:.1f}, {peer / tvm:.2f}", flush=True)


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
    assert side.stdin
    side.stdin.write("\n")
    side.stdin.flush()
    times: list[float] = _answer(side)
    return times


def _answer(side: "subprocess.Popen[str]") -> Any:
    assert side.stdout
    return json.loads(side.stdout.readline())


if __name__ == "__main__":
    main()
