"""The plot of a network's kernels in the order in which they run: where along it the time goes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.collections import PolyCollection

from mobilebench.reports.counting import counted
from mobilebench.reports.plots.families import Style, legend
from mobilebench.reports.plots.plot import Plot, canvas, save

_WIDTH = 0.8  # of bars
_NARROW = 80  # kernels that a plot of half a page's width has room for


def draw_network_order(rows: pd.DataFrame, style: dict[str, Style], path: Path) -> Plot:
    """Write a plot with a bar for the time of each kernel."""
    wide = len(rows) > _NARROW
    figure, axes = canvas(
        "kernel, in network order", "time, microseconds", size=(12, 4.6) if wide else (6.4, 4.6)
    )
    axes.grid(visible=False, axis="x")
    for family, own in rows.groupby("family", sort=False):
        colour, marker = style[str(family)].colour, style[str(family)].marker
        axes.add_collection(_bars(own, facecolor=colour, alpha=0.8))
        axes.scatter(
            own["number"],
            own["kernel_microseconds"],
            s=10 if wide else 22,
            color=colour,
            marker=marker,
            zorder=3,
        )
    axes.set_xlim(0, len(rows) + 1)
    axes.set_ylim(bottom=0)
    legend(figure, rows["family"], style)
    save(figure, path)
    title = "Time along the network"
    slowest = rows.loc[rows["kernel_microseconds"].idxmax()]
    caption = (
        "A bar for the time of each kernel, all its calls in an inference together, where the "
        "first of them is. Numbers as in the table."
    )
    alt = (
        f"{title}: {counted(len(rows), 'kernel')}; number {slowest['number']} takes longest, "
        f"{slowest['kernel_microseconds']:.3g} microseconds."
    )
    return Plot(path.name, title, caption, alt, wide)


def _bars(rows: pd.DataFrame, **how: Any) -> PolyCollection:
    """Return bars as one artist: `Axes.bar` makes one of each, and takes as long as all else."""
    left, right = rows["number"] - _WIDTH / 2, rows["number"] + _WIDTH / 2
    zero, top = 0 * rows["number"], rows["kernel_microseconds"]
    corners: Any = [(left, zero), (left, top), (right, top), (right, zero)]
    return PolyCollection(list(np.moveaxis(np.array(corners), 2, 0)), **how)
