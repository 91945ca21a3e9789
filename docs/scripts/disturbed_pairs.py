"""How often `compare` is wrong where other programs come and go.

    python docs/scripts/disturbed_pairs.py OUT [--part identical|slower] [--pairs N] [--seed N]

Each pair is two quick runs of TVM on this machine, compared as `compare` and as `compare --confirm`
do, while busy processes start and stop at random moments. The library of the second run is another
file than that of the first: with code of the same speed (`identical`), or with a chain of integer
operations before each inference (`slower`), as long as `--slower` says. Their common part is linked
anew for both, with another source of what hands the network its weights.

OUT keeps the libraries' names, the store and a line for each pair; a second call goes on where the
first one stopped. Neither is the machine's clock capped, nor is a quota of CPU time set.
"""

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import random
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from mobilebench.bench.build.artifact import ARTIFACTS, Artifact, build_artifact, read_artifact
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.cache import cache_directory
from mobilebench.bench.cli.compare import compare_command
from mobilebench.bench.cli.resume import suite_to_keep
from mobilebench.bench.clock import utc_now
from mobilebench.bench.config.commands import CompareOptions
from mobilebench.bench.config.suite import make_suite
from mobilebench.bench.measure.cell import CellInputs, measure_cell
from mobilebench.bench.measure.inference import workload_of
from mobilebench.bench.measure.planned_cell import PlannedCell
from mobilebench.bench.measure.preparation import Prepared
from mobilebench.bench.measure.record_builder import make_record
from mobilebench.bench.measure.run_context import RunContext
from mobilebench.bench.models.outputs import Reference
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.regression.remeasure import remeasure_in
from mobilebench.bench.runtimes.runtime import TVM
from mobilebench.reports.comparison.ratio import Ratio, ratio_of
from mobilebench.reports.history.suspects import Library, LibraryPair
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.record import Record
from mobilebench.reports.records.store import Run, Store
from mobilebench.schedules.native import native_code
from mobilebench.targets.catalog.target import find_target

LIMIT_S = 300.0
KERNEL_STEPS = 100_000  # of the calibration kernel of arithmetic, whose chain this is
WEIGHTS_SOURCE = "params.cc"
ENTRY = "void*, const TVMFFIAny*, int32_t, TVMFFIAny* result) {\n  *result = TVMFFIAny{};\n"
DELAY = """  static volatile uint64_t sink;
  uint64_t state = sink + 88172645463325252ull;
  for (int step = 0; step < {steps}; ++step) {{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
  }}
  sink = state;
"""


class Bench:
    """Two libraries of one network, and runs that measure one of them."""

    def __init__(self, out: Path, variant: str) -> None:
        """Take up what an earlier call has left in OUT."""
        self.store = f"sqlite:///{out / 'store.sqlite'}"
        self._cache = cache_directory()
        self._suite = make_suite({"variant": (variant,), "runtime": (TVM,)})
        self._out, self._variant = out, parse_variant(variant)
        with BuildService(self._cache, LIMIT_S) as service:
            self._exported = service.to_onnx(self._variant, Weights())

    def library(self, steps: int) -> Artifact:
        """Return the network's library with so many steps before each inference."""
        context = self._context("none")
        options = context.build_options(self._cell())
        with TemporaryDirectory() as scratch:
            sources = Path(scratch) / "native"
            shutil.copytree(native_code._SOURCES, sources)
            source = (sources / WEIGHTS_SOURCE).read_text()
            assert ENTRY in source
            changed = source.replace(ENTRY, ENTRY + DELAY.format(steps=steps))
            (sources / WEIGHTS_SOURCE).write_text(changed)
            kept, native_code._SOURCES = native_code._SOURCES, sources
            try:
                built = build_artifact(self._exported, options, Path(scratch))
            finally:
                native_code._SOURCES = kept
            directory = self._cache / ARTIFACTS / f"{built.key}-{steps}-steps"
            if not directory.exists():
                shutil.copytree(built.directory, directory)
        return read_artifact(directory)

    def run(self, name: str, artifact: Artifact) -> Record:
        """Measure a library as a run of `mobilebench run` does, and keep its row."""
        context = self._context(name)
        reference = Reference(*self._exported.reference())
        prepared = Prepared(self._cell(), self._exported, reference, artifact)
        config = context.measurement_config(self._cell().target, 1)
        inputs = CellInputs((TVM,), workload_of(self._variant, artifact), reference)
        result = measure_cell(config, inputs)
        (attempt,) = result.attempts
        record = make_record(context, prepared, attempt, result)
        with Store(self.store) as store:
            store.begin_run(context.run)
            store.add(record, attempt.rounds_ms, calibrations=attempt.calibrations)
        return record

    def arithmetic_ms(self, record: Record) -> float:
        """Return how long the calibration kernel of arithmetic took around a row's rounds."""
        with Store(self.store) as store:
            (found,) = store.calibrations([record.run_id]).values()
        return median(one.arithmetic_ms for one in found)

    def in_turns(self, base: Record, head: Record) -> Ratio:
        """Return how many times as long HEAD's library takes, measured beside BASE's."""
        one, other = (Library(record.run_id, record.artifact_key) for record in (base, head))
        pair = LibraryPair(CellKey.of(head), (one,), other)
        found = remeasure_in(self._context(head.run_id), pair)
        return ratio_of(found.base_rounds_ms, found.head_rounds_ms, beside=True)

    def compare(self, base: str, head: str, confirm: bool) -> tuple[int, str]:
        """Return the exit code and the verdict of the one cell."""
        options = CompareOptions(
            base=base, head=head, confirm=confirm, store=self.store, format="json"
        )
        told = io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(io.StringIO()):
            code = compare_command(options)
        (cell,) = json.loads(told.getvalue())["cells"]
        return code, cell["verdict"]

    def _context(self, name: str) -> RunContext:
        kept = suite_to_keep(self._suite, self._out)
        return RunContext(Run(name, utc_now(), kept), self._suite, (), self._cache)

    def _cell(self) -> PlannedCell:
        return PlannedCell(self._variant, find_target("native"), 1, "float32", Weights(), (TVM,))


def keep_busy(parent: int, megabytes: int) -> None:
    """Compute, or write to so much memory, until the parent has gone."""
    block = bytearray(megabytes * 2**20)
    while os.getppid() == parent:
        if megabytes:
            block = bytearray(block)
        else:
            sum(range(100_000))


@contextlib.contextmanager
def disturbed(generator: random.Random, seconds: float) -> Iterator[None]:
    """Start and stop busy processes at random moments, about so many seconds apart."""
    over = threading.Event()
    spawn = multiprocessing.get_context("spawn")

    def come_and_go() -> None:
        while not over.wait(generator.expovariate(1 / seconds)):
            sizes = [generator.choice((0, 64)) for _ in range(generator.randint(1, 3))]
            busy = [spawn.Process(target=keep_busy, args=(os.getpid(), size)) for size in sizes]
            for process in busy:
                process.start()
            over.wait(generator.expovariate(1 / seconds))
            for process in busy:
                process.kill()
                process.join()

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def unflagged(records: Sequence[Record]) -> str:
    """Say how far apart the medians of rows without a warning are."""
    steady = [one.latency_p50_ms for one in records if one.latency_p50_ms and not one.warnings]
    apart = f"{max(steady) / min(steady) - 1:.1%}" if steady else "-"
    return f"{len(steady)} of {len(records)} rows have no warning; these are up to {apart} apart"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return what earlier calls have noted."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def libraries(bench: Bench, out: Path, part: str, slower: float) -> tuple[Artifact, Artifact]:
    """Return the libraries of BASE and of HEAD; their speeds are measured once, undisturbed."""
    noted, same = out / f"{part}.libraries.json", bench.library(0)
    if not noted.exists():
        first = bench.run(f"{part}-alone-base", same)
        assert first.latency_p50_ms
        share = slower * first.latency_p50_ms / bench.arithmetic_ms(first)
        steps, ratio = 1 if part == "identical" else round(KERNEL_STEPS * share), None
        for tried in range(2 if part == "slower" else 1):
            if ratio:  # the chain is not quite as fast in the midst of a network
                steps = round(steps * slower / max(ratio.ratio - 1, slower / 4))
            second = bench.run(f"{part}-alone-head-{tried}", bench.library(steps))
            ratio = bench.in_turns(first, second)
        assert ratio
        alone = f"{ratio.ratio:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"
        noted.write_text(json.dumps({"steps": steps, "in_turns": alone}))
    found = json.loads(noted.read_text())
    print(f"HEAD has {found['steps']} steps; in turns, undisturbed: {found['in_turns']}")
    return same, bench.library(found["steps"])


def main() -> None:
    """Print the tally after every pair."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--part", choices=("identical", "slower"), default="identical")
    parser.add_argument("--variant", default="mobilenet_v2_0.35_96")
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--slower", type=float, default=0.07, help="of HEAD's library, a share")
    parser.add_argument("--seconds", type=float, default=4.0, help="that load comes or goes for")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    out, part = arguments.out.absolute(), arguments.part
    out.mkdir(parents=True, exist_ok=True)
    bench, noted = Bench(out, arguments.variant), out / f"{part}.jsonl"
    sides = libraries(bench, out, part, arguments.slower)
    for number in range(len(read_lines(noted)), arguments.pairs):
        began = time.monotonic()
        generator = random.Random(f"{arguments.seed} {number}")
        names = [f"{part}-{number}-{side}-{os.getpid()}" for side in ("base", "head")]
        with disturbed(generator, arguments.seconds):
            for name, artifact in zip(names, sides, strict=True):
                time.sleep(generator.uniform(0, arguments.seconds))
                bench.run(name, artifact)
            plain, confirmed = (bench.compare(*names, confirm=one) for one in (False, True))
        line = {"runs": names, "plain": plain, "confirmed": confirmed}
        with noted.open("a") as file:
            file.write(json.dumps(line) + "\n")
        tell(bench, part, read_lines(noted), time.monotonic() - began)


def tell(bench: Bench, part: str, pairs: list[dict[str, Any]], seconds: float) -> None:
    """Print how many pairs exited with 1, and what the rows say of themselves."""
    plain, confirmed = (sum(pair[how][0] for pair in pairs) for how in ("plain", "confirmed"))
    with Store(bench.store) as store:
        records = store.records([name for pair in pairs for name in pair["runs"]])
    print(
        f"{part}: of {len(pairs)} pairs {plain} exit with 1, and {confirmed} with --confirm "
        f"(the last: {pairs[-1]['plain'][1]}, {pairs[-1]['confirmed'][1]}, {seconds:.0f} s); "
        + unflagged(records),
        flush=True,
    )


if __name__ == "__main__":
    main()
