"""How far two measurements of one library are apart, taken beside each other on this machine.

    python docs/scripts/beside_noise.py [--variant NAME] [--repeats N]

That is the noise of a confirmation: every repeat has new processes, as every night has. The scatter
of one of the two medians over the repeats is told too: what medians of different times add to it.
"""

import argparse
from pathlib import Path

import numpy as np

from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.cache import cache_directory
from mobilebench.bench.config.effort import Effort
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.latency import is_complete, round_size
from mobilebench.bench.measure.sessions import open_device
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.runtimes.runtime import Workload
from mobilebench.reports.comparison.ratio import Pair, ratios_of
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.processes.worker import Worker

LIMIT_S = 300.0


def beside(config: MeasurementConfig, workload: Workload) -> Pair:
    """Measure a library in two processes, each asleep while the other has its turn."""
    workers: list[Worker] = []
    rounds: tuple[list[list[float]], ...] = ([], [])
    expected_ms = []
    try:
        for _ in rounds:
            worker, _state = open_device(config)
            workers.append(worker)
            worker.call("load", workload, config.threads, timeout_s=LIMIT_S)
            expected_ms.append(worker.call("warm_up", config.effort.warm_up_s, timeout_s=LIMIT_S))
            worker.pause()
        samples = round_size(config.effort, min(expected_ms))
        while not all(is_complete(config.effort, side) for side in rounds):
            turn = len(rounds[1]) % 2
            for side in (turn, 1 - turn):
                workers[side].resume()
                workers[side].call("time", 1, timeout_s=LIMIT_S)  # caches and clocks again
                rounds[side].append(workers[side].call("time", samples, timeout_s=LIMIT_S))
                workers[side].pause()
    finally:
        for worker in workers:
            worker.close()
    return Pair(*rounds, beside=True)


def main() -> None:
    """Print the spread of the ratio, what its intervals say, and the medians' own spread."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--variant", default="mobilenet_v2_1.0_224")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=2.0, help="of inference, at least")
    parser.add_argument("--repeats", type=int, default=30)
    arguments = parser.parse_args()
    variant, cache = parse_variant(arguments.variant), cache_directory()
    target = find_target("native")
    effort = Effort("beside", 0.5, 50, arguments.seconds, arguments.rounds)
    with BuildService(cache, LIMIT_S) as service:
        exported = service.to_onnx(variant, Weights())
        artifact = service.build(exported, BuildOptions(target))
    library = Path(artifact.library)
    workload = Workload(variant, Weights(), exported.onnx_path, library)
    config = MeasurementConfig(target, 1, LIMIT_S, cache, effort=effort)
    found = ratios_of([beside(config, workload) for _ in range(arguments.repeats)])
    logs = np.log([one.ratio for one in found])
    widths = [np.log(one.high / one.low) / 2 for one in found]
    print(
        f"{variant.name}, {found[0].base_ms:.3f} ms, {effort.rounds} rounds, {len(found)} repeats"
    )
    print(f"ratio: standard deviation {logs.std(ddof=1):.2%}, farthest {np.abs(logs).max():.2%}")
    print(f"half of its 95 % interval: median {np.median(widths):.2%}")
    covered = np.mean([one.low <= 1 <= one.high for one in found])
    print(f"intervals with 1 in them: {covered:.0%}")
    medians = np.log([one.base_ms for one in found])
    print(f"medians from repeat to repeat: standard deviation {medians.std(ddof=1):.2%}")


if __name__ == "__main__":
    main()
