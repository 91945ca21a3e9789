"""How often `mobilebench compare` is wrong, on made-up runs whose truth is known.

    python docs/scripts/compare_error_rates.py

Rounds differ by normal noise, samples within them by the absolute value of normal noise of 2 %:
they are late more often than early. The table is in docs/evidence/comparison-errors.md.
"""

from collections.abc import Sequence

import numpy as np

from mobilebench.reports.comparison.compare import adjust, speed_verdict
from mobilebench.reports.comparison.ratio import Pair, Ratio, ratios_of

UNCHANGED, SLOWER = 50_000, 500  # cells
AT_ONCE = 2000
PROFILES = {"quick": (5, 30), "standard": (10, 30)}  # rounds, samples of each
THRESHOLD_PERCENT = 5
NO_THRESHOLD = 0.001


def main() -> None:
    """Print a row for each profile, noise and number of cells."""
    print("| profile | rounds differ by | cells | false alarm | at any size | 7 % | 10 % |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    generator = np.random.default_rng(0)
    for effort, (rounds, samples) in PROFILES.items():
        for noise in (0.005, 0.01, 0.02, 0.03):
            shape = (rounds, samples)
            unchanged = made_up(generator, UNCHANGED, shape, noise, 1.0)
            slower = [made_up(generator, SLOWER, shape, noise, times) for times in (1.07, 1.1)]
            for cells in (1, 100, 1000):
                shares = [
                    alarms(unchanged, cells, THRESHOLD_PERCENT),
                    alarms(unchanged, cells, NO_THRESHOLD),
                    *(found(unchanged, one, cells) for one in slower),
                ]
                row = " | ".join(f"{100 * share:.1f} %" for share in shares)
                print(f"| `{effort}` | {100 * noise:.1f} % | {cells} | {row} |", flush=True)


def made_up(
    generator: np.random.Generator, cells: int, shape: tuple[int, int], noise: float, times: float
) -> list[Ratio]:
    """Return ratios of cells of which head takes so many times as long."""

    def run(times: float) -> list[list[list[float]]]:
        rounds = generator.normal(0, noise, (AT_ONCE, shape[0], 1))
        samples = np.abs(generator.normal(0, 0.02, (AT_ONCE, *shape)))
        taken: list[list[list[float]]] = (times * np.exp(rounds + samples)).tolist()
        return taken

    ratios: list[Ratio] = []
    while len(ratios) < cells:
        ratios += ratios_of([Pair(*both) for both in zip(run(1.0), run(times), strict=True)])
    return ratios[:cells]


def alarms(unchanged: Sequence[Ratio], cells: int, threshold_percent: float) -> float:
    """Return the share of comparisons that call any cell slower or faster."""
    called = [
        any(is_change for is_change in changes(unchanged[start : start + cells], threshold_percent))
        for start in range(0, len(unchanged), cells)
    ]
    return float(np.mean(called))


def found(unchanged: Sequence[Ratio], slower: Sequence[Ratio], cells: int) -> float:
    """Return the share of comparisons that find the one cell that is slower."""
    called = []
    for index, ratio in enumerate(slower):
        start = index * (cells - 1) % (len(unchanged) - cells)
        among = [ratio, *unchanged[start : start + cells - 1]]
        called.append(changes(among, THRESHOLD_PERCENT)[0])
    return float(np.mean(called))


def changes(ratios: Sequence[Ratio], threshold_percent: float) -> list[bool]:
    """Say of each cell of a comparison whether it is called slower or faster."""
    adjusted = adjust([ratio.p for ratio in ratios])
    return [
        speed_verdict(ratio, p, threshold_percent) in ("slower", "faster")
        for ratio, p in zip(ratios, adjusted, strict=True)
    ]


if __name__ == "__main__":
    main()
