"""An answer as a sentence, a table, remarks, and plain data."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from mobilebench.reports.choice.answer import (
    NotChosen,
    over_budget,
    runners_up,
    shown_over_budget,
    shown_runners_up,
    shown_settings,
)
from mobilebench.reports.choice.budgets import megabytes
from mobilebench.reports.choice.candidates import Candidate, TargetRows
from mobilebench.reports.choice.choose import Choice
from mobilebench.reports.choice.known_accuracy import KnownAccuracy
from mobilebench.reports.tables.table import Table, milliseconds

PLANNED = "weights and planned activations"
GROWTH = "growth of the process"
PUBLISHED_MARK, ESTIMATED_MARK = "*", "~"
_HEADERS = ("", "network", "precision", "runtime", "threads")


def sentence(chosen: Candidate) -> str:
    """Say which network was chosen, and its figures."""
    about = "estimated" if chosen.estimated else "median"
    parts = [f"{_latency(chosen)} ms ({about})"]
    if chosen.accuracy:
        parts.insert(0, f"{chosen.accuracy.metric} {_percent(chosen.accuracy)} %")
    if chosen.memory_bytes is not None:
        parts.append(f"{megabytes(chosen.memory_bytes)} MB ({_memory_kind(chosen)})")
    return f"{describe(chosen)}: {', '.join(parts)}."


def describe(one: Candidate) -> str:
    """Say which network, resolution, precision, runtime and threads a candidate is."""
    cell = one.cell
    threads = "1 thread" if cell.threads == 1 else f"{cell.threads} threads"
    memory = ", compiled for little memory" if cell.optimize_for == "memory" else ""
    size = f"{one.width} x {one.height} pixels"
    return f"{cell.variant} ({size}) at {cell.precision} in {cell.runtime} on {threads}{memory}"


def answer_table(choice: Choice) -> Table:
    """Return the choice, other settings of it, the runners-up, and what was more accurate."""
    chosen = choice.chosen
    parts: list[tuple[str, Sequence[NotChosen]]] = [
        ("chosen", [NotChosen(chosen, "")] if chosen else []),
        ("otherwise", shown_settings(choice)),
        ("runner-up", shown_runners_up(choice)),
        ("over budget", shown_over_budget(choice)),
    ]
    body = [_row(part, one) for part, members in parts for one in members]
    metric = chosen.accuracy.metric if chosen and chosen.accuracy else "accuracy"
    headers = (*_HEADERS, f"{metric}, %", "ms", "MB", "why not")
    return Table("", _caption(body), headers, tuple(body), words=4)


def _caption(body: Sequence[tuple[str, ...]]) -> str:
    shown = {row[0] for row in body}
    parts = {
        "otherwise": "Otherwise: the chosen network in other settings.",
        "runner-up": "Runner-up: another network within the budgets.",
        "over budget": "Over budget: more accurate than the choice.",
    }
    words = [text for part, text in parts.items() if part in shown]
    if any(PUBLISHED_MARK in row[5] for row in body):
        words.append(f"{PUBLISHED_MARK}: published, not measured.")
    if any(ESTIMATED_MARK in row[6] for row in body):
        words.append(f"{ESTIMATED_MARK}: estimated, not measured.")
    return " ".join([*words, "ms: median latency. MB: of 10^6 bytes."])


def to_text(table: Table) -> str:
    """Return a table as plain text, the last column under each row: it is a sentence."""
    rows = [table.headers, *table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(table.width - 1)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if i < table.words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        lines.append("  ".join(cells))
        if row is not table.headers and row[-1]:
            lines.append(f"{' ' * (widths[0] + 2)}{row[-1]}")
    return "\n".join(lines)


def remarks(choice: Choice, rows: TargetRows) -> list[str]:
    """Return what a reader must know to trust the answer."""
    return list(_remarks(choice, rows))


def _remarks(choice: Choice, rows: TargetRows) -> Iterator[str]:
    chosen = choice.chosen
    if rows.emulated:
        yield "The target is emulated: latencies are the emulator's, and no device's."
    if len(rows.devices) > 1:
        yield f"Measured on {len(rows.devices)} like devices; of each cell the slowest counts."
    if chosen and chosen.accuracy:
        yield from _about_accuracy(choice, chosen.accuracy)
    limit = choice.budgets.latency_ms
    if chosen and limit is not None and (chosen.latency_high_ms or 0) > limit:
        yield (
            f"The median is within the budget, the upper end of its 95 % interval "
            f"({milliseconds(chosen.latency_high_ms or 0)} ms) is not."
        )
    if chosen and chosen.estimated:
        yield f"The choice was not measured: it is estimated {chosen.estimated}."
    elif others := {one.estimated.partition(";")[0] for one in rows.candidates if one.estimated}:
        yield f"Estimates are made {' and '.join(sorted(others))}."
    if chosen and chosen.warnings:
        yield f"The row has a warning: {chosen.warnings}."
    memory_counts = choice.budgets.memory_bytes is not None
    if memory_counts and len({one.memory_planned for one in rows.candidates}) > 1:
        yield (
            f"Memory is {PLANNED} in TVM; other runtimes tell no plan, and theirs is the {GROWTH}."
        )
    if rows.not_counted:
        yield f"Not counted, because their newest row is not ok: {_failures(rows)}."


def _about_accuracy(choice: Choice, known: KnownAccuracy) -> Iterator[str]:
    borrowed = f", {known.borrowed}" if known.borrowed else ""
    how = "" if known.measured else "published: "
    yield f"Accuracy of the choice: {how}{known.source}{borrowed}."
    everything = [*choice.within, *(one.candidate for one in choice.over)]
    sources = {one.accuracy.source for one in everything if one.accuracy and one.accuracy.measured}
    published = any(one.accuracy and not one.accuracy.measured for one in everything)
    if sources and published:
        yield "Some figures are measured and others published: they are not of the same images."


def _failures(rows: TargetRows) -> str:
    counts: dict[str, int] = {}
    for one in rows.not_counted:
        counts[one.status] = counts.get(one.status, 0) + 1
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def to_data(choice: Choice, rows: TargetRows) -> dict[str, Any]:
    """Return all of an answer as plain data for JSON."""
    chosen = choice.chosen
    return {
        "budgets": asdict(choice.budgets),
        "devices": list(rows.devices),
        "emulated": rows.emulated,
        "choice": _data(chosen) if chosen else None,
        "runners_up": [_data(one.candidate) | {"why": one.why} for one in runners_up(choice)],
        "over_budget": [
            _data(one.candidate)
            | {
                "why": one.why,
                "excesses": [
                    {"quantity": excess.quantity, "by": excess.by, "share": _finite(excess.share)}
                    for excess in over.excesses
                ],
            }
            for one, over in zip(over_budget(choice), choice.over, strict=True)
        ],
        "unknown_accuracy": [_data(one) for one in choice.unknown],
        "not_counted": [
            asdict(one.cell) | {"status": one.status, "error": one.error}
            for one in rows.not_counted
        ],
        "remarks": remarks(choice, rows),
    }


def _data(one: Candidate) -> dict[str, Any]:
    return asdict(one.cell) | {
        "height": one.height,
        "width": one.width,
        "latency_ms": one.latency_ms,
        "latency_low_ms": one.latency_low_ms,
        "latency_high_ms": one.latency_high_ms,
        "memory_bytes": one.memory_bytes,
        "memory": _memory_kind(one) if one.memory_bytes is not None else None,
        "accuracy": asdict(one.accuracy) if one.accuracy else None,
        "estimated": one.estimated or None,
        "warnings": one.warnings,
        "run_id": one.run_id or None,
    }


def _finite(share: float) -> float | None:
    return None if share == float("inf") else share


def _row(part: str, shown: NotChosen) -> tuple[str, ...]:
    one, cell = shown.candidate, shown.candidate.cell
    memory = "-" if one.memory_bytes is None else megabytes(one.memory_bytes)
    accuracy = f"{one.accuracy.percent:.1f}" if one.accuracy else "-"
    if one.accuracy:
        accuracy += " " if one.accuracy.measured else PUBLISHED_MARK
    latency = f"{ESTIMATED_MARK if one.estimated else ''}{milliseconds(one.latency_ms)}"
    words = (part, cell.variant, cell.precision, cell.runtime, str(cell.threads))
    return (*words, accuracy, latency, memory, shown.why)


def _latency(one: Candidate) -> str:
    if one.latency_low_ms is None or one.latency_high_ms is None:
        return milliseconds(one.latency_ms)
    ends = f"[{milliseconds(one.latency_low_ms)}, {milliseconds(one.latency_high_ms)}]"
    return f"{milliseconds(one.latency_ms)} {ends}"


def _percent(known: KnownAccuracy) -> str:
    if known.low_percent is None or known.high_percent is None:
        return f"{known.percent:.1f}"
    return f"{known.percent:.1f} [{known.low_percent:.1f}, {known.high_percent:.1f}]"


def _memory_kind(one: Candidate) -> str:
    return PLANNED if one.memory_planned else GROWTH
