"""The findings of a nightly run, as tables whose rows link to the timelines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from mobilebench.reports.comparison.comparison import IMPROVEMENTS, REGRESSIONS
from mobilebench.reports.comparison.watched import WATCHED, Watched
from mobilebench.reports.comparison.wording import verdict_of, what_else
from mobilebench.reports.counting import counted
from mobilebench.reports.history.device_health import COUNTS, READINGS, Health
from mobilebench.reports.history.figure_changes import FAR
from mobilebench.reports.history.finding import Finding, Kind
from mobilebench.reports.history.history import UNCONFIRMED_BAR
from mobilebench.reports.history.night import Failure, Tonight
from mobilebench.reports.history.outcomes import LEAST_CHANGE
from mobilebench.reports.history.screening import FEWEST
from mobilebench.reports.history.timeline import WINDOW
from mobilebench.reports.pages.wording import names_of, place_of, show_ratio
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.tables.table import Table

MOST = 200
"""Rows of a table; the rest is counted."""

_CALLED = "Confirmed: shown in two nights in a row, or the figure has no noise."
TITLES: dict[Kind, tuple[str, str]] = {
    "regression": ("Got worse", _CALLED),
    "pending": ("Pending", "Shown tonight; counts if the next night confirms it."),
    "suspected": ("Suspected", "Seems to have changed, but could not be measured again."),
    "improvement": ("Got better", _CALLED),
    "dismissed": ("Dismissed", "Seemed to have changed, but the library is not the cause."),
}


@dataclass(frozen=True)
class Listing:
    """A table, and where its rows lead to: one link a row, empty where there is none."""

    table: Table
    links: tuple[str, ...]
    count: int  # rows that there are, shown or not


Links = Mapping[CellKey, str]


def findings_listing(tonight: Tonight, kind: Kind, links: Links) -> Listing | None:
    """Return the findings of a kind, the largest change first; None if there are none."""
    findings = largest_first(tonight.having(kind))
    names = names_of(finding.cell for finding in findings)
    rows = [
        (
            names[finding.cell],
            finding.name,
            show_ratio(finding.ratio),
            interval_of(finding),
            "worse" if finding.worse else "better",
            finding.cell.runtime,
            _place(tonight, finding.cell),
            date_of(tonight, finding.since_run_id),
            finding.why,
        )
        for finding in findings
    ]
    headers = ("network", "figure", "change", "95 % interval", "is", "runtime", "where")
    cells = [finding.cell for finding in findings]
    return _listing(TITLES[kind], (*headers, "since", "why"), rows, cells, links)


def largest_first(findings: Sequence[Finding]) -> list[Finding]:
    """Sort findings by how much changed."""
    return sorted(findings, key=lambda one: -max(one.ratio, 1 / (one.ratio or 1)))


def failures_listing(tonight: Tonight, links: Links, device: str | None = None) -> Listing | None:
    """Return tonight's rows that are not ok, of one device or of all; None if all are."""
    failures = [one for one in tonight.failures if device in (None, one.cell.device)]

    def since(failure: Failure) -> str:
        if failure.nights == 1:
            return "tonight" if failure.was_ok else "its first night"
        return f"{failure.nights} nights" if failure.was_ok else f"all {failure.nights} nights"

    names = names_of(failure.cell for failure in failures)
    rows = [
        (
            names[one.cell],
            one.status,
            since(one),
            one.cell.runtime,
            place_of(one.cell, emulated=one.emulated),
            " ".join(one.error.split()),
        )
        for one in failures
    ]
    headers = ("network", "status", "failing for", "runtime", "where", "error")
    cells = [failure.cell for failure in failures]
    title = ("Failed", "Failed rows have no latency. Rows that failed only tonight come first.")
    return _listing(title, headers, rows, cells, links)


def cells_listing(
    tonight: Tonight, title: str, caption: str, cells: Sequence[CellKey], links: Links
) -> Listing | None:
    """Return cells by name; None if there are none."""
    names = names_of(cells)
    rows = [(names[cell], cell.runtime, _place(tonight, cell)) for cell in cells]
    return _listing((title, caption), ("network", "runtime", "where"), rows, cells, links)


def devices_table(healths: Sequence[Health], night: int) -> Table:
    """Return how every device was in a night; a dash where it has no rows."""
    shown = [measure for measure in READINGS if any(_known(one, measure.column) for one in healths)]
    headers = ["device", "rows", *COUNTS, *(one.title.lower() for one in shown), "nights"]
    rows = []
    for health in healths:
        mark = " (emulated)" if health.emulated else ""
        cells = ["-"] * (1 + len(COUNTS) + len(shown))
        if night in health.nights.index:
            own = health.nights.loc[night]
            cells = [f"{own[count]:.0f}" for count in ("rows", *COUNTS)]
            cells += [measure.show(own[measure.column]) for measure in shown]
        rows.append((f"{health.name}{mark}", *cells, str(len(health.nights))))
    caption = (
        "Medians over the night's jobs. "
        + "; ".join(f"{name.capitalize()}: {what}" for name, what in COUNTS.items())
        + f". A dash: not used tonight. Nights: how many of the last {WINDOW} have rows of it."
    )
    return Table("Devices", caption, tuple(headers), tuple(rows))


def comparison_listing(tonight: Tonight, links: Links) -> Listing | None:
    """Return what differs from the night before, the worst first; None if nothing does."""
    comparison = tonight.comparison
    if comparison is None:
        return None
    changes = comparison.having(*REGRESSIONS, *IMPROVEMENTS)
    names = names_of(change.cell for change in changes)
    rows = []
    for change in changes:
        latency, place = change.latency, place_of(change.cell, emulated=change.emulated)
        numbers = ["-", "-"]
        if latency:
            ends = f"{show_ratio(latency.low)} to {show_ratio(latency.high)}"
            numbers = [show_ratio(latency.ratio), ends if latency.high < inf else "unknown"]
        name, verdict = names[change.cell], verdict_of(change)
        rows.append((name, verdict, *numbers, change.cell.runtime, place, what_else(change) or "-"))
    caption = (
        "The two nights as mobilebench compare compares them: latency changes beyond "
        f"{comparison.threshold_percent:g} %, significant at {100 * comparison.alpha:g} % for "
        f"{counted(len(comparison.cells), 'cell')}. Changes of the devices show too."
    )
    headers = (
        "network",
        "verdict",
        "latency",
        "95 % interval",
        "runtime",
        "where",
        "other changes",
    )
    cells = [change.cell for change in changes]
    return _listing(("Compared with the night before", caption), headers, rows, cells, links)


def versions_table(tonight: Tonight) -> Table:
    """Return the versions with which the last two nights were measured."""
    rows = [
        (one.what, one.base or "-", one.head or "-", "" if one.base == one.head else "changed")
        for one in tonight.versions
    ]
    headers = ("what", *tonight.times[-2:], "")
    title, caption = "Tonight and the night before", "As reported by the devices and the tools."
    return Table(title, caption, headers, tuple(rows))


def thresholds_table() -> Table:
    """Return how large a change of each figure must be to count."""
    rows = [
        (
            "latency",
            f"{100 * LEAST_CHANGE:g} %",
            "the libraries of two nights, each measured again beside one from before the change, "
            "show it; what cannot be measured again is suspected from "
            f"{UNCONFIRMED_BAR:g} standard errors on",
        )
    ]
    rows += [(watched.name, _limits(watched), _when(watched)) for watched in WATCHED]
    caption = f"The newest {WINDOW} nights are used."
    return Table("When a change counts", caption, ("figure", "from", "and if"), tuple(rows))


def _limits(watched: Watched) -> str:
    unit = watched.column.rpartition("_")[2]
    least = {"bytes": f"{watched.least / 1e6:g} MB", "percent": f"{watched.least:g} points"}
    parts = [f"{watched.percent:g} %"] if watched.percent else []
    parts += [least.get(unit, f"{watched.least:g} {unit}")] if watched.least else []
    return " and ".join(parts)


def _when(watched: Watched) -> str:
    if watched.noisy:
        return f"two nights in a row are {FAR:g} standard deviations off the median of those before"
    return "the night before had another value: the figure has no noise"


def _listing(
    title: tuple[str, str],
    headers: Sequence[str],
    rows: Sequence[tuple[str, ...]],
    cells: Sequence[CellKey],
    links: Links,
) -> Listing | None:
    if not rows:
        return None
    name, caption = title
    if len(rows) > MOST:
        caption += f" The first {MOST} of {len(rows)}."
    table = Table(name, caption, tuple(headers), tuple(rows[:MOST]))
    return Listing(table, tuple(links.get(cell, "") for cell in cells[:MOST]), len(rows))


def interval_of(finding: Finding) -> str:
    """Return a finding's 95 % interval."""
    if finding.low is None or finding.high is None:
        return "exact"
    return f"{show_ratio(finding.low)} to {show_ratio(finding.high)}"


def _place(tonight: Tonight, cell: CellKey) -> str:
    return place_of(cell, emulated=tonight.is_emulated(cell))


def date_of(tonight: Tonight, run_id: str) -> str:
    """Return when a night was; its name if it is none of these."""
    pairs = zip(tonight.timeline.nights, tonight.dates, strict=True)
    return next((date for night, date in pairs if night.run_id == run_id), run_id)


def _known(health: Health, column: str) -> bool:
    return bool(health.nights[column].notna().any())


def headline(tonight: Tonight) -> str:
    """Return the result of the night in a sentence."""
    worse, failed = len(tonight.having("regression")), len(tonight.failures)
    newly = sum(one.was_ok and one.nights == 1 for one in tonight.failures)
    parts = [f"{counted(worse, 'regression')} found"] if worse else []
    if not tonight.is_judged:
        parts.append(_beside_last(tonight))
    elif not worse:
        parts.append("nothing got worse")
    if failed:
        parts.append(f"{counted(failed, 'row')} failed, {newly} of them for the first time")
    else:
        parts.append("no row failed")
    text = "; ".join(parts)
    text = f"{text[0].upper()}{text[1:]}."
    if tonight.is_judged:
        return text
    judged = f"Latency is judged by its history from {FEWEST + 1} nights on"
    return f"{text} {judged}; this is night {len(tonight.timeline.nights)}."


def _beside_last(tonight: Tonight) -> str:
    changes = tonight.comparison.having("slower", "worse") if tonight.comparison else []
    if not changes:
        return "nothing is worse than in the night before"
    are = "is" if len(changes) == 1 else "are"
    confirmed = sum(bool(one.latency and one.latency.confirmed) for one in changes)
    again = f" ({confirmed} measured again, beside each other)" if confirmed else ""
    return f"{counted(len(changes), 'cell')} {are} worse than in the night before{again}"
