"""Where the time inside a network goes, kernel by kernel, beside what the device could do."""

from collections.abc import Sequence
from dataclasses import asdict, fields

import pandas as pd

from reports.frames import MAIN, last_of_cells, newest, setups
from reports.record import COLUMNS, KernelTime, Record
from reports.store import Store
from reports.tables import Table

_CELL = ["variant", "target", "device", "threads", "precision", "prefer"]
_KERNEL = [field.name for field in fields(KernelTime)]
_OF_RECORD = [
    *(*_CELL, "emulated", "runtime"),
    *("macs", "width_multiplier", "height", "peak_macs_per_s", "read_bytes_per_s"),
]


def gather_kernels(store: Store, run_ids: Sequence[str]) -> pd.DataFrame:
    """Return a row per kernel of each cell, the newest of a cell only; empty if none was timed.

    Beside the fields of KernelTime and what identifies the cell: `family`, the first word of the
    name; `share` of the cell's time; `floor_us`, the least time in which the device could multiply
    and read so much.
    """
    records = [r for r in store.records(run_ids) if r.runtime == MAIN and r.peak_macs_per_s]
    frame = pd.DataFrame([asdict(r) for r in records], columns=list(COLUMNS))
    kept = last_of_cells(frame).to_dict("records")
    shown = newest(frame)[_OF_RECORD].to_dict("records")
    rows = [
        as_shown | {f"kernel_{name}": value for name, value in asdict(kernel).items()}
        for row, as_shown in zip(kept, shown, strict=True)
        for kernel in store.kernels(Record(**row))
    ]
    columns = [*_OF_RECORD, *(f"kernel_{name}" for name in _KERNEL)]
    kernels = pd.DataFrame(rows, columns=columns)
    kernels["family"] = kernels["kernel_name"].str.split().str[0]
    times = kernels["kernel_microseconds"]
    cell = [kernels[name] for name in _CELL]
    kernels["share"] = times / times.groupby(cell).transform("sum")
    arithmetic = kernels["kernel_macs"] / kernels["peak_macs_per_s"]
    reading = kernels["kernel_nbytes"] / kernels["read_bytes_per_s"]
    kernels["floor_us"] = 1e6 * kernels["kernel_calls"] * arithmetic.combine(reading, max)
    return kernels


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
                    *(f"{100 * share:.1f}" for share in shares),
                )
            )
        caption = (
            f"{setup.title}. All kernels together, microseconds; their arithmetic at the measured "
            "peak (lanes that pad channels to whole vectors included), and each family, as a share "
            "of that time, %."
        )
        headers = ("variant", "kernels, µs", "of peak, %", *(f"{one}, %" for one in families))
        tables.append(Table("Inside the network", caption, headers, tuple(lines)))
    return tables
