"""Hold predicted cycles against measured ones, kernel by kernel, on this machine's x86-64 CPU.

    python docs/scripts/predicted_and_measured.py CPU VARIANT[,VARIANT...] [PRECISION,...]

CPU is LLVM's name of this machine's processor, such as znver4. Measured cycles are microseconds of
`run --kernels` on one thread, times the frequency: as many as additions, each of the last one's
sum, are done in a second, before and after. The machine must be quiet, and its frequency steady.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import product
from math import exp, log
from pathlib import Path
from typing import Any

from scipy.stats import spearmanr

from mobilebench.reports.records.store import Store
from mobilebench.reports.tables.kernels_table import gather_kernels
from mobilebench.targets.toolchains.toolchain import HOST, find_toolchain

TARGET = "x86-64-v3"
CHAIN = """
#include <time.h>
extern "C" double additions_per_second() {
  double best = 0;
  for (int turn = 0; turn < 50; ++turn) {
    timespec begin, end;
    long sum = 0;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int piece = 0; piece < 10000; ++piece) {
      asm volatile(".rept 100; add $1, %0; .endr" : "+r"(sum));
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double took = end.tv_sec - begin.tv_sec + 1e-9 * (end.tv_nsec - begin.tv_nsec);
    if (1e6 / took > best) best = 1e6 / took;
  }
  return best;
}
"""


def main(cpu: str, variants: Sequence[str], precisions: Sequence[str]) -> None:
    """Print a table for each network and precision."""
    with tempfile.TemporaryDirectory() as scratch:
        for variant, precision in product(variants, precisions):
            _compare(cpu, variant, precision, Path(scratch))


def _compare(cpu: str, variant: str, precision: str, scratch: Path) -> None:
    what = ("--variant", variant, "--target", TARGET, "--precision", precision)
    told = _mobilebench("predict", *what, "--cpu", cpu, "--format", "json")
    prediction: dict[str, Any] = json.loads(told)
    before = _frequency(scratch)
    store = f"{scratch / variant}-{precision}.sqlite"
    report = ("--store", store, "--out", f"{scratch / variant}-{precision}")
    _mobilebench("run", *what, "--runtime", "tvm", "--threads", "1", "--kernels", *report)
    after = _frequency(scratch)
    with Store(store, create=False) as kept:
        rows = gather_kernels(kept, [kept.find_run("latest").run_id])
    took = dict(zip(rows["kernel_name"], rows["kernel_microseconds"], strict=True))
    hertz = (before + after) / 2
    families: dict[str, list[tuple[float, float]]] = {}
    for kernel in prediction["kernels"]:
        pair = kernel["cycles"], took[kernel["name"]] * 1e-6 * hertz
        families.setdefault(kernel["name"].split()[0], []).append(pair)
    pairs = [pair for group in families.values() for pair in group]
    print(f"\n{variant}, {precision}; {cpu} of LLVM {prediction['llvm_version']}; ", end="")
    print(f"{before / 1e9:.2f} and {after / 1e9:.2f} GHz\n")
    print("| kernels | predicted, kcycles | measured, kcycles | ratio | of one kernel, from, to |")
    print("|---|---:|---:|---:|---|")
    for family, group in [*families.items(), ("all", pairs)]:
        predicted, measured = (sum(column) / 1e3 for column in zip(*group, strict=True))
        ratios = [one / other for other, one in group]
        spread = f"{min(ratios):.2f}, {max(ratios):.2f}"
        ratio = measured / predicted
        print(f"| {family} | {predicted:.1f} | {measured:.1f} | {ratio:.2f} | {spread} |")
    ratios = [one / other for other, one in pairs]
    middle = exp(sum(map(log, ratios)) / len(ratios))
    order = spearmanr(*zip(*pairs, strict=True)).statistic
    print(f"\nKernels' geometric mean {middle:.2f}, Spearman's rank correlation {order:.3f}")


def _mobilebench(*arguments: str) -> str:
    command = [sys.executable, "-c", "from mobilebench.bench.cli.app import main; main()"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def _frequency(scratch: Path) -> float:
    """Return how many dependent additions a second are done: the frequency in hertz."""
    source, library = scratch / "chain.cc", scratch / "chain.so"
    source.write_text(CHAIN)
    find_toolchain(HOST).compile_shared(library, source, [])
    code = (
        "import ctypes, sys; f = ctypes.CDLL(sys.argv[1]).additions_per_second; "
        "f.restype = ctypes.c_double; print(f())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(library)], capture_output=True, text=True, check=True
    )
    return float(told.stdout)


if __name__ == "__main__":
    name, networks, *given = sys.argv[1:]
    main(name, networks.split(","), (given or ["float32,int8"])[0].split(","))
