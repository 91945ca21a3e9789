"""How networks fared under load: slowing down, a camera's frames, energy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mobilebench.reports.records.record import COLUMNS
from mobilebench.reports.records.store import Store
from mobilebench.reports.records.trace import TracePoint
from mobilebench.reports.tables.frames import Setup, newest, runtimes_of, setups
from mobilebench.reports.tables.results_table import NOISY
from mobilebench.reports.tables.table import Table, milliseconds

Form = Callable[[Any], str]
_NONE = "-"


@dataclass(frozen=True)
class LoadedNetwork:
    """One network that was put under load in one setup."""

    setup: Setup
    variant: str  # as reports call it
    rows: pd.DataFrame  # records with `runtime` as index
    traces: dict[str, list[TracePoint]]  # by runtime, where they were kept


def gather_loads(store: Store, run_ids: Sequence[str]) -> list[LoadedNetwork]:
    """Return each network that those runs have put under load, by setup, in the newest row."""
    shown = newest(store.frame(COLUMNS, run_ids, statuses=["ok"]))
    shown = shown[shown["load_s"].notna()]
    traces = store.traces_of(shown.index)
    return [
        _network(setup, str(variant), own, traces)
        for setup, rows in setups(shown)
        for variant, own in rows.groupby("variant", sort=False)
    ]


def _network(
    setup: Setup, variant: str, rows: pd.DataFrame, traces: dict[int, list[TracePoint]]
) -> LoadedNetwork:
    order = runtimes_of(rows)
    named = dict(zip(rows["runtime"], rows.index, strict=True))
    kept = {name: traces[named[name]] for name in order if named[name] in traces}
    return LoadedNetwork(setup, variant, rows.set_index("runtime").loc[order], kept)


def load_tables(setup: Setup, networks: Sequence[LoadedNetwork]) -> list[Table]:
    """Return the tables of what was measured under load in a setup, those alone that have rows."""
    found = (
        _table(
            f"Sustained load: {setup.title}",
            "Inference after inference. First minute: median latency in it (in the first half of a "
            "shorter load). Slows after: when it became 5 % slower than in the first ten seconds, "
            "and stayed so. Steady: median of the last quarter. Speed left: first over steady.",
            networks,
            "steady_ms",
            {
                "lasted, s": ("load_s", lambda value: f"{value:.0f}"),
                "first minute, ms": ("first_minute_ms", milliseconds),
                "slows after, s": ("slows_after_s", lambda value: f"{value:.0f}"),
                "steady, ms": ("steady_ms", milliseconds),
                "speed left, %": ("speed_left", _percent),
            },
        ),
        _table(
            f"A camera's pace: {setup.title}",
            "An inference is begun when a frame comes. Missed: the answer was not there when the "
            "next frame came, dropped frames included. Dropped: they came while an earlier one was "
            "computed. Idle: of the time, no inference ran.",
            networks,
            "pace_fps",
            {
                "frames a second": ("pace_fps", lambda value: f"{value:g}"),
                "frames": ("frames", lambda value: f"{value:.0f}"),
                "missed": ("missed_deadlines", lambda value: f"{value:.0f}"),
                "dropped": ("dropped_frames", lambda value: f"{value:.0f}"),
                "idle, %": ("idle_share", _percent),
            },
        ),
        _table(
            f"Energy: {setup.title}",
            "Of one inference, in millijoules: what the device takes under load less what it takes "
            "when idle, times the time, by the number of inferences. All of the source counts, "
            "other programs on the device too.",
            networks,
            "energy_per_inference_j",
            {
                "energy, mJ": (
                    "energy_per_inference_j",
                    lambda joules: f"{1000 * joules:.3g}",
                ),
                "under load, W": ("power_w", lambda value: f"{value:.2f}"),
                "idle, W": ("idle_power_w", lambda value: f"{value:.2f}"),
                "source": ("energy_source", str),
            },
        ),
    )
    return [table for table in found if table.rows]


def _table(
    title: str,
    caption: str,
    networks: Sequence[LoadedNetwork],
    needed: str,
    columns: dict[str, tuple[str, Form]],
) -> Table:
    body = [
        (
            network.variant,
            f"{runtime}{NOISY if row['warnings'] else ''}",
            *(
                _NONE if pd.isna(row[column]) else form(row[column])
                for column, form in columns.values()
            ),
        )
        for network in networks
        for runtime, row in network.rows.iterrows()
        if pd.notna(row[needed])
    ]
    caption += f" {NOISY} marks a row with a warning."
    return Table(title, caption, ("variant", "runtime", *columns), tuple(body), words=2)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
