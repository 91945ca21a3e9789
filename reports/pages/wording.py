"""Cells, figures and changes in words, for the pages about many nights."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.tables.table import milliseconds

_TWICE = 2.0  # from this on, times say more than percent


def names_of(cells: Iterable[CellKey]) -> dict[CellKey, str]:
    """Return what each cell's network is called: with its checkpoint where there are several."""
    weights = defaultdict(set)
    distinct = list(dict.fromkeys(cells))
    for cell in distinct:
        weights[cell.variant].add(cell.weights)
    return {
        cell: f"{cell.variant} ({cell.weights})" if len(weights[cell.variant]) > 1 else cell.variant
        for cell in distinct
    }


def place_of(cell: CellKey, *, emulated: bool) -> str:
    """Return where and how a cell is measured."""
    return f"{cell.place}, emulated" if emulated else cell.place


def show_value(column: str, value: float) -> str:
    """Return a figure of a record with its unit."""
    if not np.isfinite(value):
        return "-"
    unit = column.rpartition("_")[2]
    if unit == "ms":
        return f"{milliseconds(value)} ms"
    if unit == "bytes":
        return f"{value / 1e6:.2f} MB"
    if unit == "instructions":
        return f"{value / 1e6:.3f} million"
    return f"{value:.1f} {'%' if unit == 'percent' else unit}"


def show_ratio(ratio: float, digits: int = 1) -> str:
    """Return a ratio as a change: percent, or times where it is a multiple."""
    if not np.isfinite(ratio) or ratio <= 0:
        return "-"
    if 1 / _TWICE < ratio < _TWICE:
        return f"{100 * (ratio - 1):+.{digits}f} %".replace("-", "\N{MINUS SIGN}")
    return f"× {ratio:.2f}"
