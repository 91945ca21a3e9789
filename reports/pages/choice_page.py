"""The page on which one chooses: sliders for the budgets, and the front that they leave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobilebench.reports.choice.candidates import Candidate, gather, is_timed, kind_of
from mobilebench.reports.choice.choose import rank
from mobilebench.reports.choice.known_accuracy import AccuracyBook
from mobilebench.reports.choice.wording import GROWTH, PLANNED, describe, sentence
from mobilebench.reports.counting import counted
from mobilebench.reports.pages.rendering import Link, render
from mobilebench.reports.records.newest import newest_examined
from mobilebench.reports.records.record import Record
from mobilebench.reports.records.schema import CELL
from mobilebench.reports.records.store import Store

NAME = "choice"
_SETTINGS = ("precision", "runtime", "threads")


@dataclass(frozen=True)
class Place:
    """Candidates that may be compared: of one task, on devices of one kind."""

    title: str
    candidates: tuple[Candidate, ...]  # the best first, all with an accuracy

    def to_data(self) -> dict[str, Any]:
        """Return what the page's script needs, as plain data for JSON."""
        metric = self.candidates[0].accuracy
        return {
            "title": self.title,
            "metric": metric.metric if metric else "",
            "settings": {
                name: sorted({getattr(one.cell, name) for one in self.candidates})
                for name in _SETTINGS
            },
            "candidates": [_data(one) for one in self.candidates],
        }


@dataclass(frozen=True)
class ChoicePage:
    """The content of the page."""

    places: tuple[Place, ...]

    @property
    def summary(self) -> str:
        """The text beside a link to the page."""
        return f"{counted(sum(len(place.candidates) for place in self.places), 'candidate')}"


def find_places(store: Store, run_ids: Sequence[str]) -> list[Place]:
    """Return what can be chosen from by the rows of those runs, the newest of each cell.

    A place has two or more rows with a latency and an accuracy. Emulated devices are left out:
    their latency is the emulator's.
    """
    newest = {
        tuple(getattr(row, name) for name in CELL): row
        for row in store.records(run_ids)
        if not row.emulated
    }
    groups: dict[tuple[str, str], list[Record]] = {}
    for row in newest.values():
        groups.setdefault((row.target, row.task), []).append(row)
    book = AccuracyBook(newest_examined(store.database))
    places = []
    for (target, task), rows in groups.items():
        kinds = list(dict.fromkeys(kind_of(row) for row in rows if is_timed(row)))
        for kind in kinds:
            own = [(0, row) for row in rows if not is_timed(row) or kind_of(row) == kind]
            found = [one for one in gather(own, book).candidates if one.accuracy]
            title = f"{target}, {task}" + (f", {kind[2] or kind[1]}" if len(kinds) > 1 else "")
            if len(found) > 1:  # of one there is no choice
                places.append(Place(title, tuple(sorted(found, key=rank))))
    return places


def write_choice(
    places: Sequence[Place], nav: Sequence[Link], directory: Path
) -> ChoicePage | None:
    """Write `choice.html`; None if there is no place to choose at."""
    if not places:
        return None
    page = ChoicePage(tuple(places))
    data: list[Mapping[str, Any]] = [place.to_data() for place in places]
    html = render(NAME, page=page, nav=nav, data=data, planned=PLANNED, growth=GROWTH)
    (directory / f"{NAME}.html").write_text(html, encoding="utf-8")
    return page


def _data(one: Candidate) -> dict[str, Any]:
    assert one.accuracy
    known = one.accuracy
    return {
        "network": one.cell.variant,
        "weights": one.cell.weights,
        **{name: getattr(one.cell, name) for name in _SETTINGS},
        "name": describe(one),
        "sentence": sentence(one),
        "ms": one.latency_ms,
        "mb": None if one.memory_bytes is None else one.memory_bytes / 1e6,
        "percent": known.percent,
        "published": not known.measured,
        "source": f"{known.source}{f', {known.borrowed}' if known.borrowed else ''}",
        "warnings": one.warnings,
        "estimated": one.estimated,
    }
