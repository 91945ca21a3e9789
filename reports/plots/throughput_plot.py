"""Throughput against latency, by batches and streams."""

from pathlib import Path

import pandas as pd

from mobilebench.reports.plots.plot import (
    COLOURS,
    DASHES,
    MARKERS,
    Plot,
    canvas,
    logarithmic,
    save,
)
from mobilebench.reports.tables.frames import runtimes_of
from mobilebench.reports.tables.throughput_table import AT_ONCE, places_at_once


def draw_throughput(frame: pd.DataFrame, out: Path) -> list[Plot]:
    """Write, for each place and network with several batches or streams, a plot into `out`."""
    plots: list[Plot] = []
    for title, rows in places_at_once(frame):
        for variant, alike in rows.groupby("variant", sort=False):
            if len(alike[list(AT_ONCE)].drop_duplicates()) > 1:
                path = out / f"throughput-{len(plots)}.png"
                plots.append(_draw(title, str(variant), alike, path))
    return plots


def _draw(place: str, variant: str, rows: pd.DataFrame, path: Path) -> Plot:
    figure, axes = canvas("latency of an inference, ms", "images a second")
    for index, runtime in enumerate(runtimes_of(rows)):
        mine = rows[rows["runtime"] == runtime].sort_values(list(AT_ONCE))
        for streams, line in mine.groupby("streams"):
            label = runtime if streams == 1 else f"{runtime}, {streams} streams"
            axes.plot(
                line["latency_p50_ms"],
                line["throughput_per_s"],
                label=label,
                color=COLOURS[index % len(COLOURS)],
                marker=MARKERS[index % len(MARKERS)],
                linestyle=DASHES[(int(streams) - 1) % len(DASHES)],
            )
            for row in line.itertuples():
                axes.annotate(
                    str(row.batch),
                    (row.latency_p50_ms, row.throughput_per_s),
                    textcoords="offset points",
                    xytext=(5, 4),
                    fontsize=8,
                )
    logarithmic(axes, "xy")
    axes.margins(0.08)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    save(figure, path)
    title = f"Throughput against latency: {variant}"
    caption = (
        f"{place}. Numbers: images of a batch. Latency: median of an inference, which takes a "
        "whole batch. Streams are instances that run at the same time, each on CPUs of its own."
    )
    best = rows.loc[rows["throughput_per_s"].idxmax()]
    alt = (
        f"{title}: at most {best['throughput_per_s']:.0f} images a second, of {best['runtime']} in "
        f"batches of {best['batch']}."
    )
    return Plot(path.name, title, caption, alt)
