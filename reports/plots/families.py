"""The colour and marker of each family of kernels, the same in every plot of a report."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mobilebench.reports.plots.plot import COLOURS, MARKERS


@dataclass(frozen=True)
class Style:
    """A colour, and a marker that distinguishes it in grey."""

    colour: str
    marker: str


def styles(kernels: pd.DataFrame) -> dict[str, Style]:
    """Return the style of every family in a report's kernels, in order of first appearance."""
    return {
        family: Style(COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)])
        for index, family in enumerate(dict.fromkeys(kernels["family"]))
    }


def legend(figure: Figure, families: Iterable[str], style: dict[str, Style]) -> None:
    """Name families above a plot, where they hide nothing."""
    shown = set(families)
    handles = [
        Line2D([], [], linestyle="none", marker=one.marker, color=one.colour, label=family)
        for family, one in style.items()
        if family in shown
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=5, frameon=False, fontsize=9)
