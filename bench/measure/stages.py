"""How long the stages from an image file to an answer take, in a process of this machine."""

import importlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from math import ceil
from pathlib import Path

from mobilebench.bench.accuracy.stages import Frame, Stage, stages_of
from mobilebench.bench.runtimes.in_process import InProcessRuntime
from mobilebench.bench.runtimes.runtime import RUNTIMES, TVM, Workload
from mobilebench.targets.processes.worker import WITHOUT_TORCH, Worker

APART_PERCENT = 3.0
"""How far the sum of all stages may be from the whole, timed as one."""
REPETITIONS = 50
_TVM_HERE = "mobilebench.bench.runtimes.tvm_here:TvmHere"
_MOST_AGAIN = 5  # times as often stages are timed until they agree
_WARM_UP_S = 0.2
_LONG_S = 60.0  # after which nothing is timed again

Repetitions = Sequence[Sequence[float]]


@dataclass(frozen=True)
class StageTimes:
    """Milliseconds of each stage, by name, and of all of them timed as one beside them."""

    stages_ms: Mapping[str, float]
    whole_ms: float
    images: int

    @property
    def sum_ms(self) -> float:
        """All stages together."""
        return sum(self.stages_ms.values())

    @property
    def apart_percent(self) -> float:
        """How far the sum is from the whole."""
        return 100 * abs(self.sum_ms - self.whole_ms) / self.whole_ms

    @property
    def doubt(self) -> str:
        """A warning if the stages do not add up to the whole; empty if they do."""
        if self.apart_percent <= APART_PERCENT:
            return ""
        return (
            f"stages: they add up to {self.sum_ms:.3g} ms, and all of them timed as one take "
            f"{self.whole_ms:.3g} ms"
        )


def time_stages(
    runtime: str,
    workload: Workload,
    threads: int,
    files: Sequence[Path],
    timeout_s: float,
) -> StageTimes:
    """Return the times of a runtime's stages, measured in a new process.

    Raises what a worker raises.
    """
    blocked = WITHOUT_TORCH if runtime == TVM else ()
    with Worker(__name__, blocked_modules=blocked) as process:
        found: StageTimes = process.call(
            "time_here", runtime, workload, threads, files, timeout_s=timeout_s
        )
        return found


def time_here(runtime: str, workload: Workload, threads: int, files: Sequence[Path]) -> StageTimes:
    """Return the same, measured in this process."""
    factory = _TVM_HERE if runtime == TVM else RUNTIMES[runtime].factory
    module, _, name = factory.partition(":")
    loaded: InProcessRuntime = getattr(importlib.import_module(module), name)()
    loaded.load(workload, threads)
    loaded.warm_up(_WARM_UP_S)
    stages = stages_of(workload.variant, workload.preprocessing, loaded.infer)
    return in_turns(stages, files, REPETITIONS)


def in_turns(
    stages: Mapping[str, Stage],
    files: Sequence[Path],
    repetitions: int,
    clock: Callable[[], float] = time.perf_counter,
) -> StageTimes:
    """Time stages one by one and all as one, in turns, on one image after the other.

    They are timed again, up to five times as often but for no more than a minute, until their sum
    is as near to the whole as `APART_PERCENT`.
    """
    steps = list(stages.values())
    for file in files:  # once before: what is loaded late is loaded, files are in the file cache
        _run(Frame(file), steps)
    apart: list[list[float]] = []
    whole: list[list[float]] = []
    found, begun = None, clock()
    both = 2 * len(files)  # each image once in either order: what comes first finds other caches
    repetitions = both * ceil(repetitions / both)
    for number, file in enumerate(islice(cycle(files), _MOST_AGAIN * repetitions)):
        first = number // len(files) % 2
        for alone in (first, 1 - first):
            frame = Frame(file)
            if alone:
                apart.append([_timed(frame, [step], clock) for step in steps])
            else:
                whole.append([_timed(frame, steps, clock)])
        if (number + 1) % repetitions == 0:
            found = summed(list(stages), apart, whole, len(files))
            if not found.doubt or clock() - begun > _LONG_S:
                break
    assert found
    return found


def summed(names: Sequence[str], apart: Repetitions, whole: Repetitions, images: int) -> StageTimes:
    """Return what is told of repetitions: of each stage apart, and of the whole."""
    stages_ms = dict(zip(names, middle(apart), strict=True))
    (whole_ms,) = middle(whole)
    return StageTimes(stages_ms, whole_ms, images)


def middle(repetitions: Repetitions) -> list[float]:
    """Return the mean of each stage over the middle half of repetitions, ranked by their sums.

    As robust as a median, and what it says of stages adds up to what it says of their sum.
    """
    ranked = sorted(repetitions, key=sum)
    kept = ranked[len(ranked) // 4 : len(ranked) - len(ranked) // 4]
    return [sum(taken) / len(kept) for taken in zip(*kept, strict=True)]


def _run(frame: Frame, steps: Iterable[Stage]) -> None:
    for step in steps:
        step(frame)


def _timed(frame: Frame, steps: Iterable[Stage], clock: Callable[[], float]) -> float:
    start = clock()
    _run(frame, steps)
    return 1000 * (clock() - start)
