"""A plot, and the common style of all plots, which is readable in grey."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

# Okabe and Ito's palette: told apart by the colour-blind. Markers and dashes tell it in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vPX<*>"  # more than colours, so that a colour that returns has another
DASHES = ("-", "--", "-.", ":")
DPI = 130


@dataclass(frozen=True)
class Plot:
    """A picture on disk with its title, caption and description."""

    file_name: str
    title: str
    caption: str
    alt: str
    wide: bool = False  # needs the page's whole width

    @property
    def name(self) -> str:
        """Its file's name without what follows the dot."""
        return self.file_name.partition(".")[0]


def canvas(x: str, y: str, size: tuple[float, float] = (8, 5)) -> tuple[Figure, Axes]:
    """Return an empty plot with labelled axes, its size in inches."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    light_grid(axes)
    return figure, axes


def light_grid(axes: Axes) -> None:
    """Draw a light grid behind what is shown, and no frame above and on the right."""
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def save(figure: Figure, path: Path) -> None:
    """Write a plot, laid out before: `savefig` would go through all of a figure twice for that."""
    figure.set_dpi(DPI)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)
    figure.savefig(path, dpi=DPI)


def logarithmic(axes: Axes, which: str) -> None:
    """Make axes logarithmic with plain numbers at 1, 2 and 5 of each decade, or of many at 1."""
    setters: dict[str, Callable[[str], None]] = {"x": axes.set_xscale, "y": axes.set_yscale}
    for name in which:
        setters[name]("log")
        axis = axes.xaxis if name == "x" else axes.yaxis
        axis.set_major_formatter(FuncFormatter(partial(_plain, axis)))
        axis.set_minor_formatter(FuncFormatter(partial(_plain, axis)))
        if not len(axis.get_majorticklocs()):
            axis.set_minor_formatter(NullFormatter())
        axis.set_tick_params(which="minor", pad=5)  # numbers of both kinds on one line


def _plain(axis: Axis, value: float, _position: int) -> str:
    low, high = axis.get_view_interval()
    named = (1, 2, 5) if high < 1000 * low else (1,)
    return f"{value:g}" if round(value / 10 ** np.floor(np.log10(value) + 1e-9), 6) in named else ""
