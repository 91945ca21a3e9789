"""The pages of devices: the state of each in every nightly run."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup

from mobilebench.reports.counting import counted
from mobilebench.reports.history.change_points import Array
from mobilebench.reports.history.device_health import COUNTS, READINGS, Health
from mobilebench.reports.history.night import Tonight
from mobilebench.reports.pages.night_page import Links, devices_table, failures_listing
from mobilebench.reports.pages.rendering import Link, file_names, render
from mobilebench.reports.pages.timelines_page import Page
from mobilebench.reports.plots.sparklines import Series, spark
from mobilebench.reports.tables.table import Table

INDEX = "devices.html"


def device_files(healths: Sequence[Health]) -> dict[str, str]:
    """Return the page of each device."""
    names = [health.name for health in healths if health.has_board]
    return dict(zip(names, file_names("device", names), strict=True))


def write_devices(
    tonight: Tonight,
    healths: Sequence[Health],
    timelines: Sequence[Page],
    links: Links,
    nav: Sequence[Link],
    directory: Path,
) -> None:
    """Write a page for every device, and the index of them."""
    files = device_files(healths)
    dates = tonight.dates
    for health in healths:
        if not health.has_board:
            continue
        own = [page for page in timelines if page.cells[0].device == health.name]
        html = render(
            "device",
            health=health,
            plots=_plots(health, dates),
            nights=_nights(tonight, health),
            failures=failures_listing(tonight, links, device=health.name),
            timelines=own,
            nav=nav,
            index=INDEX,
        )
        (directory / files[health.name]).write_text(html, encoding="utf-8")
    html = render(
        "devices",
        devices=devices_table(healths, len(dates) - 1),
        links=[files.get(health.name, "") for health in healths],
        nav=nav,
        here=INDEX,
    )
    (directory / INDEX).write_text(html, encoding="utf-8")


def _plots(health: Health, dates: Sequence[str]) -> list[tuple[str, str, Markup]]:
    """Return title, caption and plot of every measure that the device has, and of what it cost."""
    plots = []
    nothing = np.full(len(dates), np.nan)
    for measure in READINGS:
        values = _over(health, measure.column, len(dates))
        if np.isfinite(values).any():
            series = Series(
                title=f"{measure.title} over {counted(len(dates), 'night')}",
                nights=dates,
                values=values,
                low=_over(health, f"{measure.column}_low", len(dates)),
                high=_over(health, f"{measure.column}_high", len(dates)),
                form=measure.show,
                room=np.inf,
            )
            plots.append((measure.title, measure.caption, spark(series)))
    for count, what in COUNTS.items():
        values = _over(health, count, len(dates))
        if np.nansum(values):
            title = f"{count.capitalize()} over {counted(len(dates), 'night')}"
            whole = Series(title, dates, values, nothing, nothing, lambda value: f"{value:.0f}")
            plots.append((count.capitalize(), f"{what.capitalize()}.", spark(whole)))
    return plots


def _over(health: Health, column: str, count: int) -> Array:
    return np.asarray(health.nights[column].reindex(range(count)), dtype=np.float64)


def _nights(tonight: Tonight, health: Health) -> Table:
    shown = [measure for measure in READINGS if health.nights[measure.column].notna().any()]
    rows = []
    for number, own in health.nights[::-1].iterrows():
        cells = [measure.show(own[measure.column]) for measure in shown]
        counts = [f"{own[count]:.0f}" for count in ("rows", *COUNTS)]
        rows.append((tonight.times[int(str(number))], *counts, *cells, own["reasons"] or "-"))
    headers = ("night", "rows", *COUNTS, *(one.title.lower() for one in shown), "why they failed")
    return Table("Night by night", "Medians; the newest first. UTC.", headers, tuple(rows))
