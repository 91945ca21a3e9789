"""What loading a library takes on this machine, and an inference, of several libraries in turns.

    python docs/scripts/loading.py [--different] VARIANT LIBRARY...

The libraries are of the same variant, for this machine, with their weights inside, such as those of
`mobilebench export --params-storage embedded` at two commits; the manifest beside a library tells
whether it takes pixels. Each is loaded anew in every round, from a copy of its own, as the dynamic
linker does not load a file twice; files are in memory by then. All must compute the same, bit by
bit, unless they are said to be `--different`, such as those of one network at two precisions.
"""

import argparse
import os
import shutil
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ["TVM_USE_RUNTIME_LIB"] = "1"  # before TVM is imported: leave the compiler alone
import numpy as np
import tvm
from tvm.runtime import vm

from mobilebench.bench.bundle.manifest import MANIFEST, read_manifest
from mobilebench.bench.models.input_type import FLOATS, PIXELS, input_shape
from mobilebench.bench.models.variant import Variant, parse_variant

INFERENCES = 50


def milliseconds(work: Callable[[], object]) -> float:
    """Return how long it takes."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def input_of(library: Path, variant: Variant) -> Any:
    """Return noise as a library takes it: pixels if the manifest beside it says so, else floats."""
    manifest, generator = library.with_name(MANIFEST), np.random.default_rng(0)
    kind = read_manifest(manifest).inputs[0].dtype if manifest.exists() else FLOATS
    shape = input_shape(variant, kind)
    if kind == PIXELS:
        return tvm.runtime.tensor(generator.integers(0, 256, shape, np.uint8))
    return tvm.runtime.tensor(generator.standard_normal(shape, np.float32))


def main() -> None:
    """Print both for each library: the medians over rounds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("variant", type=parse_variant)
    parser.add_argument("libraries", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--different", action="store_true", help="outputs may differ")
    arguments = parser.parse_args()
    images = {one: input_of(one, arguments.variant) for one in arguments.libraries}
    loads: dict[Path, list[float]] = {one: [] for one in arguments.libraries}
    inferences: dict[Path, list[float]] = {one: [] for one in arguments.libraries}
    outputs = set()
    with TemporaryDirectory() as directory:
        for turn in range(arguments.rounds):
            for number, library in enumerate(arguments.libraries):
                copy = shutil.copyfile(library, Path(directory) / f"{turn}-{number}.so")
                machines: list[vm.VirtualMachine] = []

                def load(copy: Path = copy, machines: list[vm.VirtualMachine] = machines) -> None:
                    module = tvm.runtime.load_module(str(copy))
                    machines.append(vm.VirtualMachine(module, tvm.cpu()))

                loads[library].append(milliseconds(load))
                copy.unlink()
                main, image = machines[0]["main"], images[library]
                outputs.add(main(image).numpy().tobytes())
                taken = [milliseconds(partial(main, image)) for _ in range(INFERENCES)]
                inferences[library].append(statistics.median(taken))
    if len(outputs) > 1 and not arguments.different:
        raise SystemExit("the libraries do not compute the same")
    for library in arguments.libraries:
        load_ms, inference_ms = map(statistics.median, (loads[library], inferences[library]))
        print(f"{library}: load {load_ms:.2f} ms, inference {inference_ms:.3f} ms")


if __name__ == "__main__":
    main()
