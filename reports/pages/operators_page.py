"""The pages of single networks: each operator with its time and its least possible time."""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Self

import pandas as pd

from mobilebench.reports.counting import counted
from mobilebench.reports.pages.rendering import Link, render, with_pictures
from mobilebench.reports.plots.families import Style, styles
from mobilebench.reports.plots.network_order import draw_network_order
from mobilebench.reports.plots.plot import Plot
from mobilebench.reports.plots.roofline_plot import draw_roofline
from mobilebench.reports.tables.frames import Setup
from mobilebench.reports.tables.kernels_table import cells
from mobilebench.reports.tables.operators_table import Sum, microseconds, operators_table, sum_of
from mobilebench.reports.tables.table import Table

_WORTH_A_PROCESS = 12  # networks: drawing them takes longer than starting a process
EMULATED = "Its times are the emulator's, so they are not plotted."


@dataclass(frozen=True)
class OperatorsPage:
    """The content of the page about one network's kernels."""

    name: str  # of its files, without what follows the dot
    variant: str
    setup: Setup
    run_id: str
    warnings: str
    table: Table
    bars: tuple[float, ...]  # how long the shares' bars are, in percent of the longest
    sum: Sum
    plots: tuple[Plot, ...]  # none where the times are an emulator's

    @property
    def summary(self) -> str:
        """The text beside a link to the page."""
        together = microseconds(self.sum.kernels_us)
        return f"{self.setup.title}: {counted(len(self.bars), 'kernel')}, {together}"

    def named_from(self, other: Self) -> str:
        """What a link on another of these pages calls it."""
        return self.variant + (f" ({self.setup.title})" if self.setup != other.setup else "")


def write_operators(
    kernels: pd.DataFrame, nav: Sequence[Link], directory: Path
) -> list[OperatorsPage]:
    """Write `operators-N.html`, `.md` and plots for every cell whose kernels were timed."""
    pages = []
    plots = _draw_all(kernels, directory)
    for index, (setup, variant, rows) in enumerate(cells(kernels)):
        name = f"operators-{index}"
        pages.append(
            OperatorsPage(
                name=name,
                variant=variant,
                setup=setup,
                run_id=str(rows["run_id"].iloc[0]),
                warnings=str(rows["warnings"].iloc[0]),
                table=operators_table(variant, rows),
                bars=tuple(100 * rows["share"] / rows["share"].max()),
                sum=sum_of(rows),
                plots=plots.get(name, ()),
            )
        )
    for before, page, after in zip([None, *pages], pages, [*pages[1:], None], strict=False):
        html = render(
            "operators",
            page=page,
            nav=nav,
            before=before,
            after=after,
            microseconds=microseconds,
            emulated=EMULATED if page.setup.emulated else "",
            plots=with_pictures(page.plots, directory),
        )
        (directory / f"{page.name}.html").write_text(html, encoding="utf-8")
        (directory / f"{page.name}.md").write_text(_markdown(page), encoding="utf-8")
    return pages


def _draw_all(kernels: pd.DataFrame, directory: Path) -> dict[str, tuple[Plot, ...]]:
    """Draw what every network's page shows, of very many in several processes."""
    style = styles(kernels)
    jobs = [
        (rows, style, directory, f"operators-{index}")
        for index, (setup, _, rows) in enumerate(cells(kernels))
        if not setup.emulated
    ]
    processes = min(len(os.sched_getaffinity(0)), len(jobs) // _WORTH_A_PROCESS)
    if processes < 2:
        return dict(_draw(*job) for job in jobs)
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        return dict(pool.map(_draw, *zip(*jobs, strict=True)))


def _draw(
    rows: pd.DataFrame, style: dict[str, Style], directory: Path, name: str
) -> tuple[str, tuple[Plot, ...]]:
    plots = (
        draw_network_order(rows, style, directory / f"{name}-times.png"),
        draw_roofline(rows, style, directory / f"{name}-roofline.png"),
    )
    return name, tuple(plot for plot in plots if plot)


def _markdown(page: OperatorsPage) -> str:
    pictures = [f"![{plot.alt}]({plot.file_name})\n\n{plot.caption}\n" for plot in page.plots]
    head = f"# {page.variant}, operator by operator\n\n{page.setup.title}. Run {page.run_id}.\n"
    if page.warnings:
        head += f"\n† {page.warnings}\n"
    if page.setup.emulated:
        head += f"\n{EMULATED}\n"
    return "\n".join([head, *pictures, page.table.to_markdown(), page.sum.sentence, ""])
