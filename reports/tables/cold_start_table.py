"""What a first answer costs beside each later one: loading a network, and its first inference."""

import pandas as pd

from mobilebench.reports.tables.frames import Setup, newest, ok_rows, runtimes_of, setups
from mobilebench.reports.tables.table import Table, milliseconds

LOAD, FIRST, STEADY = "load_ms", "first_inference_ms", "latency_p50_ms"
WHEN = (
    "Load: from the network's files, in the runtime's own form and in the file cache, to a model "
    "that is ready for an input, in a fresh process that has imported the runtime. First: the "
    "inference after that. Each was measured once. Steady: the median latency."
)


def cold_starts(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows that have all three times."""
    return ok_rows(newest(frame)).dropna(subset=[LOAD, FIRST, STEADY])


def cold_start_tables(frame: pd.DataFrame) -> list[Table]:
    """Return a table for each setup in which loading was timed."""
    return [_table(setup, rows) for setup, rows in setups(cold_starts(frame))]


def _table(setup: Setup, rows: pd.DataFrame) -> Table:
    order = runtimes_of(rows)
    body = [
        (
            str(variant),
            str(row.runtime),
            *(milliseconds(value) for value in (row.load_ms, row.first_inference_ms)),
            milliseconds(row.load_ms + row.first_inference_ms),
            milliseconds(row.latency_p50_ms),
            f"{row.first_inference_ms / row.latency_p50_ms:.2f}",
        )
        for variant, own in rows.groupby("variant", sort=False)
        for row in own.sort_values("runtime", key=lambda names: names.map(order.index)).itertuples()
    ]
    headers = (
        *("variant", "runtime", "load, ms", "first, ms", "load + first, ms", "steady, ms"),
        "first / steady",
    )
    return Table(f"Cold start: {setup.title}", WHEN, headers, tuple(body), words=2)
