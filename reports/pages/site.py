"""The further pages of a nightly run: at a glance, timelines, devices."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from mobilebench.reports.history.device_health import healths
from mobilebench.reports.history.finding import Finding, Kind
from mobilebench.reports.history.night import Tonight
from mobilebench.reports.history.timeline import LATENCY
from mobilebench.reports.pages import devices_page as devices
from mobilebench.reports.pages import timelines_page as timelines
from mobilebench.reports.pages.night_page import (
    TITLES,
    Links,
    Listing,
    cells_listing,
    comparison_listing,
    date_of,
    devices_table,
    failures_listing,
    findings_listing,
    headline,
    interval_of,
    largest_first,
    thresholds_table,
    versions_table,
)
from mobilebench.reports.pages.rendering import Link, render
from mobilebench.reports.pages.wording import names_of, place_of, show_ratio
from mobilebench.reports.plots.plot import Plot
from mobilebench.reports.plots.timeline_plots import draw_timeline

PAGE = "index.html"
_CARDS: tuple[Kind, ...] = ("regression", "pending", "suspected", "improvement")
_MOST_CARDS = 60  # of a kind
_MOST_DRAWN = 8  # a tenth of a second each


@dataclass(frozen=True)
class Card:
    """A finding as the first page shows it."""

    name: str
    link: str  # to the cell's timelines
    finding: Finding
    change: str
    interval: str
    since: str
    place: str
    warnings: str  # of tonight's row
    plot: Markup | None


def navigation(tonight: Tonight | None, run_page: str) -> list[Link]:
    """Return where the pages of a report lead to."""
    if tonight is None:
        return [Link(run_page, "Report")]
    return [
        Link(PAGE, "Tonight"),
        Link(run_page, "The run"),
        Link(timelines.INDEX, "Timelines"),
        Link(devices.INDEX, "Devices"),
    ]


def write_site(
    tonight: Tonight, nav: Sequence[Link], more: Sequence[Link], directory: Path
) -> None:
    """Write the pages of a night; `more` are pages of its run that its first page leads to."""
    pages = timelines.plan_pages(tonight)
    links = timelines.links_to(pages)
    known = healths(tonight.timeline)
    pen = timelines.Pen(tonight)
    timelines.write_timelines(tonight, pages, pen, nav, directory)
    devices.write_devices(tonight, known, pages, links, nav, directory)
    files = devices.device_files(known)
    findings = {kind: findings_listing(tonight, kind, links) for kind in TITLES}
    failures = failures_listing(tonight, links)
    compared = comparison_listing(tonight, links)
    others = [
        cells_listing(tonight, "Works again", "Failed in the night before.", tonight.fixed, links),
        cells_listing(tonight, "New", "Not measured in any earlier night.", tonight.new, links),
        cells_listing(tonight, "Gone", "In the night before only.", tonight.gone, links),
    ]
    night = len(tonight.timeline.nights) - 1
    here = [one for one in known if one.nights.index[-1] >= night - 1]
    state = devices_table(here, night)
    html = render(
        "tonight",
        tonight=tonight,
        headline=headline(tonight),
        before="the night" if night == 1 else f"the {night} nights",
        several=night > 1,
        findings=findings,
        cards={kind: _cards(tonight, kind, links, pen) for kind in _CARDS},
        failures=failures,
        compared=compared,
        others=[one for one in others if one],
        devices=Listing(state, tuple(files.get(one.name, "") for one in here), len(here)),
        versions=versions_table(tonight),
        thresholds=thresholds_table(),
        warned=int(((tonight.rows["status"] == "ok") & (tonight.rows["warnings"] != "")).sum()),
        more=more,
        nav=nav,
        here=PAGE,
    )
    (directory / PAGE).write_text(html, encoding="utf-8")
    shown = [*findings.values(), failures, *others, compared]
    tables = [one.table for one in shown if one]
    tables += [state, versions_table(tonight), thresholds_table()]
    plots = _draw(tonight, directory)
    head = f"# Tonight at a glance\n\nRun {tonight.run.run_id}. {headline(tonight)}\n"
    pictures = [f"![{one.alt}]({one.file_name})\n\n{one.title}. {one.caption}\n" for one in plots]
    text = "\n".join([head, *(table.to_markdown() for table in tables), *pictures])
    (directory / "tonight.md").write_text(text, encoding="utf-8")


def _cards(tonight: Tonight, kind: Kind, links: Links, pen: timelines.Pen) -> list[Card]:
    """Return the findings of a kind, the largest change first."""
    findings = largest_first(tonight.having(kind))[:_MOST_CARDS]
    names = names_of(one.cell for one in findings)
    return [
        Card(
            name=names[one.cell],
            link=links.get(one.cell, ""),
            finding=one,
            change=show_ratio(one.ratio),
            interval=interval_of(one),
            since=date_of(tonight, one.since_run_id),
            place=place_of(one.cell, emulated=tonight.is_emulated(one.cell)),
            warnings=pen.warnings(one.cell),
            plot=pen.finding(one),
        )
        for one in findings
    ]


def _draw(tonight: Tonight, directory: Path) -> list[Plot]:
    """Draw the timelines of the networks that got slower or faster, for Markdown."""
    kinds: tuple[Kind, ...] = ("regression", "improvement")
    found = [one for kind in kinds for one in tonight.having(kind) if one.column == LATENCY]
    return [
        draw_timeline(
            tonight.timeline,
            one.cell,
            tonight.changes[one.cell],
            directory / f"tonight-{index}.svg",
        )
        for index, one in enumerate(found[:_MOST_DRAWN])
    ]
