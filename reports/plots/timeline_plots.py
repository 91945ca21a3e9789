"""The plot of a cell over many nights: each night's median, and the changes."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mobilebench.reports.history.change_points import Array, Changes
from mobilebench.reports.history.timeline import INTERVAL, LATENCY, Timeline, night_names
from mobilebench.reports.plots.plot import COLOURS, Plot, light_grid
from mobilebench.reports.records.cell_key import CellKey

_BLUE, _VERMILION, _GREEN = COLOURS[0], COLOURS[1], COLOURS[2]
_GREY = "#777777"
_SIZE = (9.0, 2.8)  # inches
_ROOM = 0.12  # of the height, below all values: for nights that failed


def draw_timeline(timeline: Timeline, cell: CellKey, changes: Changes, path: Path) -> Plot:
    """Write the latency of a cell in every night as an SVG file.

    A point is a night's median, its bar the 95 % interval; the line is the level between steps, or
    the drift. `changes` are what `history.changes_of` found in the same timeline.
    """
    number = timeline.cells.index(cell)
    values, low, high = (timeline.wide(column)[number] for column in (LATENCY, *INTERVAL))
    figure = Figure(figsize=_SIZE)
    axes = figure.add_axes((0.075, 0.2, 0.915, 0.68))
    nights = np.arange(len(values))
    outliers = np.isin(nights, changes.outliers)
    bars = np.array([values - low, high - values]).clip(min=0)
    for some, face in ((~outliers, _BLUE), (outliers, "white")):
        axes.errorbar(
            nights[some],
            values[some],
            yerr=bars[:, some],
            linestyle="none",
            marker="o",
            markersize=4.5,
            color=_BLUE,
            markerfacecolor=face,
            elinewidth=1,
            zorder=3,
        )
    for span, level in levels(values, changes):
        axes.plot(span, level, color="black", linewidth=1.4, zorder=4)
    _mark_steps(axes, changes)
    _mark_failures(axes, timeline, number)
    _dates(axes, timeline)
    axes.set_ylabel("latency, ms")
    axes.set_xlim(-0.8, len(values) - 0.2)
    light_grid(axes)
    figure.savefig(path, format="svg", metadata={"Date": None})
    title = f"{cell.variant} in {cell.runtime}"
    caption = (
        f"{cell.place}. Points: the median of each night with its 95 % bootstrap interval, hollow "
        "where it is an outlier; crosses: nights that failed. Line: the level between steps, or "
        "the drift. A step is dashed and red where it got slower, dotted and green where faster."
    )
    return Plot(
        path.name, title, caption, f"{title} over {len(values)} nights: {_in_words(changes)}."
    )


def levels(values: Array, changes: Changes) -> Iterator[tuple[Array, Array]]:
    """Yield the nights and the fitted values of every level."""
    nights = np.arange(len(values))
    known = np.isfinite(values) & ~np.isin(nights, changes.outliers)
    slope = np.log(changes.drift.ratio_a_night) if changes.drift else 0.0
    ends = [0, *(step.night for step in changes.steps), len(values)]
    for first, last in pairwise(ends):
        mine = nights[known & (nights >= first) & (nights < last)]
        if len(mine):
            level = np.median(np.log(values[mine]) - slope * mine)
            some = np.array([mine[0] - 0.4, mine[-1] + 0.4])
            yield some, np.exp(level + slope * some)


def _mark_steps(axes: Axes, changes: Changes) -> None:
    top = axes.get_xaxis_transform()
    for step in changes.steps:
        slower = step.ratio > 1
        colour, style = (_VERMILION, "--") if slower else (_GREEN, ":")
        axes.axvline(step.night - 0.5, color=colour, linestyle=style, linewidth=1.6)
        text = f"{step.ratio - 1:+.1%}".replace("-", "\N{MINUS SIGN}")
        axes.text(step.night - 0.5, 1.02, text, transform=top, color=colour, ha="center", size=9)


def _mark_failures(axes: Axes, timeline: Timeline, number: int) -> None:
    rows = timeline.rows
    failed = rows.loc[(rows["cell"] == number) & (rows["status"] != "ok"), "night"].to_numpy()
    low, high = axes.get_ylim()
    axes.set_ylim(low - _ROOM * (high - low), high)
    places = np.full(len(failed), 0.05)
    transform = axes.get_xaxis_transform()
    if len(failed):
        axes.plot(failed, places, "x", color=_GREY, markersize=6, transform=transform, gid="failed")


def _dates(axes: Axes, timeline: Timeline) -> None:
    nights = timeline.nights
    places = MaxNLocator(10, integer=True).tick_values(0, max(len(nights) - 1, 1))
    shown = [int(place) for place in places if 0 <= place < len(nights)]
    names = night_names(nights)
    axes.set_xticks(shown, [names[place].replace("T", "\n") for place in shown], size=9)
    axes.tick_params(axis="y", labelsize=9)
    axes.set_xlabel("night")


def _in_words(changes: Changes) -> str:
    """Describe the changes in words."""
    found: Sequence[str] = [
        f"{step.ratio - 1:+.1%} in night {step.night}" for step in changes.steps
    ]
    if changes.drift:
        found = [*found, f"a drift of {changes.drift.ratio_a_night - 1:+.2%} a night"]
    return ", ".join(found) or "no change"
