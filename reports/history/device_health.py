"""The state of devices in each nightly run: temperature, clock, spread, drift, failures."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mobilebench.reports.history.night import UNNAMED
from mobilebench.reports.history.timeline import Timeline


@dataclass(frozen=True)
class DeviceReading:
    """A quantity of every job, of which a night has a median, a least and a most."""

    column: str
    title: str
    unit: str
    caption: str
    form: str

    def show(self, value: float) -> str:
        """Return a value with its unit; a dash where there is none."""
        if not np.isfinite(value):
            return "-"
        return f"{value:{self.form}}{self.unit}".replace("-", "\N{MINUS SIGN}")


READINGS = (
    DeviceReading("temperature_c", "Temperature", " °C", "Before each job.", ".0f"),
    DeviceReading(
        "calibration_before_ms",
        "Calibration kernel",
        " ms",
        "A fixed piece of work, timed before each job: how fast the device itself was.",
        ".2f",
    ),
    DeviceReading(
        "drift_percent",
        "Drift within a job",
        " %",
        "How much longer the calibration kernel took after a job than before it: above 0 the "
        "device was slower after the job, below 0 faster.",
        "+z.1f",
    ),
    DeviceReading(
        "spread_percent",
        "Spread of samples",
        " %",
        "Standard deviation of a row's samples, of their mean.",
        ".1f",
    ),
    DeviceReading("load_1m", "Load", "", "Over a minute, before each job.", ".2f"),
    DeviceReading("cpu_mhz", "Clock", " MHz", "Of the CPU, before each job.", ".0f"),
)
COUNTS = {
    "failed": "rows that are not ok",
    "retries": "attempts repeated after a crash of a board or a model",
    "warned": "ok rows with a warning",
}


@dataclass(frozen=True)
class Health:
    """One device over the nights of a timeline.

    nights: a row each where the device has rows, indexed by the night's number. Columns: rows, ok,
    the COUNTS, `reasons` (failures by status, as text), and of the column of each of READINGS its
    median, and `_low` and `_high` behind its name.
    """

    name: str
    targets: tuple[str, ...]
    emulated: bool
    about: str  # processor, accelerator, governor, host
    nights: pd.DataFrame

    @property
    def has_board(self) -> bool:
        """Whether this is a device, and not a key for which no board answered."""
        return not self.name.startswith(UNNAMED)


def healths(timeline: Timeline) -> list[Health]:
    """Return all devices of a timeline, by name; those that are none come last."""
    rows = timeline.rows
    rows = rows.assign(
        drift_percent=100 * (rows["calibration_after_ms"] / rows["calibration_before_ms"] - 1),
        spread_percent=100 * rows["latency_cv"],
    )
    found = [_health(str(name), own) for name, own in rows.groupby("device", sort=True)]
    return sorted(found, key=lambda one: not one.has_board)


def _health(name: str, rows: pd.DataFrame) -> Health:
    ok = rows["status"] == "ok"
    by_night = rows.assign(
        ok=ok,
        failed=~ok,
        warned=ok & (rows["warnings"] != ""),
    ).groupby("night")
    nights = by_night[["ok", "failed", "retries", "warned"]].sum()
    nights.insert(0, "rows", by_night.size())
    nights["reasons"] = by_night["status"].agg(_reasons)
    for measure in READINGS:
        values = by_night[measure.column]
        nights[measure.column] = values.median()
        nights[f"{measure.column}_low"], nights[f"{measure.column}_high"] = (
            values.min(),
            values.max(),
        )
    newest = rows[rows["night"] == rows["night"].max()]
    facts = ("cpu_model", "accelerator", "cpu_governor", "host")
    known = [", ".join(sorted(set(newest[fact]) - {"", name})) for fact in facts]
    return Health(
        name=name,
        targets=tuple(sorted(set(rows["target"]))),
        emulated=bool(rows["emulated"].any()),
        about=", ".join(filter(None, known)),
        nights=nights,
    )


def _reasons(statuses: pd.Series) -> str:
    counts = Counter(statuses[statuses != "ok"])
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
