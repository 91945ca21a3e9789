"""How soon a change of latency is found in simulated histories, and how often one that is none.

    python docs/scripts/detection.py

500 histories of 60 nights. The median of each night scatters by 3 %; two libraries measured beside
each other, by 1 %. Prints the table of docs/evidence/regression-detection.md; takes minutes.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mobilebench.reports.history.change_points import find_changes
from mobilebench.reports.history.history import find_suspects, judge, second_pairs
from mobilebench.reports.history.outcomes import Key, Outcome
from mobilebench.reports.history.suspects import LibraryPair
from mobilebench.reports.history.timeline import LATENCY, Timeline
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.store import Run

Array = npt.NDArray[np.float64]
NIGHTS, FIRST, LAST = 60, 20, 52  # a step is in one of the nights from FIRST to LAST
SCATTER, BESIDE = 0.03, 0.01
NEVER = 10_000
FOUND = (1, 2, 3, 7)


@dataclass(frozen=True)
class Histories:
    """Logarithms, histories x nights: of what the libraries take, and what the nights add to it."""

    code: Array
    nights: Array
    steps: npt.NDArray[np.intp]  # the night of each history's step; NEVER if there is none


@dataclass(frozen=True)
class Result:
    """What became of histories: when a step was first called, and what it cost."""

    called: npt.NDArray[np.intp]  # a history each; NEVER if none was
    alarms: float  # share of the nights without a step of their own in which one was called
    measured_again: float  # share of those nights in which a library was


def simulate(
    kind: str,
    size: float,
    count: int,
    seed: int,
    scatter: float = SCATTER,
    steps_in: tuple[int, int] = (FIRST, LAST),
) -> Histories:
    """Make histories with a step, a drift (a night), or an outlier of a size; or with none."""
    generator = np.random.default_rng(seed)
    nights = generator.normal(0, scatter, (count, NIGHTS))
    code = np.zeros_like(nights)
    steps = np.full(count, NEVER)
    at = generator.integers(steps_in[0], steps_in[1] + 1, count)
    if kind == "step":
        steps = at
        code += np.where(np.arange(NIGHTS) >= at[:, None], np.log1p(size), 0)
    elif kind == "drift":
        code += np.log1p(size) * np.arange(NIGHTS)
    elif kind == "drift of the machine":
        nights += np.log1p(size) * np.arange(NIGHTS)
    elif kind == "outlier":
        nights[np.arange(count), at] += np.log1p(size)
    elif kind == "step of the machine":
        nights += np.where(np.arange(NIGHTS) >= at[:, None], np.log1p(size), 0)
    return Histories(code, nights, steps)


def with_measuring(histories: Histories, beside: float = BESIDE, seed: int = 1) -> Result:
    """Go through the nights as the nightly job does; a step is called by `judge`."""
    generator = np.random.default_rng(seed)
    timeline = timeline_of(histories)
    numbers = {cell: number for number, cell in enumerate(timeline.cells)}
    order = {run.run_id: night for night, run in enumerate(timeline.nights)}
    outcomes: dict[Key, Outcome] = {}
    called: list[tuple[int, int]] = []
    again = 0

    def measure(pairs: Sequence[LibraryPair]) -> None:
        for pair in pairs:
            code = histories.code[numbers[pair.cell]]
            change = code[order[pair.head.run_id]] - code[order[pair.bases[0].run_id]]
            found = change + generator.normal(0, beside)
            ends = np.exp([found, found - 1.96 * beside, found + 1.96 * beside])
            outcomes[pair.head.run_id, pair.cell] = Outcome(pair.bases[0].run_id, *ends)

    for night in range(NIGHTS):
        suspects = find_suspects(timeline.until(night), outcomes)
        pairs = [suspect.pair for suspect in suspects if suspect.pair]
        again += sum(night < histories.steps[numbers[pair.cell]] for pair in pairs)
        measure(pairs)
        measure(second_pairs(suspects, outcomes))
        called += [
            (numbers[finding.cell], night)
            for finding in judge(suspects, outcomes)
            if finding.kind == "regression"
        ]
    return _result(histories, called, again)


def by_medians(histories: Histories, penalty: float) -> Result:
    """Look at the nights' medians alone; a step is called when it is found in the newest week."""
    called: list[tuple[int, int]] = []
    told = np.full((len(histories.code), 1), -NEVER)
    values = np.exp(histories.code + histories.nights)
    for night in range(8, NIGHTS):
        for number, changes in enumerate(find_changes(values[:, : night + 1], penalty=penalty)):
            new = [s.night for s in changes.steps if s.ratio > 1 and s.night > max(night - 7, 7)]
            if new and new[-1] > told[number] + 7:
                called.append((number, night))
                told[number] = new[-1]
    return _result(histories, called, 0)


def timeline_of(histories: Histories) -> Timeline:
    """Return the histories as nights of cells; every night has another library."""
    count, nights = histories.code.shape
    runs = tuple(Run(f"night-{night:02}", f"{night:02}", {}) for night in range(nights))
    cells = tuple(
        CellKey("native", "board", 1, "float32", "latency", f"variant-{number}", "random", "tvm")
        for number in range(count)
    )
    cell, night = np.divmod(np.arange(count * nights), nights)
    median = 3 * np.exp(histories.code + histories.nights).ravel()
    rows = pd.DataFrame(
        {
            "cell": cell,
            "night": night,
            "status": "ok",
            "emulated": False,
            "artifact_key": [f"{c}-{n}" for c, n in zip(cell, night, strict=True)],
            LATENCY: median,
            "latency_ci95_low_ms": 0.995 * median,
            "latency_ci95_high_ms": 1.005 * median,
            "calibration_before_ms": np.nan,
            "calibration_after_ms": np.nan,
        }
    ).sort_values("night", kind="stable")
    return Timeline(runs, cells, rows)


def _result(histories: Histories, called: Sequence[tuple[int, int]], again: int) -> Result:
    first = np.full(len(histories.code), NEVER)
    false = 0
    for number, night in called:
        if night < histories.steps[number]:
            false += 1
        else:
            first[number] = min(first[number], night)
    quiet = int(np.minimum(histories.steps, NIGHTS).sum())
    return Result(first, false / quiet, again / quiet)


def within(histories: Histories, result: Result, nights: int) -> float:
    """Return the share of steps that were called within so many nights, the step's own counted."""
    return float(np.mean(result.called < histories.steps + nights))


SCENARIOS = (
    ("nothing", "none", 0.0),
    ("step of 3 %", "step", 0.03),
    ("step of 5 %", "step", 0.05),
    ("step of 7 %", "step", 0.07),
    ("step of 10 %", "step", 0.10),
    ("drift of 0.1 % a night", "drift", 0.001),
    ("the machine drifts by 0.1 % a night", "drift of the machine", 0.001),
    ("one night of +20 %", "outlier", 0.20),
    ("the machine steps by 7 %", "step of the machine", 0.07),
)


OTHERWISE: tuple[tuple[str, float, float, tuple[int, int]], ...] = (
    ("nights scatter by 1 %", 0.01, BESIDE, (FIRST, LAST)),
    ("nights scatter by 2 %", 0.02, BESIDE, (FIRST, LAST)),
    ("nights scatter by 3 %", SCATTER, BESIDE, (FIRST, LAST)),
    ("nights scatter by 4 %", 0.04, BESIDE, (FIRST, LAST)),
    ("beside each other by 0.5 %", SCATTER, 0.005, (FIRST, LAST)),
    ("beside each other by 1.5 %", SCATTER, 0.015, (FIRST, LAST)),
    ("beside each other by 2 %", SCATTER, 0.02, (FIRST, LAST)),
    ("in the nights 8 to 20", SCATTER, BESIDE, (7, 19)),
)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--histories", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    count, seed = arguments.histories, arguments.seed
    detectors: dict[str, Callable[[Histories], Result]] = {
        "measured again": with_measuring,
        "medians, penalty 8": lambda one: by_medians(one, 8),
        "medians, penalty 16": lambda one: by_medians(one, 16),
    }
    _print_head("history", "detector")
    for title, kind, size in SCENARIOS:
        histories = simulate(kind, size, count, seed)
        for name, detector in detectors.items():
            _print_row((title, name), histories, detector(histories))
    print()
    _print_head("step of 7 %")
    for title, scatter, beside, steps_in in OTHERWISE:
        histories = simulate("step", 0.07, count, seed, scatter, steps_in)
        _print_row((title,), histories, with_measuring(histories, beside))


def _print_head(*names: str) -> None:
    heads = [*names, *(f"{n} nights" for n in FOUND), "false", "again"]
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(names) + "---:|" * (len(FOUND) + 2))


def _print_row(names: Sequence[str], histories: Histories, result: Result) -> None:
    found = ["-"] * len(FOUND)
    if (histories.steps < NEVER).all():
        found = [f"{within(histories, result, n):.1%}" for n in FOUND]
    again = f"{result.measured_again:.1%}" if result.measured_again else "-"
    print("| " + " | ".join([*names, *found, f"{result.alarms:.3%}", again]) + " |", flush=True)


if __name__ == "__main__":
    main()
