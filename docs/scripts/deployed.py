"""What a bundle takes on this machine without the suite: each inference, and the first.

    python docs/scripts/deployed.py BUNDLE PROGRAM [--onnx MODEL --picture FILE]

PROGRAM is the bundle's C++ program, built. Its inferences are timed beside the suite's own, in
turns, and both are told with the ratio of medians. Then cold starts: whole processes, from their
start to their end, that show a picture to the network and print what it is; the bundle's program,
its run.py, and ONNX Runtime on the same network, in turns too.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from mobilebench.bench.bundle.bundle import Bundle, open_bundle
from mobilebench.bench.cache import cache_directory
from mobilebench.bench.config.effort import EFFORTS
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.inference import workload_of
from mobilebench.bench.measure.sessions import open_device
from mobilebench.reports.comparison.ratio import Pair, ratios_of

LIMIT_S = 300.0
SAMPLES = 60  # a round
# As run.py does it, with ONNX Runtime: one thread, the centre of the picture, five classes.
ONNXRUNTIME = """
import json, sys
import numpy as np
import onnxruntime
from PIL import Image

onnx, picture, threads, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
image = Image.open(picture).convert("RGB")
left, top = (image.width - wanted["width"]) // 2, (image.height - wanted["height"]) // 2
image = image.crop((left, top, left + wanted["width"], top + wanted["height"]))
mean, std = (np.array(wanted[key], np.float32) for key in ("mean", "std"))
pixels = ((np.asarray(image, np.float32) / 255 - mean) / std).transpose(2, 0, 1)[None]
(logits,) = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(pixels)})[0]
shares = np.exp(logits - logits.max())
shares /= shares.sum()
for index in np.argsort(-shares)[:5]:
    print(f"{shares[index]:6.2%} {index}")
"""


def beside_the_suite(bundle: Bundle, program: Path, rounds: int) -> Pair:
    """Time the suite's session and the C++ program in turns; each is asleep or gone meanwhile."""
    config = MeasurementConfig(bundle.target, bundle.manifest.threads, LIMIT_S, cache_directory())
    workload = workload_of(bundle.variant, bundle.artifact)
    suite: list[list[float]] = []
    alone: list[list[float]] = []
    device, _ = open_device(config)
    with device, TemporaryDirectory() as directory:
        file = Path(directory) / "samples"
        device.call("load", workload, config.threads, timeout_s=LIMIT_S)
        device.call("warm_up", EFFORTS["quick"].warm_up_s, timeout_s=LIMIT_S)
        how = [program, bundle.directory, "--bench", SAMPLES, "--samples", file]
        for turn in range(rounds):
            for side in (turn % 2, 1 - turn % 2):
                if side:
                    subprocess.run(list(map(str, how)), check=True, stdout=subprocess.DEVNULL)
                    alone.append([float(line) for line in file.read_text().split()])
                else:
                    device.resume()
                    device.call("warm_up", 0.5, timeout_s=LIMIT_S)  # as the program warms up
                    suite.append(device.call("time", SAMPLES, timeout_s=LIMIT_S))
                    device.pause()
    return Pair(suite, alone, beside=True)


def cold_starts(commands: dict[str, list[str]], rounds: int) -> dict[str, list[float]]:
    """Return how many milliseconds each process took, in turns; files are in memory by then."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if turn:
                taken[name].append(1000 * (time.perf_counter() - start))
    return taken


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle", type=Path)
    parser.add_argument("program", type=Path)
    parser.add_argument("--onnx", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    bundle = open_bundle(arguments.bundle)
    (ratio,) = ratios_of([beside_the_suite(bundle, arguments.program, arguments.rounds)])
    print(
        f"{bundle.variant.name}: suite {ratio.base_ms:.3f} ms, C++ {ratio.head_ms:.3f} ms, ratio "
        f"{ratio.ratio:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"
    )
    if not (arguments.onnx and arguments.picture):
        return
    with TemporaryDirectory() as directory:
        pixels = Path(directory) / "picture.ppm"
        with Image.open(arguments.picture) as picture:
            picture.convert("RGB").save(pixels)
        wanted = json.dumps(asdict(bundle.manifest.preprocessing))
        threads = str(bundle.manifest.threads)
        onnx = [str(arguments.onnx), str(arguments.picture), threads, wanted]
        found = cold_starts(
            {
                "C++": [str(arguments.program), str(bundle.directory), str(pixels)],
                "run.py": [
                    sys.executable,
                    str(bundle.directory / "run.py"),
                    str(arguments.picture),
                ],
                "onnxruntime": [sys.executable, "-c", ONNXRUNTIME, *onnx],
            },
            arguments.rounds,
        )
    for name, taken in found.items():
        print(f"cold start, {name}: median {statistics.median(taken):.0f} ms, min {min(taken):.0f}")


if __name__ == "__main__":
    main()
