"""Records as pandas frames, and the questions that tables and plots ask of them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mobilebench.reports.published.figures import published_accuracies
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.record import COLUMNS
from mobilebench.reports.records.store import Store

MAIN = "tvm"  # the runtime that the others are compared with
_SETUP = [*CellKey.setup_names(), "emulated"]
_CELL = [*CellKey.names(), "emulated"]
_NUMBERS = re.compile(r"_\d+\.\d+_\d+(x\d+)?(_t\d+)?")


@dataclass(frozen=True)
class Setup:
    """What rows must share before their latencies may stand side by side."""

    cell: CellKey  # empty in what differs from row to row
    emulated: bool

    @property
    def columns(self) -> dict[str, Any]:
        """What its rows have in common, by column."""
        return {name: getattr(self.cell, name) for name in CellKey.setup_names()} | {
            "emulated": self.emulated
        }

    @property
    def title(self) -> str:
        """What headings call it."""
        return f"{self.cell.place}{', emulated' if self.emulated else ''}"


def gather(store: Store, run_ids: Sequence[str]) -> pd.DataFrame:
    """Return the records of those runs, a row each, with exactly record.COLUMNS as columns."""
    # The copy lays columns of a kind together; pandas warns where a hundred lie by themselves.
    return store.frame(COLUMNS, run_ids).reset_index(drop=True).copy()


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as a file of comma-separated values."""
    frame.to_csv(path, index=False)


def last_of_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the last row of every cell, where several runs measured it."""
    return frame.drop_duplicates(_CELL, keep="last")


def newest(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `last_of_cells` as reports show them.

    A variant that was measured with several checkpoints is called by the checkpoint too.
    """
    kept = last_of_cells(frame)
    checkpoints = kept.groupby([n for n in _CELL if n != "weights"])["weights"].transform("nunique")
    several = set(kept.loc[checkpoints > 1, "variant"])
    named = kept["variant"] + " (" + kept["weights"] + ")"
    return kept.assign(variant=kept["variant"].where(~kept["variant"].isin(several), named))


def one_at_a_time(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep what was measured of one image and one instance at a time."""
    return frame[(frame["batch"] == 1) & (frame["streams"] == 1)]


def ok_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep what may be shown as a result."""
    return frame[frame["status"] == "ok"]


def setups(frame: pd.DataFrame, along: Sequence[str] = ()) -> Iterator[tuple[Setup, pd.DataFrame]]:
    """Yield the rows of each setup, smallest variant first.

    Rows that differ in axes `along` which a table or plot goes stay together.
    """
    kept = [name for name in _SETUP if name not in along]
    for values, rows in frame.groupby(kept, sort=False):
        shared: dict[str, Any] = {name: "" for name in CellKey.names() if name not in along}
        shared |= dict(zip(kept, values, strict=True))
        emulated = shared.pop("emulated")
        yield (
            Setup(CellKey(**shared), emulated),
            rows.sort_values(["macs", "variant"], kind="stable"),
        )


def runtimes_of(frame: pd.DataFrame) -> list[str]:
    """Return the runtimes in a frame: the main one first, then alphabetically."""
    return sorted(frame["runtime"].unique(), key=lambda name: (name != MAIN, name))


def by_runtime(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return a column with variants as rows, in the frame's order, and runtimes as columns."""
    wide = frame.pivot(index="variant", columns="runtime", values=column)
    return wide.reindex(index=frame["variant"].unique(), columns=runtimes_of(frame))


def ratios(frame: pd.DataFrame) -> pd.DataFrame:
    """Return how many times longer than the main runtime each other one takes, by variant.

    Empty where the main runtime has no row.
    """
    latency = by_runtime(ok_rows(frame), "latency_p50_ms")
    if MAIN not in latency:
        return latency.iloc[:, :0]
    return latency.drop(columns=MAIN).div(latency[MAIN], axis=0)


def geometric_mean(values: pd.Series) -> float:
    """Return the geometric mean of what is there; NaN of nothing."""
    known = values.dropna()
    return float(np.exp(np.log(known).mean())) if len(known) else float("nan")


def network_of(variant: str) -> str:
    """Return a variant's name without its numbers and its checkpoint: what it is one of."""
    return _NUMBERS.sub("", variant.partition(" ")[0])


def label_of(variant: str) -> str:
    """Return what tells a variant from others of its task: `1.0-224`, `V1 1.0-224`, `1.0-160 t4`.

    A checkpoint's name is left out.
    """
    name = variant.partition(" ")[0]
    family, multiplier, size, rest = re.split(r"_(\d+\.\d+)_(\d+(?:x\d+)?)", name)
    older = "V1 " if family == "mobilenet_v1" else ""
    return f"{older}{multiplier}-{size}{rest.replace('_', ' ')}"


def with_published(frame: pd.DataFrame) -> pd.DataFrame:
    """Add `published_percent`, of a task's main figure; leave out rows without one."""
    known = published_accuracies()
    found = [known.get(variant.partition(" ")[0]) for variant in frame["variant"]]
    percent = [float("nan") if one is None else one.percent for one in found]
    return frame.assign(published_percent=percent).dropna(subset="published_percent")


def pareto_front(frame: pd.DataFrame, cost: str, value: str) -> pd.DataFrame:
    """Return the rows that no other row beats: none is cheaper and at least as good."""
    ordered = frame.sort_values([cost, value], ascending=[True, False])
    best_before = ordered[value].astype(float).cummax().shift(fill_value=-np.inf)
    return ordered[ordered[value] > best_before]


def undominated(frame: pd.DataFrame, costs: Sequence[str], value: str) -> pd.DataFrame:
    """Return the rows that no other row beats: none costs at most as much and is as good.

    Of rows that are the same in all of these, the first one stays.
    """
    numbers = frame[[*costs, value]].to_numpy(dtype=float) * np.array([1.0] * len(costs) + [-1.0])
    kept = [
        not any(
            (other <= one).all() and ((other < one).any() or place < index)
            for place, other in enumerate(numbers)
            if place != index
        )
        for index, one in enumerate(numbers)
    ]
    return frame[np.array(kept, dtype=bool)]
