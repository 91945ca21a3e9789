"""The accuracy of rows of each task: its intervals, and its table."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from mobilebench.reports.tables.accuracy_metrics import (
    METRICS,
    AccuracyMetrics,
    Figure,
    wilson_interval,
)
from mobilebench.reports.tables.frames import (
    Setup,
    newest,
    ok_rows,
    setups,
    with_published,
)
from mobilebench.reports.tables.table import Table

_ENDS = ("low", "high")


def with_intervals(rows: pd.DataFrame, figure: Figure) -> pd.DataFrame:
    """Add `percent`, and `low` and `high` of its 95 % interval; NaN where there is none."""
    percent = rows[f"{figure.column}_percent"].astype(float)
    if figure.column == "top1":
        wilson = [wilson_interval(*one) for one in zip(percent, rows["images"], strict=True)]
        ends: dict[str, Any] = {
            name: [one[end] for one in wilson] for end, name in enumerate(_ENDS)
        }
    elif f"{figure.column}_ci95_low_percent" in rows:
        ends = {name: rows[f"{figure.column}_ci95_{name}_percent"].astype(float) for name in _ENDS}
    else:
        ends = dict.fromkeys(_ENDS, float("nan"))
    return rows.assign(percent=percent, **ends)


def examined(rows: pd.DataFrame, measure: AccuracyMetrics) -> pd.DataFrame:
    """Keep the rows of a task that were measured on images."""
    return rows[(rows["task"] == measure.task) & (rows["images"] > 0)]


@dataclass(frozen=True)
class Accuracy:
    """Rows with columns `percent`, `low` and `high`, and whose figures those are."""

    rows: pd.DataFrame
    axis: str
    source: str
    name: str  # for the title


def published(rows: pd.DataFrame, measure: AccuracyMetrics) -> Accuracy:
    """Return the rows about which something was published, without intervals."""
    known = with_published(rows)
    known = known.assign(percent=known["published_percent"], **dict.fromkeys(_ENDS, float("nan")))
    name = f"published {measure.figures[0].name}"
    return Accuracy(known, f"{name}, %", measure.published, name)


def measured(rows: pd.DataFrame, measure: AccuracyMetrics) -> Accuracy:
    """Return rows that were measured on images."""
    figure, (images, data) = measure.figures[0], _which(rows)
    source = f"measured on {images} images ({data}), with 95 % {measure.interval} intervals"
    axis = f"{figure.name} on {images} images, %"
    return Accuracy(with_intervals(rows, figure), axis, source, f"measured {figure.name}")


def accuracy_tables(frame: pd.DataFrame) -> list[Table]:
    """Return a table for each task of each setup that was measured on images."""
    return [
        _table(setup, examined(rows, measure), measure)
        for setup, rows in setups(ok_rows(newest(frame)))
        for measure in METRICS
        if len(examined(rows, measure))
    ]


def _table(setup: Setup, rows: pd.DataFrame, measure: AccuracyMetrics) -> Table:
    """Beside PyTorch's on the same images, and what was published for the variant."""
    names = [figure.name for figure in measure.figures]
    headers = ["variant", "runtime", "images", *(f"{name}, %" for name in names), "as PyTorch, %"]
    headers += [*(f"PyTorch {name}, %" for name in names), f"published {names[0]}, %"]
    columns = [rows["variant"], rows["runtime"], rows["images"].astype(str)]
    columns += [_shown(with_intervals(rows, figure)) for figure in measure.figures]
    columns.append((100 * rows["images_agreement"].astype(float)).map(_percent))
    beside = [rows[f"pytorch_{figure.column}_percent"] for figure in measure.figures]
    beside.append(with_published(rows)["published_percent"].reindex(rows.index))
    columns += [column.astype(float).map(_percent) for column in beside]
    images, data = _which(rows)
    caption = (
        f"On {images} images ({data}), with 95 % {measure.interval} intervals; `as PyTorch`: "
        f"{measure.agreement}. Published: {measure.published}; not comparable with these."
    )
    body = tuple(zip(*columns, strict=True))
    return Table(f"{measure.title}: {setup.title}", caption, tuple(headers), body)


def _which(rows: pd.DataFrame) -> tuple[str, str]:
    """Name how many images there were, and which."""
    images = " or ".join(map(str, sorted(rows["images"].unique())))
    return images, ", ".join(sorted(rows["data"].unique()))


def _shown(rows: pd.DataFrame) -> pd.Series:
    return rows.apply(
        lambda row: (
            f"{_percent(row['percent'])} [{_percent(row['low'])}, {_percent(row['high'])}]"
            if pd.notna(row["low"])
            else _percent(row["percent"])
        ),
        axis=1,
    )


def _percent(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.1f}"
