"""From an image file to an answer: how long each stage takes."""

import pandas as pd

from mobilebench.reports.tables.frames import Setup, newest, ok_rows, runtimes_of, setups
from mobilebench.reports.tables.table import Table, milliseconds

STAGES = {  # in order: by column, what tables and plots call it
    "stage_decode_ms": "decode",
    "stage_resize_ms": "resize",
    "stage_normalise_ms": "normalise",
    "stage_inference_ms": "inference",
    "stage_boxes_ms": "boxes",
    "stage_suppress_ms": "suppress",
    "stage_label_ms": "label",
    "stage_mask_ms": "mask",
    "stage_top_k_ms": "top-k",
}
WHOLE = "end_to_end_ms"
_CAPTION = (
    "Milliseconds of each stage from an image file, in the file cache, to an answer, in one "
    "process of this machine. What is around the inference is the suite's own, in Python (Pillow, "
    "NumPy), and the same for every runtime. Whole: all stages timed as one, beside them. Apart: "
    "how far their sum is from it."
)


def staged(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows whose stages were timed."""
    return ok_rows(newest(frame)).dropna(subset=[WHOLE])


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows by variant, in the order in which these come, then by runtime."""
    variants, runtimes = list(rows["variant"].unique()), runtimes_of(rows)
    places = rows["variant"].map(variants.index) * len(runtimes) + rows["runtime"].map(
        runtimes.index
    )
    return rows.loc[places.sort_values(kind="stable").index]


def stage_tables(frame: pd.DataFrame) -> list[Table]:
    """Return a table for each setup in which stages were timed."""
    return [_table(setup, in_order(rows)) for setup, rows in setups(staged(frame))]


def _table(setup: Setup, rows: pd.DataFrame) -> Table:
    known = [column for column in STAGES if rows[column].notna().any()]
    sums = rows[known].sum(axis=1)
    apart = 100 * (sums - rows[WHOLE]).abs() / rows[WHOLE]
    body = tuple(
        (
            *(str(row["variant"]), str(row["runtime"])),
            *("-" if pd.isna(row[column]) else milliseconds(row[column]) for column in known),
            *(milliseconds(sums[place]), milliseconds(row[WHOLE]), f"{apart[place]:.1f} %"),
        )
        for place, row in rows.iterrows()
    )
    names = (f"{STAGES[column]}, ms" for column in known)
    headers = ("variant", "runtime", *names, "sum, ms", "whole, ms", "apart")
    return Table(f"End to end: {setup.title}", _CAPTION, headers, body, words=2)
