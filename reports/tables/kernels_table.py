"""The time of each kernel inside a network, compared with the device's peaks."""

from collections.abc import Iterator, Sequence
from dataclasses import fields

import numpy as np
import pandas as pd

from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.record import KernelTime
from mobilebench.reports.records.store import Store
from mobilebench.reports.tables.frames import MAIN, Setup, newest, setups
from mobilebench.reports.tables.table import Table

_CELL = [name for name in CellKey.names() if name not in ("runtime", "weights")]
_KERNEL = [field.name for field in fields(KernelTime)]
_OF_RECORD = [
    *("run_id", *_CELL, "emulated", "runtime", "accelerator"),
    *("macs", "width_multiplier", "height", "peak_macs_per_s", "read_bytes_per_s"),
    *("latency_p50_ms", "latency_ci95_low_ms", "latency_ci95_high_ms", "warnings"),
]


def gather_kernels(store: Store, run_ids: Sequence[str]) -> pd.DataFrame:
    """Return a row per kernel of each cell, the newest of a cell only; empty if none was timed.

    A cell's kernels are in the order in which its network first calls them. Beside the fields of
    KernelTime, what identifies the cell and its latency: `number`, from 1, in that order; `family`,
    the first word of the name; `share` of the cell's time; `macs_per_byte` and `macs_per_s`, NaN
    for a kernel that multiplies nothing; `floor_us`, the least time in which the device could
    multiply and read so much; `bound`, which of the two takes it longer.
    """
    frame = store.frame([*_OF_RECORD, "weights"], run_ids)
    frame = frame[(frame["runtime"] == MAIN) & (frame["peak_macs_per_s"] > 0)]
    shown = newest(frame)[_OF_RECORD]
    found = store.kernels_of(shown.index)
    rows = [
        row | {f"kernel_{name}": value for name, value in vars(kernel).items()}
        for record_id, row in zip(shown.index, shown.to_dict("records"), strict=True)
        for kernel in found.get(record_id, ())
    ]
    columns = [*_OF_RECORD, *(f"kernel_{name}" for name in _KERNEL)]
    kernels = pd.DataFrame(rows, columns=columns)
    kernels["family"] = kernels["kernel_name"].str.split().str[0]
    calls, times = kernels["kernel_calls"], kernels["kernel_microseconds"]
    cell = [kernels[name] for name in _CELL]
    kernels["number"] = times.groupby(cell).cumcount() + 1
    kernels["share"] = times / times.groupby(cell).transform("sum")
    macs, nbytes = kernels["kernel_macs"], kernels["kernel_nbytes"]
    multiplies = (macs > 0) & (nbytes > 0) & (times > 0)
    kernels["macs_per_byte"] = (macs / nbytes).where(multiplies)
    kernels["macs_per_s"] = (1e6 * macs * calls / times).where(multiplies)
    arithmetic, reading = macs / kernels["peak_macs_per_s"], nbytes / kernels["read_bytes_per_s"]
    kernels["floor_us"] = 1e6 * calls * arithmetic.combine(reading, max)
    kernels["bound"] = np.where(arithmetic >= reading, "arithmetic", "memory")
    return kernels


def cells(kernels: pd.DataFrame) -> Iterator[tuple[Setup, str, pd.DataFrame]]:
    """Yield setup, variant and kernels of each cell, the smallest variant of a setup first."""
    for setup, rows in setups(kernels):
        for variant, own in rows.groupby("variant", sort=False):
            yield setup, str(variant), own


def family_tables(kernels: pd.DataFrame) -> list[Table]:
    """Return, for each setup, how much of each variant's time every family of kernels takes."""
    tables = []
    for setup, rows in setups(kernels):
        families = list(dict.fromkeys(rows["family"]))
        lines = []
        for variant, own in rows.groupby("variant", sort=False):
            total = own["kernel_microseconds"].sum()
            arithmetic = own["kernel_macs"] * own["kernel_calls"] / own["peak_macs_per_s"]
            shares = own.groupby("family")["share"].sum().reindex(families)
            lines.append(
                (
                    str(variant),
                    f"{total:.0f}",
                    f"{100e6 * arithmetic.sum() / total:.0f}",
                    *("-" if pd.isna(share) else f"{100 * share:.1f}" for share in shares),
                )
            )
        caption = (
            f"{setup.title}. All kernels together, microseconds; their arithmetic at the measured "
            "peak (lanes that pad channels to whole vectors and taps on padding included), and "
            "each family, as a share of that time, %."
        )
        headers = ("variant", "kernels, µs", "of peak, %", *(f"{one}, %" for one in families))
        tables.append(Table("Inside the network", caption, headers, tuple(lines)))
    return tables
