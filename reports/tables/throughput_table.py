"""Images a second, where several batches or numbers of streams were measured."""

from collections.abc import Iterator

import pandas as pd

from mobilebench.reports.tables.frames import (
    MAIN,
    geometric_mean,
    newest,
    ok_rows,
    runtimes_of,
    setups,
)
from mobilebench.reports.tables.table import Table

AT_ONCE = ("batch", "streams")
"""The axes along which a table or plot of throughput goes."""


def places_at_once(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the title and rows of each place where several batches or streams were measured.

    An emulated device has none, for its speed is the emulator's.
    """
    rows = ok_rows(newest(frame)).dropna(subset="throughput_per_s")
    for setup, alike in setups(rows, along=AT_ONCE):
        if not setup.emulated and len(alike[list(AT_ONCE)].drop_duplicates()) > 1:
            order = ["macs", "variant", *AT_ONCE]
            yield setup.title, alike.sort_values(order, kind="stable")


def throughput_tables(frame: pd.DataFrame) -> list[Table]:
    """Return a table for each place: images a second of each runtime, by variant, batch, streams.

    The last column is how many times as many TVM computes as the best of the others; below it
    stands the geometric mean of each batch and number of streams.
    """
    return [_table(title, rows) for title, rows in places_at_once(frame)]


def _table(title: str, rows: pd.DataFrame) -> Table:
    wide = rows.pivot_table(
        index=["variant", *AT_ONCE], columns="runtime", values="throughput_per_s", sort=False
    )
    wide = wide[runtimes_of(rows)]
    others = [name for name in wide.columns if name != MAIN]
    headers = ["variant", *AT_ONCE, *(f"{name}, images/s" for name in wide.columns)]
    body = []
    gains: dict[tuple[int, int], list[float]] = {}
    for (variant, batch, streams), own in wide.iterrows():
        line = [str(variant), str(batch), str(streams), *(_images(one) for one in own)]
        best = own[others].dropna()
        if len(best) and MAIN in own and pd.notna(own[MAIN]):
            gain = own[MAIN] / best.max()
            gains.setdefault((batch, streams), []).append(gain)
            line.append(f"{gain:.2f} ({best.idxmax()})")
        else:
            line.append("-")
        body.append(tuple(line))
    if gains:
        headers.append(f"{MAIN} / best other")
        blank = [""] * len(wide.columns)
        body += [
            ("geometric mean", str(batch), str(streams), *blank, f"{_mean(some):.2f}")
            for (batch, streams), some in sorted(gains.items())
        ]
    else:
        body = [line[:-1] for line in body]
    caption = (
        "Images a second: those of a batch in the mean time of an inference, of all streams "
        "together. A stream is an instance of the network on CPUs of its own."
    )
    return Table(f"Throughput: {title}", caption, tuple(headers), tuple(body))


def _mean(values: list[float]) -> float:
    return geometric_mean(pd.Series(values))


def _images(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.0f}" if value >= 100 else f"{value:.1f}"
