"""The plots of a report: one message each."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mobilebench.reports.counting import counted
from mobilebench.reports.plots.plot import COLOURS, DASHES, MARKERS, Plot, canvas, logarithmic, save
from mobilebench.reports.tables.accuracy_metrics import METRICS
from mobilebench.reports.tables.accuracy_table import (
    Accuracy,
    examined,
    measured,
    published,
)
from mobilebench.reports.tables.frames import (
    MAIN,
    Setup,
    geometric_mean,
    label_of,
    network_of,
    newest,
    ok_rows,
    pareto_front,
    ratios,
    runtimes_of,
    setups,
)

_INTERVAL = "Error bars: 95 % bootstrap interval of the median."


def draw(frame: pd.DataFrame, out: Path) -> list[Plot]:
    """Write the plots of every setup into `out` as PNG files.

    Only rows that are ok are drawn. Latency on an emulated device is the emulator's, so such setups
    have no plots.
    """
    plots = []
    timed = ok_rows(newest(frame)).dropna(subset="latency_p50_ms")
    for index, (setup, rows) in enumerate(setups(timed)):
        if setup.emulated:
            continue
        for name, figure, plot in _figures(setup, rows):
            file_name = f"{name}-{index}.png"
            save(figure, out / file_name)
            plots.append(Plot(file_name, *plot))
    return plots


_Drawn = tuple[str, Figure, tuple[str, str, str]]


def _figures(setup: Setup, rows: pd.DataFrame) -> Iterator[_Drawn]:
    main = rows[rows["runtime"] == MAIN]
    if len(main) > 1:
        yield _latency_by_macs(setup, main)
    square = main[(main["height"] == main["width"]) & (main["expansion_factor"] == 6)]
    for network, alike in square.groupby(square["variant"].map(network_of)):
        if len(alike) > 1:
            yield _heat_maps(setup, alike, network)
    for measure in METRICS:
        mine = main[main["task"] == measure.task]
        known = measured(examined(mine, measure), measure)
        if len(known.rows) < 2 and measure.task == "classify":  # others have one figure or two
            known = published(mine, measure)
        if len(known.rows) > 1:
            yield _accuracy_by_latency(setup, known, measure.plot)
    if rows["runtime"].nunique() > 1:
        yield _runtimes(setup, rows)


def _latency_by_macs(setup: Setup, rows: pd.DataFrame) -> _Drawn:
    figure, axes = canvas("multiply-accumulates, millions", f"latency of {MAIN}, ms")
    networks = rows["variant"].map(network_of)
    several = networks.nunique() > 1
    lines = rows.groupby([networks, "width_multiplier", "expansion_factor"])
    for index, ((network, multiplier, expansion), line) in enumerate(lines):
        name = f"{network} {multiplier}" if several else f"{multiplier}"
        axes.errorbar(
            line["macs"] / 1e6,
            line["latency_p50_ms"],
            yerr=_error_bars(line),
            label=name if expansion == 6 else f"{name}, t{expansion}",
            color=COLOURS[index % len(COLOURS)],
            marker=MARKERS[index % len(MARKERS)],
            linestyle=DASHES[index % len(DASHES)],
            capsize=2,
        )
    logarithmic(axes, "xy")
    what = "network and width multiplier" if several else "width multiplier"
    axes.legend(title=what, frameon=False)
    title = "Latency against multiply-accumulates"
    lines_are = f"a line per {what}"
    if (rows["expansion_factor"] != 6).any():
        lines_are += " and expansion factor t (6 where none is given)"
    caption = f"{setup.title}. A point per variant, {lines_are}. {_INTERVAL}"
    return "latency-by-macs", figure, (title, caption, _alt(title, rows))


def _heat_maps(setup: Setup, rows: pd.DataFrame, network: str) -> _Drawn:
    columns = [("latency_p50_ms", 1.0, "latency, ms"), ("arena_bytes", 1e6, "arena, MB")]
    known = [column for column in columns if rows[column[0]].notna().any()]
    figure = Figure(figsize=(5 * len(known), 4), layout="constrained")
    for axes, (column, unit, name) in zip(
        figure.subplots(1, len(known), squeeze=False)[0], known, strict=True
    ):
        _heat_map(axes, rows, column, unit, name)
    title = f"Latency and planned activations of {network}, by width multiplier and resolution"
    caption = f"{setup.title}, {MAIN}. Arena: planned activations, MB of 10^6 bytes."
    return f"heat-maps-{network}", figure, (title, caption, _alt(title, rows))


def _heat_map(axes: Axes, rows: pd.DataFrame, column: str, unit: float, title: str) -> None:
    cells = rows.pivot_table(index="width_multiplier", columns="height", values=column) / unit
    cells = cells.sort_index(ascending=False)
    values = np.log(cells.to_numpy(dtype=float))
    axes.imshow(values, cmap=colormaps["cividis"], aspect="auto")
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    axes.set_title(title, fontsize=11)
    axes.set_xticks(range(len(cells.columns)), [str(size) for size in cells.columns])
    axes.set_yticks(range(len(cells.index)), [str(multiplier) for multiplier in cells.index])
    axes.set_xlabel("resolution, pixels")
    axes.set_ylabel("width multiplier")
    for (y, x), value in np.ndenumerate(cells.to_numpy(dtype=float)):
        if np.isfinite(value):
            colour = "white" if values[y, x] < middle else "black"
            axes.text(x, y, _short(value), ha="center", va="center", color=colour, fontsize=9)
    axes.tick_params(length=0)


def _accuracy_by_latency(setup: Setup, accuracy: Accuracy, name: str) -> _Drawn:
    rows = accuracy.rows
    figure, axes = canvas(f"latency of {MAIN}, ms", accuracy.axis)
    front = pareto_front(rows, "latency_p50_ms", "percent")
    beaten = rows.drop(index=front.index)
    if len(beaten):
        axes.errorbar(
            beaten["latency_p50_ms"],
            beaten["percent"],
            xerr=_error_bars(beaten),
            yerr=_accuracy_bars(beaten),
            linestyle="none",
            capsize=2,
            marker="x",
            color="#777777",
            label="another variant is faster and better",
        )
    axes.errorbar(
        front["latency_p50_ms"],
        front["percent"],
        xerr=_error_bars(front),
        yerr=_accuracy_bars(front),
        capsize=2,
        color=COLOURS[0],
        marker="o",
        label="Pareto front",
    )
    for index, row in enumerate(front.itertuples()):
        below = index % 2  # neighbours on either side of the line
        axes.annotate(
            label_of(row.variant),
            (row.latency_p50_ms, row.percent),
            textcoords="offset points",
            xytext=(6, -12) if below else (-6, 8),
            ha="left" if below else "right",
            fontsize=9,
        )
    logarithmic(axes, "x")
    axes.margins(x=0.1, y=0.08)
    axes.legend(frameon=False, loc="lower right")
    title = f"Which variant to choose: {accuracy.name} against measured latency"
    caption = (
        f"{setup.title}. Accuracy: {accuracy.source}. Labels: width multiplier and resolution. "
        f"{_INTERVAL}"
    )
    return name, figure, (title, caption, _alt(title, rows))


def _runtimes(setup: Setup, rows: pd.DataFrame) -> _Drawn:
    variants = list(rows["variant"].unique())
    height = 1.6 + 0.28 * len(variants)
    figure, axes = canvas("latency, ms", "", size=(9, height))
    ratio = ratios(rows)
    for index, runtime in enumerate(runtimes_of(rows)):
        mine = rows[rows["runtime"] == runtime]
        times = f" ({geometric_mean(ratio[runtime]):.2f} × {MAIN})" if runtime in ratio else ""
        axes.errorbar(
            mine["latency_p50_ms"],
            [variants.index(variant) for variant in mine["variant"]],
            xerr=_error_bars(mine),
            linestyle="none",
            marker=MARKERS[index % len(MARKERS)],
            color=COLOURS[index % len(COLOURS)],
            label=f"{runtime}{times}",
            capsize=2,
        )
    axes.set_yticks(range(len(variants)), variants, fontsize=9)
    axes.set_ylim(-0.7, len(variants) - 0.3)
    axes.invert_yaxis()
    logarithmic(axes, "x")
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    title = "Runtimes compared"
    caption = f"{setup.title}. In brackets: geometric mean over the variants. {_INTERVAL}"
    return "runtimes", figure, (title, caption, _alt(title, rows))


def _error_bars(rows: pd.DataFrame) -> np.ndarray:
    middle = rows["latency_p50_ms"]
    return np.array(
        [middle - rows["latency_ci95_low_ms"], rows["latency_ci95_high_ms"] - middle]
    ).clip(min=0)


def _accuracy_bars(rows: pd.DataFrame) -> np.ndarray:
    """Return lengths below and above; NaN draws none."""
    bars = [rows["percent"] - rows["low"], rows["high"] - rows["percent"]]
    return np.array(bars, dtype=float).clip(min=0)


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _alt(title: str, rows: pd.DataFrame) -> str:
    """Describe the plot in words; the numbers are in the tables below it."""
    low, high = rows["latency_p50_ms"].min(), rows["latency_p50_ms"].max()
    variants = counted(rows["variant"].nunique(), "variant")
    return f"{title}: {variants}, from {_short(low)} to {_short(high)} ms."
