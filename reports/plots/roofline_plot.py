"""The roofline plot: the speed of kernels compared with the device's peaks.

Williams, Waterman and Patterson, "Roofline: an insightful visual performance model", 2009.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mobilebench.reports.counting import counted
from mobilebench.reports.plots.families import Style, legend, styles
from mobilebench.reports.plots.plot import Plot, canvas, logarithmic, save
from mobilebench.reports.tables.frames import setups

_SMALLEST, _LARGEST = 8.0, 160.0  # areas of points
_NAMED = 5  # of one network's kernels, the slowest
_APART = 0.04  # of the plot's width, at least, between two kernels' numbers
_INTENSITY, _RATE = "multiply-accumulates per byte", "multiply-accumulates per second, 10⁹"


def draw_rooflines(kernels: pd.DataFrame, out: Path) -> list[Plot]:
    """Write a roofline plot for every setup whose kernels were timed, emulated ones left out."""
    plots = []
    for index, (setup, rows) in enumerate(setups(kernels)):
        drawn = rows.dropna(subset="macs_per_s")
        if setup.emulated or drawn.empty:
            continue
        figure, axes = canvas(_INTENSITY, _RATE)
        _draw(figure, axes, drawn, styles(kernels))
        path = out / f"roofline-{index}.png"
        save(figure, path)
        title = "Every kernel under the roofline"
        variants = counted(drawn["variant"].nunique(), "variant")
        which = f"{setup.title}; {counted(len(drawn), 'kernel')} of {variants}"
        plots.append(Plot(path.name, title, _caption(which, drawn), _alt(title, drawn)))
    return plots


def draw_roofline(rows: pd.DataFrame, style: dict[str, Style], path: Path) -> Plot | None:
    """Write the roofline plot of one network; None if none of its kernels multiplies."""
    drawn = rows.dropna(subset="macs_per_s")
    if drawn.empty:
        return None
    figure, axes = canvas(_INTENSITY, _RATE, size=(6.4, 4.6))
    _draw(figure, axes, drawn, style)
    slowest = drawn.nlargest(_NAMED, "share")
    _number(axes, slowest)
    save(figure, path)
    title = "Under the roofline"
    without = len(rows) - len(drawn)
    rest = f"; {without} that multiply nothing are not shown" if without else ""
    which = f"{len(drawn)} kernels{rest}; numbers: the {len(slowest)} of them that take longest"
    return Plot(path.name, title, _caption(which, drawn), _alt(title, drawn))


def _draw(figure: Figure, axes: Axes, rows: pd.DataFrame, style: dict[str, Style]) -> None:
    """Draw the roof, a point for each kernel and a legend; what the roof is stands beside it."""
    intensity, rate = rows["macs_per_byte"], rows["macs_per_s"] / 1e9
    peak, reading = _ceilings(rows)
    ridge = peak / reading
    left, right = min(intensity.min() / 1.5, ridge / 4), max(intensity.max(), ridge) * 2
    roof = np.array([left, ridge, right])
    axes.plot(roof, np.minimum(peak, roof * reading), color="black", linewidth=1.2)
    axes.plot([left, ridge], [peak, peak], color="black", linewidth=0.6, linestyle=":")
    areas = _SMALLEST + (_LARGEST - _SMALLEST) * rows["share"] / rows["share"].max()
    for family in dict.fromkeys(rows["family"]):
        own = rows["family"] == family
        axes.scatter(
            intensity[own],
            rate[own],
            s=areas[own],
            marker=style[family].marker,
            facecolor=style[family].colour,
            edgecolor="white",
            linewidth=0.4,
            alpha=0.8,
        )
    logarithmic(axes, "xy")
    axes.set_xlim(left, right)
    axes.set_ylim(min(rate.min(), left * reading) / 1.3, max(peak, rate.max()) * 1.8)
    words: dict[str, Any] = {"fontsize": 9, "color": "#333333", "rotation_mode": "anchor"}
    axes.text(left * 1.06, peak * 1.06, f"{peak:.3g}·10⁹ multiply-accumulates/s", **words)
    span = right / left
    places = np.geomspace(left * span**0.12, ridge / span**0.08, 12)
    foot = _emptiest(places, reading / 1.1, intensity, rate)
    axes.text(
        foot,
        foot * reading / 1.1,
        f"{reading:.3g}·10⁹ bytes/s",
        ha="center",
        va="top",
        rotation=np.degrees(np.arctan(reading)),  # the slope's, in data
        transform_rotates_text=True,
        **words,
    )
    legend(figure, rows["family"], style)


def _emptiest(at: np.ndarray, slope: float, intensity: pd.Series, rate: pd.Series) -> float:
    """Return where below the slope a label is farthest from all points."""
    across = np.log(at[:, None] / intensity.to_numpy())
    up = np.log(at[:, None] * slope / rate.to_numpy())
    return float(at[np.hypot(across, up).min(axis=1).argmax()])


def _number(axes: Axes, rows: pd.DataFrame) -> None:
    """Write kernels' numbers in a row above the roof, with a line from each to its point."""
    left, right = np.log(axes.get_xlim())
    ordered = rows.sort_values("macs_per_byte")
    at = (np.log(ordered["macs_per_byte"].to_numpy()) - left) / (right - left)
    for i in range(1, len(at)):
        at[i] = max(at[i], at[i - 1] + _APART)
    at[-1] = min(at[-1], 1.0)
    for i in range(len(at) - 1, 0, -1):
        at[i - 1] = min(at[i - 1], at[i] - _APART)
    for place, row in zip(at, ordered.itertuples(), strict=True):
        number = axes.annotate(
            str(row.number),
            (row.macs_per_byte, row.macs_per_s / 1e9),
            xytext=(place, 0.99),
            textcoords="axes fraction",
            ha="center",
            va="top",
            fontsize=9,
            arrowprops={
                "arrowstyle": "-",
                "color": "#777777",
                "linewidth": 0.6,
                "patchA": None,  # the number hides nothing of a line that begins below it
                "relpos": (0.5, 0),
            },
        )
        number.set_in_layout(False)  # it is inside


def _ceilings(rows: pd.DataFrame) -> tuple[float, float]:
    """Return the highest of what was measured beside the kernels: 10⁹ macs and bytes a second."""
    return rows["peak_macs_per_s"].max() / 1e9, rows["read_bytes_per_s"].max() / 1e9


def _caption(which: str, rows: pd.DataFrame) -> str:
    peak, reading = _ceilings(rows)
    return (
        f"{which}, as they run inside the network. Line: {peak:.3g}·10⁹ multiply-accumulates a "
        f"second, measured in registers, and {reading:.3g}·10⁹ bytes a second, measured reading "
        "memory. Area: share of the variant's time. Above the slope: data came from a cache. "
        "Lanes that pad channels to whole vectors and taps on padding count as work."
    )


def _alt(title: str, rows: pd.DataFrame) -> str:
    best = (rows["macs_per_s"] / rows["peak_macs_per_s"]).max()
    return f"{title}: {counted(len(rows), 'kernel')}, the best at {100 * best:.0f} % of the peak."
