"""A comparison for people: lines for a terminal, Markdown for a pull request."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate

from mobilebench.reports.comparison.comparison import (
    IMPROVEMENTS,
    SEVERITY,
    CellChange,
    Comparison,
    FigureChange,
    Lone,
)
from mobilebench.reports.counting import counted
from mobilebench.reports.records.cell_key import CellKey

NOISY = "†"
_ROOM, _ROOM_FOLDED = 24_000, 6_000  # characters of a part in Markdown
_LONGEST = 300  # characters of a cell of a table in Markdown
_HEADERS = ("verdict", "head / base", "95 % interval", "p", "median, ms", "cell", "other changes")


def summary(comparison: Comparison) -> str:
    """Return the result in one line."""
    counts = Counter[str](change.verdict for change in comparison.cells)
    counts |= {"new": len(comparison.new), "gone": len(comparison.gone)}
    names = (*SEVERITY, "new", "gone")
    found = ", ".join(f"{counts[name]} {name}" for name in names if counts[name])
    regressions = counted(len(comparison.regressions), "regression")
    cells = counted(len(comparison.cells), "cell")
    return f"{regressions} in {cells}: {found}"


def to_text(comparison: Comparison) -> str:
    """Return lines of plain text, the worst last, where a terminal shows them; then the summary."""
    shown = [_row(change) for change in reversed(comparison.cells)]
    rows = [_HEADERS, *shown]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [*_head(comparison), ""]
    for row, change in zip(rows, [None, *reversed(comparison.cells)], strict=True):
        padded = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        lines.append(padded.rstrip())
        if change and change.verdict != "same":
            lines += [f"    {NOISY} {doubt}" for doubt in change.doubts]
    for what, lones in (("new", comparison.new), ("gone", comparison.gone)):
        lines += [f"{what}: {_lone(lone)}" for lone in lones]
    return "\n".join([*lines, "", summary(comparison), ""])


def to_markdown(comparison: Comparison) -> str:
    """Return GitHub's Markdown: regressions in full view, the rest folded, what is same counted.

    GitHub takes comments of 65,536 characters, so no part of it is longer than it has room for.
    """
    lines = [f"### mobilebench: {summary(comparison)}", ""]
    lines += [f"- {_escaped(line)}" for line in _head(comparison)]
    lines += ["", *_table(comparison.regressions, _ROOM)]
    groups: dict[str, list[CellChange]] = {
        "Improvements": comparison.having(*IMPROVEMENTS),
        "Unclear": comparison.having("unclear"),
        "Failed in both": comparison.having("failed"),
    }
    for title, changes in groups.items():
        lines += _folded(title, _table(changes, _ROOM_FOLDED), len(changes))
    for title, lones in (("New", comparison.new), ("Gone", comparison.gone)):
        listed = [f"- {_escaped(_lone(lone))}" for lone in lones]
        lines += _folded(title, _fitting(listed, _ROOM_FOLDED), len(lones))
    return "\n".join(lines).rstrip() + "\n"


def cell_name(cell: CellKey, emulated: bool) -> str:
    """Return a cell's full name."""
    mark = ", emulated" if emulated else ""
    return f"{cell.variant} {cell.runtime} ({cell.weights}), {cell.place}{mark}"


def what_else(change: CellChange) -> str:
    """Describe changes besides latency: other statuses, and figures that changed."""
    found = []
    if change.head_status != "ok" or change.base_status != "ok":
        found.append(f"{change.base_status} -> {change.head_status}")
    if change.head_error:
        found.append(" ".join(change.head_error.split()))
    found += [_figure(figure) for figure in change.figures if figure.change != "same"]
    return "; ".join(found)


def verdict_of(change: CellChange) -> str:
    """Return the verdict, whether it is confirmed, and the mark of a noisy row."""
    confirmed = ", confirmed" if change.latency and change.latency.confirmed else ""
    return f"{change.verdict}{confirmed}{f' {NOISY}' if change.doubts else ''}"


def _head(comparison: Comparison) -> list[str]:
    lines = [
        f"{name} {side.run_id}, started {side.started_at}, {counted(side.rows, 'row')}"
        for name, side in (("BASE", comparison.base), ("HEAD", comparison.head))
    ]
    for one in comparison.differences:
        lines.append(f"{one.what}: {one.base or 'unknown'} -> {one.head or 'unknown'}")
    return [*lines, *comparison.remarks]


def _row(change: CellChange) -> tuple[str, ...]:
    latency = change.latency
    numbers = ["-", "-", "-", "-"]
    if latency:
        known = latency.high != float("inf")
        numbers = [
            f"{latency.ratio:.3f}",
            f"[{latency.low:.3f}, {latency.high:.3f}]" if known else "unknown: one round",
            f"{latency.p_adjusted:.2g}",
            f"{latency.base_ms:.4g} -> {latency.head_ms:.4g}",
        ]
    name = cell_name(change.cell, change.emulated)
    return (verdict_of(change), *numbers, name, what_else(change))


def _figure(figure: FigureChange) -> str:
    form = _FORMS[figure.column.rpartition("_")[2]]
    moved = f" ({figure.head / figure.base - 1:+.1%})" if figure.base else ""
    return f"{figure.name} {form(figure.base)} -> {form(figure.head)}{moved}, {figure.change}"


_FORMS: dict[str, Callable[[float], str]] = {
    "instructions": lambda value: f"{value / 1e6:.3f} million",
    "bytes": lambda value: f"{value / 1e6:.2f} MB",
    "s": lambda value: f"{value:.1f} s",
    "percent": lambda value: f"{value:.1f} %",
}


def _lone(lone: Lone) -> str:
    status = f", {lone.status}" if lone.status != "ok" else ""
    why = f" ({lone.why})" if lone.why else ""
    return f"{cell_name(lone.cell, lone.emulated)}{status}{why}"


def _table(changes: Sequence[CellChange], room: int) -> list[str]:
    """Return a table and what is doubtful about its rows; each fills half the room at most."""
    if not changes:
        return []
    lines = ["|" + "|".join(_HEADERS) + "|", "|" + "|".join(["---"] * len(_HEADERS)) + "|"]
    rows = ["|" + "|".join(map(_escaped, _row(change))) + "|" for change in changes]
    doubts = [
        f"{NOISY} {_escaped(cell_name(change.cell, change.emulated))}: {_escaped(doubt)}<br>"
        for change in changes
        for doubt in change.doubts
    ]
    return [*lines, *_fitting(rows, room // 2), "", *_fitting(doubts, room // 2), ""]


def _folded(title: str, inner: Sequence[str], count: int) -> list[str]:
    if not count:
        return []
    return [f"<details><summary>{title} ({count})</summary>", "", *inner, "", "</details>", ""]


def _fitting(lines: Sequence[str], room: int) -> list[str]:
    """Return as many lines as there is room for, and how many there are more."""
    ends = accumulate(len(line) + 1 for line in lines)
    fitting = [line for line, end in zip(lines, ends, strict=True) if end <= room]
    more = len(lines) - len(fitting)
    return [*fitting, *([f"\nand {more} more, which `--format json` has"] if more else [])]


def _escaped(text: str) -> str:
    shorter = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    return shorter.replace("|", "\\|").replace("<", "&lt;").replace("->", "→")
