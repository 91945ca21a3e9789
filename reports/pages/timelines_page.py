"""The pages of timelines: one for each target, device and runtime, and one that leads to them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from mobilebench.reports.comparison.watched import WATCHED, Watched, change_of
from mobilebench.reports.counting import counted
from mobilebench.reports.history.change_points import Array, Changes
from mobilebench.reports.history.finding import Finding, Kind
from mobilebench.reports.history.night import Tonight, has_board
from mobilebench.reports.history.timeline import INTERVAL, LATENCY
from mobilebench.reports.pages.night_page import Listing
from mobilebench.reports.pages.rendering import Link, file_names, render
from mobilebench.reports.pages.wording import (
    names_of,
    place_of,
    show_ratio,
    show_value,
)
from mobilebench.reports.plots.sparklines import Mark, Series, Tone, spark
from mobilebench.reports.plots.timeline_plots import levels
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.tables.frames import MAIN
from mobilebench.reports.tables.results_table import NOISY
from mobilebench.reports.tables.table import Table

INDEX = "timelines.html"
_MOST_STEPS = 100
_TONES: dict[str, Tone] = {"regression": "bad", "improvement": "good"}


@dataclass(frozen=True)
class Drawn:
    """One cell's timelines."""

    anchor: str
    name: str
    now: str
    tone: Tone
    plots: tuple[tuple[str, Markup], ...]  # what each is of, and it


@dataclass(frozen=True)
class Page:
    """The cells of a target, a device and a runtime."""

    file_name: str
    title: str
    emulated: bool
    cells: tuple[CellKey, ...]


def plan_pages(tonight: Tonight) -> list[Page]:
    """Return which cells are shown on which page; those without a board are on none."""
    cells = sorted(filter(has_board, tonight.timeline.cells), key=_order)
    groups = [list(own) for _, own in groupby(cells, key=_place)]
    names = file_names("timeline", ["-".join(_place(own[0])) for own in groups])
    return [
        Page(
            file_name=name,
            title=f"{own[0].runtime}, {own[0].target} on {own[0].device}",
            emulated=any(map(tonight.is_emulated, own)),
            cells=tuple(own),
        )
        for name, own in zip(names, groups, strict=True)
    ]


def links_to(pages: Sequence[Page]) -> dict[CellKey, str]:
    """Return where each cell's timelines are."""
    return {
        cell: f"{page.file_name}#{_anchor(index)}"
        for page in pages
        for index, cell in enumerate(page.cells)
    }


def write_timelines(
    tonight: Tonight,
    pages: Sequence[Page],
    pen: "Pen",
    nav: Sequence[Link],
    directory: Path,
) -> None:
    """Write a file for every page, and the index of them."""
    for page in pages:
        names = names_of(page.cells)
        drawn = [
            (cell.settings, pen.cell(cell, names[cell], _anchor(index)))
            for index, cell in enumerate(page.cells)
        ]
        sections = [
            (settings, [one for _, one in own])
            for settings, own in groupby(drawn, key=lambda pair: pair[0])
        ]
        html = render("timeline", page=page, sections=sections, nav=nav, index=INDEX)
        (directory / page.file_name).write_text(html, encoding="utf-8")
    html = render(
        "timelines",
        pages=_index(tonight, pages),
        steps=_steps(tonight, links_to(pages)),
        nights=nights_table(tonight),
        nav=nav,
        here=INDEX,
    )
    (directory / INDEX).write_text(html, encoding="utf-8")


def nights_table(tonight: Tonight) -> Table:
    """Return the commit and versions of every night, the newest first."""
    rows = tonight.timeline.rows
    by_night = rows.groupby("night")
    ok = (rows["status"] == "ok").groupby(rows["night"]).sum()
    versions = by_night["tvm_version"].agg(lambda known: ", ".join(sorted(set(known) - {""})))
    body = [
        (
            tonight.times[number],
            night.run_id,
            tonight.commits[number] or "-",
            versions.get(number, "") or "-",
            str(ok.get(number, 0)),
            str(by_night.size().get(number, 0) - ok.get(number, 0)),
        )
        for number, night in enumerate(tonight.timeline.nights)
    ]
    caption = "Nights that measured a network of tonight in the same way, the newest first. UTC."
    headers = ("night", "run", "commit", "TVM", "rows ok", "failed")
    return Table("Nights", caption, headers, tuple(body[::-1]))


class Pen:
    """Draws the timelines of cells; what all drawings need is read only once."""

    def __init__(self, tonight: Tonight) -> None:
        timeline = tonight.timeline
        self._tonight = tonight
        self._numbers = {cell: number for number, cell in enumerate(timeline.cells)}
        self._dates = tonight.dates
        columns = (LATENCY, *INTERVAL, *(watched.column for watched in WATCHED), "images")
        self._wide = {column: timeline.wide(column) for column in columns}
        self._commits = [f"commit {commit}" if commit else "" for commit in tonight.commits]
        self._warnings = timeline.texts("warnings")
        failed = timeline.rows[timeline.rows["status"] != "ok"]
        self._failed = {int(cell): list(_failures(own)) for cell, own in failed.groupby("cell")}
        self._findings: dict[CellKey, list[Finding]] = {}
        for finding in tonight.findings:
            self._findings.setdefault(finding.cell, []).append(finding)

    def cell(self, cell: CellKey, name: str, anchor: str) -> Drawn:
        """Draw a cell's latency, unless it is an emulator's, and other figures that moved."""
        number = self._numbers[cell]
        findings = self._findings.get(cell, [])
        plots = []
        changes = self._tonight.changes.get(cell)
        if changes is not None:
            plots.append(("", spark(self._latency(number, name, changes, findings))))
        plots += [
            (watched.name, spark(self._figure(number, name, watched, findings)))
            for watched in WATCHED
            if self._moved(number, watched)
        ]
        shown = [finding for finding in findings if finding.kind != "dismissed"]
        tones: list[Tone] = ["soft", *(_TONES.get(finding.kind, "soft") for finding in shown)]
        failed = [why for night, why in self._failed.get(number, []) if night == self._last]
        tone: Tone = "bad" if failed else min(tones)
        return Drawn(anchor, name, self._now(number, changes, shown, failed), tone, tuple(plots))

    def finding(self, finding: Finding) -> Markup | None:
        """Draw the figure that a finding is about; None where that is an emulator's latency."""
        number, name = self._numbers[finding.cell], finding.cell.variant
        if finding.column != LATENCY:
            watched = next(one for one in WATCHED if one.column == finding.column)
            return spark(self._figure(number, name, watched, [finding]))
        changes = self._tonight.changes.get(finding.cell)
        return spark(self._latency(number, name, changes, [finding])) if changes else None

    def warnings(self, cell: CellKey) -> str:
        """Return what tonight's row of a cell warns of."""
        return str(self._warnings[self._numbers[cell], -1])

    def _notes(self, number: int) -> list[str]:
        """Return a note for each night, shown beside its value."""
        return [
            ", ".join(filter(None, (commit, f"{NOISY} {warning}" if warning else "")))
            for commit, warning in zip(self._commits, self._warnings[number], strict=True)
        ]

    @property
    def _last(self) -> int:
        return len(self._dates) - 1

    def _now(
        self,
        number: int,
        changes: Changes | None,
        findings: Sequence[Finding],
        failed: Sequence[str],
    ) -> str:
        """Return tonight's result of the cell."""
        value = float(self._wide[LATENCY][number, -1])
        if failed:
            parts = [f"failed tonight: {failed[0]}"]
        elif changes is None:
            parts = ["emulated: no latency"]
        else:
            known = np.isfinite(value)
            parts = [show_value(LATENCY, value) if known else "not measured tonight"]
        parts += [f"{one.kind}: {one.name} {show_ratio(one.ratio)}" for one in findings]
        if changes and changes.drift:
            parts.append(f"drifts by {show_ratio(changes.drift.ratio_a_night, 2)} a night")
        if self._warnings[number, -1]:
            parts.append(f"{NOISY} {self._warnings[number, -1]}")
        return "; ".join(parts)

    def _latency(
        self, number: int, name: str, changes: Changes, findings: Sequence[Finding]
    ) -> Series:
        values, low, high = (self._wide[column][number] for column in (LATENCY, *INTERVAL))
        marks = [
            Mark(step.night, show_ratio(step.ratio), "bad" if step.ratio > 1 else "good")
            for step in changes.steps
        ]
        return Series(
            title=f"Latency of {name} over {counted(len(values), 'night')}",
            nights=self._dates,
            values=values,
            low=low,
            high=high,
            form=lambda value: show_value(LATENCY, value),
            notes=self._notes(number),
            hollow=changes.outliers,
            crosses=self._failed.get(number, ()),
            lines=list(levels(values, changes)),
            marks=marks,
            ring=_ring(findings, LATENCY) if np.isfinite(values[-1]) else None,
        )

    def _figure(
        self, number: int, name: str, watched: Watched, findings: Sequence[Finding]
    ) -> Series:
        values = self._wide[watched.column][number]
        nothing = np.full(len(values), np.nan)
        return Series(
            title=f"{watched.name} of {name} over {counted(len(values), 'night')}",
            nights=self._dates,
            values=values,
            low=nothing,
            high=nothing,
            form=lambda value: show_value(watched.column, value),
            notes=self._notes(number),
            crosses=self._failed.get(number, ()),
            ring=_ring(findings, watched.column) if np.isfinite(values[-1]) else None,
        )

    def _moved(self, number: int, watched: Watched) -> bool:
        """Whether a figure changed from one night to the next by more than its limits."""
        images = self._wide["images"][number]
        values = self._wide[watched.column][number]
        known: Array = values[np.isfinite(values)]
        if len(known) < 2 or known.min() == known.max():
            return False
        count = int(np.nanmax(images)) if np.isfinite(images).any() else 0
        return any(
            change_of(watched, float(before), float(after), count) != "same"
            for before, after in pairwise(known)
        )


def _ring(findings: Sequence[Finding], column: str) -> Tone | None:
    kinds = [one.kind for one in findings if one.column == column and one.kind != "dismissed"]
    return _TONES.get(kinds[0], "soft") if kinds else None


def _failures(rows: pd.DataFrame) -> Iterator[tuple[int, str]]:
    for row in rows.itertuples():
        yield int(row.night), str(row.status)


def _index(tonight: Tonight, pages: Sequence[Page]) -> Listing:
    kinds: tuple[Kind, ...] = ("regression", "pending", "suspected", "improvement")
    found = {kind: {one.cell for one in tonight.having(kind)} for kind in kinds}
    rows = []
    for page in pages:
        cells = set(page.cells)
        steps = sum(
            len(tonight.changes[cell].steps) for cell in page.cells if cell in tonight.changes
        )
        counts = (len(cells), steps, *(len(cells & found[kind]) for kind in kinds))
        rows.append((_titled(page), *map(str, counts)))
    caption = (
        "Each page shows the latency of its networks in every night, and every other figure that "
        "changed. Steps are found from the medians alone, as a help for readers."
    )
    headers = ("target, device and runtime", "cells", "steps", *kinds)
    table = Table("Timelines", caption, headers, tuple(rows))
    return Listing(table, tuple(page.file_name for page in pages), len(pages))


def _titled(page: Page) -> str:
    return page.title + (", emulated" if page.emulated else "")


def _steps(tonight: Tonight, links: Mapping[CellKey, str]) -> Listing | None:
    """Return the steps in the shown cells, the newest first."""
    found = sorted(
        (
            (step, cell)
            for cell, changes in tonight.changes.items()
            for step in changes.steps
            if cell in links
        ),
        key=lambda pair: (-pair[0].night, -abs(np.log(pair[0].ratio))),
    )
    if not found:
        return None
    names = names_of(cell for _, cell in found)
    commits = tonight.commits
    rows = [
        (
            names[cell],
            show_ratio(step.ratio),
            f"{show_ratio(step.low)} to {show_ratio(step.high)}",
            tonight.dates[step.night],
            "..".join(dict.fromkeys(filter(None, commits[step.night - 1 : step.night + 1]))) or "-",
            cell.runtime,
            place_of(cell, emulated=False),
        )
        for step, cell in found[:_MOST_STEPS]
    ]
    more = f" The newest {_MOST_STEPS} of {len(found)}." if len(found) > _MOST_STEPS else ""
    caption = f"Steps of latency, found from the nights' medians alone; they fail no run.{more}"
    headers = ("network", "change", "95 % interval", "from night", "commits", "runtime", "where")
    table = Table("Steps", caption, headers, tuple(rows))
    return Listing(table, tuple(links[cell] for _, cell in found[:_MOST_STEPS]), len(found))


def _place(cell: CellKey) -> tuple[str, str, str]:
    return cell.target, cell.device, cell.runtime


def _order(cell: CellKey) -> tuple[object, ...]:
    """Sort by page, then by settings and names, with the numbers in them as numbers."""
    others = (name for name in CellKey.names() if name not in ("target", "device", "runtime"))
    return (
        *(cell.target, cell.device, cell.runtime != MAIN, cell.runtime),
        *(_natural(str(getattr(cell, name))) for name in others),
    )


def _natural(text: str) -> list[tuple[float, str]]:
    return [
        (float(part), "") if part.replace(".", "", 1).isdigit() else (0.0, part)
        for part in re.split(r"(\d+(?:\.\d+)?)", text)
    ]


def _anchor(index: int) -> str:
    return f"cell-{index}"
