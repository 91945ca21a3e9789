"""How far estimates from kernels are off: each measured network is estimated from the others.

    python docs/scripts/estimate_errors.py STORE [TARGET]

STORE has rows of `mobilebench run --variant published --kernels` of the target (native).
"""

import sys

from mobilebench.bench.models.kernel_layers import outlines_of
from mobilebench.reports.choice.candidates import Wanted, read_target
from mobilebench.reports.choice.estimate import Estimator
from mobilebench.reports.choice.estimated import Basis, find_bases
from mobilebench.reports.published.figures import published_accuracies
from mobilebench.reports.records.store import Store


def main() -> None:
    """Print a table for each precision and thread count that has a basis."""
    url, target = sys.argv[1], (*sys.argv[2:], "native")[0]
    outlines = outlines_of(published_accuracies())
    wanted = Wanted(target, "classify")
    with Store(url, create=False) as store:
        rows = read_target(store, wanted)
        for basis in find_bases(store, wanted, rows, outlines):
            show(basis)


def show(basis: Basis) -> None:
    """Print how far the estimate of each network is off, in percent."""
    setting, networks = basis.setting, basis.networks
    threads = "1 thread" if setting.threads == 1 else f"{setting.threads} threads"
    print(f"{setting.target}, {setting.precision}, {threads}\n")
    print("| network | measured, ms | estimated, ms | off, % | of shapes never measured, % |")
    print("|---|---:|---:|---:|---:|")
    for index, one in enumerate(networks):
        others = [*networks[:index], *networks[index + 1 :]]
        made = Estimator(others).estimate(one.outline)
        off = 100 * (made.latency_ms / one.latency_ms - 1)
        share = 100 * made.interpolated
        times = f"{one.latency_ms:.3f} | {made.latency_ms:.3f}"
        print(f"| `{one.outline.variant}` | {times} | {off:+.1f} | {share:.0f} |")
    errors = basis.errors
    print(f"\nMedian {100 * errors.median:.1f} %, 90th percentile {100 * errors.p90:.1f} %.\n")


if __name__ == "__main__":
    main()
