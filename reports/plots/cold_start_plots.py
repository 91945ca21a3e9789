"""The plot of cold starts: loading, the first inference and each later one, runtime by runtime."""

from pathlib import Path

import numpy as np
import pandas as pd

from mobilebench.reports.counting import counted
from mobilebench.reports.plots.plot import COLOURS, Plot, canvas, logarithmic, save
from mobilebench.reports.tables.cold_start_table import FIRST, LOAD, STEADY, cold_starts
from mobilebench.reports.tables.frames import Setup, geometric_mean, runtimes_of, setups
from mobilebench.reports.tables.table import milliseconds

_BARS = (  # column, name, colour, hatching that tells it in grey
    (LOAD, "load", COLOURS[5], "//"),
    (FIRST, "first inference", COLOURS[4], ".."),
    (STEADY, "each later one (median)", COLOURS[0], ""),
)
_HEIGHT = 0.26  # of a bar; a runtime has a height of 1


def draw_cold_starts(frame: pd.DataFrame, out: Path) -> list[Plot]:
    """Write a plot for each setup on a real device in which loading was timed."""
    plots = []
    for index, (setup, rows) in enumerate(setups(cold_starts(frame))):
        if not setup.emulated:
            plots.append(_draw(setup, rows, out / f"cold-start-{index}.png"))
    return plots


def _draw(setup: Setup, rows: pd.DataFrame, path: Path) -> Plot:
    runtimes = runtimes_of(rows)
    figure, axes = canvas("time, ms", "", size=(8, 1.5 + 0.75 * len(runtimes)))
    axes.grid(visible=False, axis="y")
    for number, (column, name, colour, hatch) in enumerate(_BARS):
        places = np.arange(len(runtimes)) + (number - 1) * (_HEIGHT + 0.02)
        own = [rows.loc[rows["runtime"] == runtime, column] for runtime in runtimes]
        means = np.array([geometric_mean(values) for values in own])
        reach = np.array([[m - v.min(), v.max() - m] for m, v in zip(means, own, strict=True)]).T
        axes.barh(
            places,
            means,
            _HEIGHT,
            label=name,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            xerr=reach.clip(min=0) if rows["variant"].nunique() > 1 else None,
            capsize=2,
        )
        for place, mean, values in zip(places, means, own, strict=True):
            axes.annotate(
                milliseconds(mean),
                (values.max(), place),
                textcoords="offset points",
                xytext=(5, 0),
                va="center",
                fontsize=8,
            )
    axes.set_yticks(range(len(runtimes)), runtimes)
    axes.invert_yaxis()
    logarithmic(axes, "x")
    axes.margins(x=0.12)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    save(figure, path)
    title = "Cold start: loading, the first inference, and each later one"
    variants = rows["variant"].nunique()
    several = f" Geometric mean over {variants} variants; lines reach from the least to the most."
    several = several if variants > 1 else ""
    caption = (
        f"{setup.title}. In a fresh process that has imported the runtime, files in the "
        f"file cache; loading and the first inference were timed once.{several}"
    )
    alt = f"{title}: {counted(len(runtimes), 'runtime')}, {counted(variants, 'variant')}."
    return Plot(path.name, title, caption, alt)
