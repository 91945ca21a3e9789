"""The roofline plot: every kernel under what the device could do at best.

Williams, Waterman and Patterson, "Roofline: an insightful visual performance model", 2009.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.collections import PathCollection

from reports.frames import Setup, setups
from reports.plots import COLOURS, DPI, MARKERS, Plot, canvas, logarithmic

_SMALLEST, _LARGEST = 8.0, 160.0  # areas of points


def draw_rooflines(kernels: pd.DataFrame, out: Path) -> list[Plot]:
    """Write a roofline plot for every setup whose kernels were timed, emulated ones left out."""
    plots = []
    for index, (setup, rows) in enumerate(setups(kernels)):
        if not setup.emulated:
            plots.append(_draw(setup, rows[rows["kernel_macs"] > 0], out / f"roofline-{index}.png"))
    return plots


def _draw(setup: Setup, rows: pd.DataFrame, path: Path) -> Plot:
    figure, axes = canvas("multiply-accumulates per byte", "multiply-accumulates per second, 10⁹")
    intensity = rows["kernel_macs"] / rows["kernel_nbytes"]
    seconds = rows["kernel_microseconds"] / 1e6
    rate = rows["kernel_macs"] * rows["kernel_calls"] / seconds / 1e9
    peak, reading = rows["peak_macs_per_s"].max() / 1e9, rows["read_bytes_per_s"].max() / 1e9
    at = np.geomspace(intensity.min() / 1.5, intensity.max() * 1.5, 200)
    axes.plot(at, np.minimum(peak, at * reading), color="black", linewidth=1.2)
    axes.axhline(peak, color="black", linewidth=0.6, linestyle=":")
    areas = _SMALLEST + (_LARGEST - _SMALLEST) * rows["share"] / rows["share"].max()
    for index, family in enumerate(dict.fromkeys(rows["family"])):
        own = rows["family"] == family
        axes.scatter(
            intensity[own],
            rate[own],
            s=areas[own],
            marker=MARKERS[index % len(MARKERS)],
            facecolor=COLOURS[index % len(COLOURS)],
            edgecolor="white",
            linewidth=0.4,
            alpha=0.8,
            label=family,
        )
    logarithmic(axes, "xy")
    for handle in axes.legend(frameon=False, loc="lower right").legend_handles:
        if isinstance(handle, PathCollection):
            handle.set_sizes([_LARGEST / 4])  # the same for all families
    figure.savefig(path, dpi=DPI)
    title = "Every kernel under the roofline"
    variants = rows["variant"].nunique()
    caption = (
        f"{setup.title}; {len(rows)} kernels of {variants} variants, as they run inside the "
        f"network. Line: {peak:.0f}·10⁹ multiply-accumulates a second, measured in registers, and "
        f"{reading:.0f}·10⁹ bytes a second, measured reading memory. Area: share of the "
        "variant's time. Above the slope: what came from a cache. Lanes that pad channels to whole "
        "vectors count as work."
    )
    best = rate.max() / peak
    alt = f"{title}: {len(rows)} kernels, the best at {100 * best:.0f} % of the peak."
    return Plot(path.name, title, caption, alt)
