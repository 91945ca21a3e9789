"""The page about memory: Table 3 of the paper rebuilt, what is planned and what is measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pandas as pd

from mobilebench.reports.counting import counted
from mobilebench.reports.pages.rendering import Link, render, with_pictures
from mobilebench.reports.plots.memory_plots import draw_plans, draw_profiles
from mobilebench.reports.plots.plot import Plot
from mobilebench.reports.tables.frames import Setup, geometric_mean, write_csv
from mobilebench.reports.tables.memory_analysis import Account, accounts_frame
from mobilebench.reports.tables.memory_table import (
    SIZES_EXPLAINED,
    differences,
    plans_table,
    processes_table,
    sizes_table,
)
from mobilebench.reports.tables.table import Table

NAME = "memory"


@dataclass(frozen=True)
class Sizes:
    """One network's largest tensors, and why they are not those of the paper."""

    table: Table
    notes: tuple[str, ...]


@dataclass(frozen=True)
class MemoryPage:
    """The content of the page about the memory of a report's networks."""

    headlines: tuple[str, ...]
    plots: tuple[Plot, ...]
    tables: tuple[Table, ...]
    sizes: tuple[Sizes, ...]

    @property
    def summary(self) -> str:
        """The text beside a link to the page."""
        return f"{counted(len(self.sizes), 'network')}: needed, planned and measured memory"


def write_memory(
    accounts: Sequence[Account], nav: Sequence[Link], directory: Path
) -> MemoryPage | None:
    """Write `memory.html`, `.md`, `.csv` and plots; None if no memory was analysed."""
    if not accounts:
        return None
    networks = list({account.variant: account for account in reversed(accounts)}.values())[::-1]
    plots = [draw_profiles(networks, directory / f"{NAME}-profiles.png")]
    tables, headlines = [], []
    by_setup = [(setup, list(own)) for setup, own in groupby(accounts, lambda one: one.setup)]
    for index, (setup, own) in enumerate(by_setup):
        plots.append(draw_plans(setup, own, directory / f"{NAME}-plans-{index}.png"))
        tables += [plans_table(setup, own), processes_table(setup, own)]
        headlines += _headlines(setup, own)
    page = MemoryPage(
        headlines=tuple(headlines),
        plots=tuple(plots),
        tables=tuple(tables),
        sizes=tuple(Sizes(sizes_table(one), tuple(differences(one))) for one in networks),
    )
    pictures = with_pictures(page.plots, directory)
    html = render(NAME, page=page, nav=nav, plots=pictures, explained=SIZES_EXPLAINED)
    (directory / f"{NAME}.html").write_text(html, encoding="utf-8")
    (directory / f"{NAME}.md").write_text(_markdown(page), encoding="utf-8")
    write_csv(accounts_frame(accounts), directory / f"{NAME}.csv")
    return page


def _headlines(setup: Setup, accounts: Sequence[Account]) -> list[str]:
    """Compare each plan with the working set, the least memory for whole operators."""
    lines = []
    for name in dict.fromkeys(name for one in accounts for name in one.needs.plans):
        ratio = pd.Series(
            {
                one.variant: one.needs.plans[name] / one.needs.working_set_bytes
                for one in accounts
                if name in one.needs.plans
            }
        )
        networks = counted(len(ratio), "network")
        lines.append(
            f"{setup.title}: {name}: {geometric_mean(ratio):.2f} times the working set "
            f"({ratio.min():.2f} to {ratio.max():.2f}, {networks})"
        )
    return lines


def _markdown(page: MemoryPage) -> str:
    lines = ["# Memory for activations", "", *(f"- {line}" for line in page.headlines), ""]
    lines += [f"![{plot.alt}]({plot.file_name})\n\n{plot.caption}\n" for plot in page.plots]
    lines += [table.to_markdown() for table in page.tables]
    lines += ["## The largest tensor at each spatial size", "", SIZES_EXPLAINED, ""]
    for one in page.sizes:
        lines += [one.table.to_markdown(), *(f"- {note}" for note in one.notes), ""]
    return "\n".join(lines)
