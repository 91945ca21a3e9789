"""The page about load: a trace of each network on each device, frames, and energy."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pandas as pd

from mobilebench.reports.counting import counted
from mobilebench.reports.pages.rendering import Link, Picture, render, with_pictures
from mobilebench.reports.plots.load_plot import draw_load
from mobilebench.reports.plots.plot import Plot
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.tables.frames import write_csv
from mobilebench.reports.tables.load_tables import LoadedNetwork, load_tables
from mobilebench.reports.tables.results_table import NOISY
from mobilebench.reports.tables.table import Table

NAME = "load"
_PLACE = list(CellKey.names())


@dataclass(frozen=True)
class DeviceSection:
    """What a page says about one device."""

    device: str
    about: str
    headlines: tuple[str, ...]
    plots: tuple[Plot, ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class LoadPage:
    """The content of the page about load."""

    sections: tuple[DeviceSection, ...]
    networks: int

    @property
    def summary(self) -> str:
        """The text beside a link to the page."""
        devices = counted(len(self.sections), "device")
        return f"{counted(self.networks, 'network')} on {devices}: over minutes, at a pace, energy"


def write_load(
    networks: Sequence[LoadedNetwork], nav: Sequence[Link], directory: Path
) -> LoadPage | None:
    """Write `load.html`, `.md`, `.csv` and plots; None if nothing was put under load."""
    if not networks:
        return None
    by_device = sorted(networks, key=_device_of)  # stable: setups stay together
    sections: list[DeviceSection] = []
    for device, found in groupby(by_device, key=_device_of):
        own = list(found)
        sections.append(_section(device, own, f"{NAME}-{len(sections)}", directory))
    page = LoadPage(tuple(sections), len({one.variant for one in networks}))
    pictures: dict[str, list[Picture]] = {
        one.device: with_pictures(one.plots, directory) for one in sections
    }
    html = render(NAME, page=page, nav=nav, pictures_of=pictures)
    (directory / f"{NAME}.html").write_text(html, encoding="utf-8")
    (directory / f"{NAME}.md").write_text(_markdown(page), encoding="utf-8")
    write_csv(_frame(networks), directory / f"{NAME}.csv")
    return page


def _device_of(network: LoadedNetwork) -> str:
    return f"{network.setup.cell.device}{' (emulated)' if network.setup.emulated else ''}"


def _section(
    device: str, networks: Sequence[LoadedNetwork], prefix: str, directory: Path
) -> DeviceSection:
    drawn = [one for one in networks if one.traces and not one.setup.emulated]
    plots = [
        draw_load(one, directory / f"{prefix}-{number}.png") for number, one in enumerate(drawn)
    ]
    tables = [
        table
        for setup, own in groupby(networks, key=lambda one: one.setup)
        for table in load_tables(setup, list(own))
    ]
    models = dict.fromkeys(str(name) for one in networks for name in one.rows["cpu_model"])
    headlines = [line for one in networks if not one.setup.emulated for line in _headlines(one)]
    about = ", ".join(filter(None, models))
    return DeviceSection(device, about, tuple(headlines), tuple(plots), tuple(tables))


def _headlines(network: LoadedNetwork) -> list[str]:
    """Say of each runtime that slowed down when, and what is left of its speed."""
    return [
        f"{network.variant}, {network.setup.cell.settings}, {runtime}: slower after "
        f"{row['slows_after_s']:.0f} s; {row['speed_left']:.0%} of the first minute's speed is left"
        f"{_doubts(row['warnings'])}"
        for runtime, row in network.rows.iterrows()
        if pd.notna(row["slows_after_s"])
    ]


def _doubts(warnings: str) -> str:
    return f" ({NOISY} {warnings})" if warnings else ""


def _frame(networks: Sequence[LoadedNetwork]) -> pd.DataFrame:
    """Return every point of every trace, with what it is of."""
    return pd.DataFrame(
        [
            dict(row.reset_index().iloc[0][_PLACE]) | vars(point)
            for network in networks
            for runtime, trace in network.traces.items()
            for row in [network.rows.loc[[runtime]]]
            for point in trace
        ]
    )


def _markdown(page: LoadPage) -> str:
    lines = ["# Under load", ""]
    for section in page.sections:
        lines += [f"## {section.device}", "", *(f"- {line}" for line in section.headlines), ""]
        lines += [f"![{plot.alt}]({plot.file_name})\n\n{plot.caption}\n" for plot in section.plots]
        lines += [table.to_markdown() for table in section.tables]
    return "\n".join(lines)
