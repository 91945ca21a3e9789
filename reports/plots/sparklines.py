"""Small plots of many nights, as SVG in the page itself: hundreds of them in a second."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape

from mobilebench.reports.history.change_points import Array

_WIDTH, _HEIGHT = 440, 112
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 8, 19, 21
_CROSS = 3.5

Tone = Literal["bad", "good", "soft"]


@dataclass(frozen=True)
class Mark:
    """A line between two nights, and what it says."""

    night: int  # the first one after it
    text: str
    tone: Tone


@dataclass(frozen=True)
class Series:
    """A figure over nights, NaN where there is none; all of one length."""

    title: str  # for those who do not see the plot
    nights: Sequence[str]  # their dates
    values: Array
    low: Array
    high: Array
    form: Callable[[float], str]  # a value with its unit
    notes: Sequence[str] = ()  # of each night, beside its value
    hollow: Sequence[int] = ()  # nights
    crosses: Sequence[tuple[int, str]] = ()  # nights without a value, and why
    lines: Sequence[tuple[Array, Array]] = ()  # nights and values of fitted levels
    marks: Sequence[Mark] = ()
    ring: Tone | None = None  # around the newest value
    room: float = 0.3  # of the values' range, for intervals above and below it


def spark(series: Series) -> Markup:
    """Draw a series; every point says its night, value and interval where a pointer rests on it."""
    low, high = _range(series)
    count = len(series.values)

    def x(night: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (night + 0.5) / max(count, 1)

    def y(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share

    parts = [
        f'<svg class="spark" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(series.title)}">',
        _axes(series, low, high, y),
        *(_mark(mark, x(mark.night - 0.5)) for mark in series.marks),
        _intervals(series, x, y),
        *(_line(line, x, y) for line in series.lines),
        *(_cross(x(night), f"{series.nights[night]}: {why}") for night, why in series.crosses),
        _points(series, x, y),
        "</svg>",
    ]
    return Markup("".join(parts))


def _range(series: Series) -> tuple[float, float]:
    """Return what the height stands for: all values, and intervals as far as there is room."""
    known = series.values[np.isfinite(series.values)]
    if not len(known):
        return 0.0, 1.0
    least, most = float(known.min()), float(known.max())
    room = series.room * ((most - least) or abs(most) * 0.02 or 1.0)
    ends = [end[np.isfinite(end)] for end in (series.low, series.high)]
    low = max(min([least, *ends[0]]), least - room)
    high = min(max([most, *ends[1]]), most + room)
    spare = 0.04 * (high - low) or 0.02 * abs(most) or 1.0
    return low - spare, high + spare


_Place = Callable[[float], float]


def _axes(series: Series, low: float, high: float, y: _Place) -> str:
    foot = _HEIGHT - _BOTTOM
    parts = [f'<path class="axis" d="M{_LEFT} {_TOP}V{foot}H{_WIDTH - _RIGHT}"/>']
    known = series.values[np.isfinite(series.values)]
    if len(known):
        ends = {float(known.min()), float(known.max())}
        if len(ends) == 2 and abs(y(max(ends)) - y(min(ends))) < 14:
            ends = {max(ends)}
        for value in ends:
            text = escape(series.form(value))
            parts.append(f'<text x="{_LEFT - 5}" y="{y(value) + 4:.0f}" class="end">{text}</text>')
    else:
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        parts.append(f'<text x="{middle:.0f}" y="{_HEIGHT / 2:.0f}" class="middle">nothing</text>')
    first, last = series.nights[0], series.nights[-1]
    parts.append(f'<text x="{_LEFT}" y="{_HEIGHT - 5}">{escape(first)}</text>')
    if len(series.nights) > 1:
        right = _WIDTH - _RIGHT
        parts.append(f'<text x="{right}" y="{_HEIGHT - 5}" class="end">{escape(last)}</text>')
    return "".join(parts)


def _mark(mark: Mark, x: float) -> str:
    return (
        f'<path class="step {mark.tone}" d="M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>'
        f'<text x="{x:.1f}" y="{_TOP - 6}" class="middle {mark.tone}">{escape(mark.text)}</text>'
    )


def _intervals(series: Series, x: _Place, y: _Place) -> str:
    known = np.isfinite(series.values) & np.isfinite(series.low) & np.isfinite(series.high)
    bars = "".join(
        f"M{x(night):.1f} {y(series.low[night]):.1f}V{y(series.high[night]):.1f}"
        for night in _places(known)
    )
    return f'<path class="bars" d="{bars}"/>' if bars else ""


def _line(line: tuple[Array, Array], x: _Place, y: _Place) -> str:
    places = (f"{x(night):.1f} {y(value):.1f}" for night, value in zip(*line, strict=True))
    return f'<path class="level" d="M{"L".join(places)}"/>'


def _cross(x: float, why: str) -> str:
    size, y = _CROSS, _HEIGHT - _BOTTOM - 2 * _CROSS
    return (
        f'<path class="cross" d="M{x - size:.1f} {y - size}l{2 * size} {2 * size}m0 {-2 * size}'
        f'l{-2 * size} {2 * size}"><title>{escape(why)}</title></path>'
    )


def _points(series: Series, x: _Place, y: _Place) -> str:
    parts = []
    known = _places(np.isfinite(series.values))
    hollow = set(series.hollow)
    for night in known:
        note = f", {series.notes[night]}" if series.notes and series.notes[night] else ""
        text = f"{series.nights[night]}: {_with_interval(series, night)}{note}"
        kind = ' class="hollow"' if night in hollow else ""
        parts.append(
            f'<circle{kind} cx="{x(night):.1f}" cy="{y(series.values[night]):.1f}" r="2.6">'
            f"<title>{escape(text)}</title></circle>"
        )
    if series.ring and known:
        newest = known[-1]
        place = f'cx="{x(newest):.1f}" cy="{y(series.values[newest]):.1f}"'
        parts.append(f'<circle class="ring {series.ring}" {place} r="6"/>')
    return "".join(parts)


def _places(known: npt.NDArray[np.bool_]) -> list[int]:
    return [int(night) for night in np.flatnonzero(known)]


def _with_interval(series: Series, night: int) -> str:
    low, high = series.low[night], series.high[night]
    interval = ""
    if np.isfinite(low) and np.isfinite(high) and low < high:
        interval = f" [{series.form(low)}, {series.form(high)}]"
    return series.form(series.values[night]) + interval
