"""Which variant to choose at which precision: accuracy against latency and memory."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mobilebench.reports.plots.plot import COLOURS, MARKERS, Plot, light_grid, logarithmic, save
from mobilebench.reports.tables.accuracy_metrics import METRICS
from mobilebench.reports.tables.accuracy_table import Accuracy, examined, measured
from mobilebench.reports.tables.frames import (
    MAIN,
    label_of,
    newest,
    ok_rows,
    one_at_a_time,
    undominated,
)

_PLACES = ["target", "device", "emulated", "threads", "optimize_for"]
_LATENCY, _MEMORY = "latency_p50_ms", "memory_mb"
_BEATEN = "#888888"


def draw_precisions(frame: pd.DataFrame, out: Path) -> list[Plot]:
    """Write, for each task and place measured at several precisions, their common front into `out`.

    A row needs a latency, an accuracy measured on images, and a plan of its memory. An emulated
    device has no plots, for its latency is the emulator's.
    """
    plots: list[Plot] = []
    rows = one_at_a_time(ok_rows(newest(frame))).dropna(subset=_LATENCY)
    rows = rows[(rows["runtime"] == MAIN) & ~rows["emulated"].astype(bool)]
    for place, alike in rows.groupby(_PLACES, sort=False):
        for measure in METRICS:
            known = _with_memory(examined(alike, measure))
            if known["precision"].nunique() < 2:
                continue
            file_name = f"{measure.plot.replace('by-latency', 'by-precision')}-{len(plots)}.png"
            threads = "1 thread" if place[3] == 1 else f"{place[3]} threads"
            setup = f"{place[0]} on {place[1]}, {threads}"
            plots.append(_draw(setup, measured(known, measure), out / file_name))
    return plots


def _with_memory(rows: pd.DataFrame) -> pd.DataFrame:
    """Add what weights and planned activations take together, in MB of 10^6 bytes."""
    total = rows["params_bytes"].astype(float) + rows["arena_bytes"].astype(float)
    return rows.assign(**{_MEMORY: total / 1e6}).dropna(subset=_MEMORY)


def _draw(setup: str, accuracy: Accuracy, path: Path) -> Plot:
    rows = accuracy.rows
    front = undominated(rows, [_LATENCY, _MEMORY], "percent")
    precisions = list(dict.fromkeys(rows["precision"]))
    figure = Figure(figsize=(11, 5), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    costs = ((_LATENCY, f"latency of {MAIN}, ms"), (_MEMORY, "weights and activations, MB"))
    for axes, (cost, name) in zip(panels, costs, strict=True):
        _panel(axes, rows, front, cost)
        axes.set_xlabel(name)
    panels[0].set_ylabel(accuracy.axis)
    figure.legend(handles=_key(precisions), loc="outside upper center", ncols=4, frameon=False)
    save(figure, path)
    title = f"Which variant at which precision: {accuracy.name} against latency and memory"
    caption = (
        f"{setup}. Accuracy: {accuracy.source}. Filled: no other variant or precision is as fast, "
        "as small and as accurate. Labels: width multiplier and resolution. Memory: weights and "
        "planned activations, MB of 10^6 bytes."
    )
    return Plot(path.name, title, caption, _alt(title, rows, front), wide=True)


def _panel(axes: Axes, rows: pd.DataFrame, front: pd.DataFrame, cost: str) -> None:
    for index, (precision, alike) in enumerate(rows.groupby("precision", sort=False)):
        for is_best, some in alike.groupby(alike.index.isin(front.index)):
            colour = COLOURS[index % len(COLOURS)]
            axes.errorbar(
                some[cost],
                some["percent"],
                yerr=[some["percent"] - some["low"], some["high"] - some["percent"]],
                linestyle="none",
                elinewidth=0.7,
                marker=MARKERS[index % len(MARKERS)],
                color=colour if is_best else _BEATEN,
                markerfacecolor=colour if is_best else "white",
                label=f"{precision}",
            )
    for index, row in enumerate(front.sort_values(cost).itertuples()):
        axes.annotate(
            label_of(row.variant),
            (getattr(row, cost), row.percent),
            textcoords="offset points",
            xytext=(6, -12) if index % 2 else (-6, 8),
            ha="left" if index % 2 else "right",
            fontsize=8,
        )
    logarithmic(axes, "x")
    axes.margins(x=0.2, y=0.08)
    light_grid(axes)


def _key(precisions: list[str]) -> list[Line2D]:
    """Name each precision's marker, and what is beaten."""
    handles = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=MARKERS[index % len(MARKERS)],
            color=COLOURS[index % len(COLOURS)],
            label=precision,
        )
        for index, precision in enumerate(precisions)
    ]
    beaten = Line2D(
        [],
        [],
        linestyle="none",
        marker=MARKERS[0],
        color=_BEATEN,
        markerfacecolor="white",
        label="another is as fast, as small and as accurate",
    )
    return [*handles, beaten]


def _alt(title: str, rows: pd.DataFrame, front: pd.DataFrame) -> str:
    """Describe the plot in words; the numbers are in the tables below it."""
    counts = front["precision"].value_counts()
    of_each = ", ".join(f"{count} in {precision}" for precision, count in counts.items())
    return f"{title}: {len(front)} of {len(rows)} are on the front, {of_each}."
