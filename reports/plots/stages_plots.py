"""The plot of the stages from an image file to an answer: a bar a row, a piece a stage."""

from pathlib import Path

import numpy as np
import pandas as pd

from mobilebench.reports.counting import counted
from mobilebench.reports.plots.plot import COLOURS, Plot, canvas, save
from mobilebench.reports.tables.frames import MAIN, Setup, setups
from mobilebench.reports.tables.stages_table import STAGES, WHOLE, in_order, staged
from mobilebench.reports.tables.table import milliseconds

_HATCHES = ("", "//", "..", "", "xx", "--", "||", "\\\\", "++")  # which tell stages in grey
_MOST = 30  # rows; of more, a runtime's alone are drawn
_WIDE = 12  # rows from which a plot needs the page's whole width
_INFERENCE = "stage_inference_ms"
_ORDER = (5, 4, 6, 0, 1, 2, 3, 1, 2)  # colours of the stages


def draw_stages(frame: pd.DataFrame, out: Path) -> list[Plot]:
    """Write a plot for each setup on a real device in which stages were timed."""
    plots = []
    for index, (setup, rows) in enumerate(setups(staged(frame))):
        if not setup.emulated:
            plots.append(_draw(setup, _shown(in_order(rows)), out / f"stages-{index}.png"))
    return plots


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that a plot has room for: of many those of the main runtime, if there are."""
    main = rows[rows["runtime"] == MAIN]
    return main if len(rows) > _MOST and len(main) else rows


def _draw(setup: Setup, rows: pd.DataFrame, path: Path) -> Plot:
    several = rows["variant"].nunique() > 1
    names = rows["runtime"] if not several else rows["variant"] + ", " + rows["runtime"]
    figure, axes = canvas("time, ms", "", size=(9, 1.6 + 0.34 * len(rows)))
    axes.grid(visible=False, axis="y")
    places, left = np.arange(len(rows)), np.zeros(len(rows))
    for number, (column, name) in enumerate(STAGES.items()):
        if rows[column].isna().all():
            continue
        taken = rows[column].fillna(0).to_numpy(dtype=float)
        axes.barh(
            places,
            taken,
            0.72,
            left=left,
            label=name,
            color=COLOURS[_ORDER[number]],
            hatch=_HATCHES[number],
            edgecolor="white",
        )
        left += taken
    for place, end, whole in zip(places, left, rows[WHOLE], strict=True):
        axes.annotate(
            milliseconds(whole),
            (end, place),
            textcoords="offset points",
            xytext=(4, 0),
            va="center",
            fontsize=8,
        )
    axes.set_yticks(places, names, fontsize=9)
    axes.set_xlim(0, 1.1 * left.max())
    axes.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=7, frameon=False)
    save(figure, path)
    title = "End to end: from an image file to an answer"
    share = (rows[_INFERENCE] / rows[WHOLE]).median()
    images = int(rows["stage_images"].max())
    runtimes = f", {rows['runtime'].iloc[0]}" if rows["runtime"].nunique() == 1 else ""
    caption = (
        f"{setup.title}{runtimes}. A piece for each stage, in one process of this machine, on "
        f"{counted(images, 'image')}; the number is all of them timed as one. All stages but the "
        "inference are the suite's own, in Python."
    )
    alt = f"{title}: {counted(len(rows), 'row')}; the inference is {share:.0%} of it (median)."
    return Plot(path.name, title, caption, alt, wide=len(rows) >= _WIDE)
