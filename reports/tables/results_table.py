"""The tables of a report: latency, memory, fidelity, cost, and what failed."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from mobilebench.reports.records.environment import PARTS, SETTINGS, STATE, VERSIONS
from mobilebench.reports.records.record import UNSUPPORTED
from mobilebench.reports.tables.frames import (
    MAIN,
    Setup,
    by_runtime,
    geometric_mean,
    newest,
    ok_rows,
    one_at_a_time,
    ratios,
    setups,
)
from mobilebench.reports.tables.table import Table, milliseconds

NOISY = "†"
_MEGABYTE = 1e6


def result_tables(frame: pd.DataFrame) -> list[Table]:
    """Return the tables of all setups that have a result."""
    tables = []
    for setup, rows in setups(ok_rows(newest(frame))):
        tables.append(_latency(setup, rows))
        if rows["instructions"].notna().any():
            tables.append(_instructions(setup, rows))
        tables += [_memory(setup, rows), _fidelity(setup, rows)]
        if (rows["runtime"] == MAIN).any():
            tables.append(_cost(setup, rows[rows["runtime"] == MAIN]))
    return tables


def precisions_table(frame: pd.DataFrame) -> list[Table]:
    """Return, where several precisions were measured, each runtime's best of each beside the other.

    A column is a precision; the last one tells how many times as fast the best is as float32.
    """
    rows = one_at_a_time(ok_rows(newest(frame))).dropna(subset="latency_p50_ms")
    tables = []
    places = ["target", "device", "threads", "optimize_for"]
    for place, alike in rows.groupby(places, sort=False):
        names = list(alike["precision"].unique())
        if len(names) < 2:
            continue
        wide = alike.sort_values(["macs", "variant"], kind="stable").pivot_table(
            index=["variant", "runtime"], columns="precision", values="latency_p50_ms", sort=False
        )
        body = []
        for variant, own in wide.groupby(level="variant", sort=False):
            fastest = own.min()
            for (_, runtime), row in own.iterrows():
                shown = [
                    f"{milliseconds(row[n])}{' *' if row[n] == fastest[n] else ''}"
                    if pd.notna(row[n])
                    else "-"
                    for n in names
                ]
                gain = row[names[0]] / row.min()
                body.append((str(variant), str(runtime), *shown, _number(gain, ".2f")))
        threads = "1 thread" if place[2] == 1 else f"{place[2]} threads"
        caption = (
            "Median latency in milliseconds; * marks the fastest runtime at a precision. The last "
            f"column: {names[0]} over the runtime's best precision."
        )
        headers = ("variant", "runtime", *(f"{n}, ms" for n in names), f"{names[0]} / best")
        title = f"Precisions: {place[0]} on {place[1]}, {threads}"
        tables.append(Table(title, caption, headers, tuple(body), words=2))
    return tables


def failed_table(frame: pd.DataFrame) -> Table | None:
    """Return every row that is neither ok nor unsupported, with its reason; None without any."""
    failed = frame[~frame["status"].isin(["ok", UNSUPPORTED])]
    if failed.empty:
        return None
    columns = ["variant", "target", "device", "runtime", "threads", "precision", "status", "error"]
    return Table("Failed rows", "These have no latency.", tuple(columns), _text(failed, columns))


def unsupported_table(frame: pd.DataFrame) -> Table | None:
    """Return which runtime has not which precision where, and why; None if each has all."""
    rows = frame[frame["status"] == UNSUPPORTED]
    if rows.empty:
        return None
    columns = ["runtime", "precision", "target", "error"]
    counts = rows.groupby(columns, sort=False)["variant"].nunique().reset_index()
    body = tuple(tuple(map(str, row)) for row in counts.itertuples(index=False))
    headers = ("runtime", "precision", "target", "reason", "variants")
    return Table("Unsupported", "Nothing was measured of these.", headers, body, words=4)


def warnings_table(frame: pd.DataFrame) -> Table | None:
    """Return the rows that carry a warning; None if none does."""
    noisy = frame[(frame["status"] == "ok") & (frame["warnings"] != "")]
    if noisy.empty:
        return None
    columns = ["variant", "target", "device", "runtime", "threads", "precision", "warnings"]
    return Table("Warnings", f"Marked {NOISY} above.", tuple(columns), _text(noisy, columns))


def environment_table(frame: pd.DataFrame) -> Table:
    """Return the environment of the rows; a range where a value varied."""
    columns = STATE | PARTS | VERSIONS | SETTINGS
    rows = [(name, _distinct(frame[column])) for name, column in columns.items()]
    runtimes = frame[["runtime", "runtime_version"]].drop_duplicates().itertuples(index=False)
    rows.append(("runtimes", ", ".join(f"{name} {version}" for name, version in runtimes)))
    shown = tuple(row for row in rows if row[1])
    return Table(
        "Environment", "As reported by the devices and the tools.", ("what", "value"), shown
    )


def _text(frame: pd.DataFrame, columns: list[str]) -> tuple[tuple[str, ...], ...]:
    """Show columns as they are; an emulated target says so."""
    targets = frame["target"].where(
        ~frame["emulated"].astype(bool), frame["target"] + " (emulated)"
    )
    shown = frame.assign(target=targets)[columns]
    return tuple(tuple(map(str, row)) for row in shown.itertuples(index=False))


def _latency(setup: Setup, rows: pd.DataFrame) -> Table:
    indexed = rows.set_index(["variant", "runtime"])
    names = list(by_runtime(rows, "latency_p50_ms").columns)
    headers = ["variant", *(f"{name}, ms" for name in names)]
    body = [
        (variant, *(_interval(indexed, (variant, name)) for name in names))
        for variant in rows["variant"].unique()
    ]
    ratio = ratios(rows)
    if len(ratio.columns):
        fastest = ratio.min(axis=1)
        named = [_fastest(ratio.loc[row[0]]) for row in body]
        body = [(*row, name) for row, name in zip(body, named, strict=True)]
        means = [
            f"{geometric_mean(ratio[name]):.2f} × {MAIN}" if name in ratio else "" for name in names
        ]
        body.append(("geometric mean", *means, _number(geometric_mean(fastest), ".2f")))
        headers.append(f"fastest other / {MAIN}")
    caption = (
        "Median of one inference with its 95 % bootstrap interval, milliseconds. "
        f"{NOISY} marks a row with a warning."
    )
    return Table(f"Latency: {setup.title}", caption, tuple(headers), tuple(body))


def _instructions(setup: Setup, rows: pd.DataFrame) -> Table:
    counts = by_runtime(rows, "instructions").dropna(axis=1, how="all")
    macs = rows.groupby("variant", sort=False)["macs"].first()
    others = counts.drop(columns=MAIN, errors="ignore")
    headers = ["variant", *(f"{name}, million" for name in counts)]
    headers += [f"MACs / {name}'s" for name in counts]
    ratio = others.div(counts[MAIN], axis=0) if MAIN in counts else others.iloc[:, :0]
    if len(ratio.columns):
        headers.append(f"fewest other / {MAIN}")
    body = []
    for variant, own in counts.iterrows():
        line = [str(variant), *(_number(value / 1e6, ".3f") for value in own)]
        line += [_number(macs[variant] / value, ".2f") for value in own]
        body.append((*line, *([_fastest(ratio.loc[variant])] if len(ratio.columns) else [])))
    if len(ratio.columns):
        blank = [""] * (2 * len(counts.columns))
        body.append(("geometric mean", *blank, _number(geometric_mean(ratio.min(axis=1)), ".2f")))
    caption = (
        "Instructions that one inference executes on one thread, in millions, as an emulated "
        "processor counts them: the same in every run, and no latency. MACs of the network over "
        "them: how much an instruction does on average."
    )
    return Table(f"Instructions: {setup.title}", caption, tuple(headers), tuple(body))


def _memory(setup: Setup, rows: pd.DataFrame) -> Table:
    peaks = by_runtime(rows, "peak_rss_bytes")
    plan = rows.groupby("variant", sort=False)[
        ["largest_tensor_bytes", "arena_bytes", "params_bytes", "artifact_bytes"]
    ].max()
    headers = ["variant", "largest tensor", "arena", "params", "artifact"]
    body = [
        (
            variant,
            *(_number(value / _MEGABYTE, ".2f") for value in plan.loc[variant]),
            *(_number(value / _MEGABYTE, ".0f") for value in peaks.loc[variant]),
        )
        for variant in plan.index
    ]
    caption = (
        "MB of 10^6 bytes. Largest tensor: of the architecture, at float32. Arena, params and "
        f"artifact: {MAIN}'s planned activations, constants and library. Peak: resident memory of "
        "the runtime's own process."
    )
    headers += [f"{name} peak" for name in peaks.columns]
    return Table(f"Memory: {setup.title}", caption, tuple(headers), tuple(body))


def _fidelity(setup: Setup, rows: pd.DataFrame) -> Table:
    errors, agreement, boxes = (
        by_runtime(rows, column)
        for column in ("relative_l2_error", "top1_agreement", "max_box_error_px")
    )
    boxes = boxes.dropna(axis=1, how="all")
    body = [
        (
            variant,
            *(_number(value, ".1e") for value in errors.loc[variant]),
            *(_number(value * 100, ".0f") for value in agreement.loc[variant]),
            *(_number(value, ".1e") for value in boxes.loc[variant]),
        )
        for variant in errors.index
    ]
    headers = ["variant", *(f"{name}, error" for name in errors.columns)]
    headers += [f"{name}, top-1 %" for name in agreement.columns]
    headers += [f"{name}, box px" for name in boxes.columns]
    parts = {"detect": "a detector's anchors", "segment": "a segmenter's pixels"}
    shared = [words for task, words in parts.items() if (rows["task"] == task).any()]
    caption = (
        "Relative L2 error against PyTorch on the same seeded inputs (the largest of "
        f"{_distinct(rows['fidelity_inputs'])}), and the share of "
        f"{', of '.join(['them', *shared])} with the same top class."
    )
    if len(boxes.columns):
        caption += (
            " Box: the largest distance of a corner from PyTorch's, over all anchors, in pixels of "
            "the input."
        )
    return Table(f"Fidelity: {setup.title}", caption, tuple(headers), tuple(body))


def _cost(setup: Setup, rows: pd.DataFrame) -> Table:
    columns: dict[str, tuple[str, Callable[[Any], str]]] = {
        "to ONNX, s": ("to_onnx_s", lambda v: _number(v, ".1f")),
        "compile, s": ("compile_s", lambda v: _number(v, ".1f")),
        "kernels": ("kernel_count", lambda v: _number(v, ".0f")),
        "to the device, ms": ("host_to_device_ms", lambda v: _number(v, ".3f")),
        "back, ms": ("device_to_host_ms", lambda v: _number(v, ".3f")),
        "round trip, ms": ("round_trip_ms", lambda v: _number(v, ".2f")),
        "samples": ("samples", str),
    }
    columns = {name: one for name, one in columns.items() if rows[one[0]].notna().any()}
    body = [
        (row["variant"], *(form(row[column]) for column, form in columns.values()))
        for _, row in rows.iterrows()
    ]
    caption = (
        "To ONNX and compile: the time when they were first done; a cached result keeps that time. "
        "Round trip: input over RPC, one inference, output back."
    )
    if "back, ms" in columns:
        caption += (
            " To the device and back: input and output between a GPU and the CPU beside it; not in "
            "the latency."
        )
    return Table(f"Cost: {setup.title}", caption, ("variant", *columns), tuple(body))


def _interval(indexed: pd.DataFrame, key: tuple[str, str]) -> str:
    if key not in indexed.index:
        return "-"
    row = indexed.loc[key]
    low, high = row["latency_ci95_low_ms"], row["latency_ci95_high_ms"]
    if pd.isna(row["latency_p50_ms"]):
        return "-"
    interval = (
        "" if pd.isna(low) or pd.isna(high) else f" [{milliseconds(low)}, {milliseconds(high)}]"
    )
    return f"{milliseconds(row['latency_p50_ms'])}{interval}{NOISY if row['warnings'] else ''}"


def _fastest(ratio: pd.Series) -> str:
    """Show the smallest ratio and its runtime."""
    known = ratio.dropna()
    return f"{known.min():.2f} ({known.idxmin()})" if len(known) else "-"


def _number(value: Any, form: str) -> str:
    return "-" if pd.isna(value) else f"{value:{form}}"


def _distinct(column: pd.Series) -> str:
    known = column.dropna().unique()
    if not len(known):
        return ""
    if pd.api.types.is_float_dtype(column.dtype):
        low, high = min(known), max(known)
        return f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return ", ".join(str(value) for value in known if value != "")
