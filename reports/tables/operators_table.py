"""One network's kernels as a table, and their sum beside the time of the whole network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mobilebench.reports.tables.table import Table


def operators_table(variant: str, rows: pd.DataFrame) -> Table:
    """Return a row for each kernel, in network order, and one for all of them."""
    calls = rows["kernel_calls"]
    shown = rows.assign(
        mmac=rows["kernel_macs"] * calls / 1e6,
        kilobytes=rows["kernel_nbytes"] * calls / 1e3,
        gmacs=rows["macs_per_s"] / 1e9,
        roof=100 * rows["floor_us"] / rows["kernel_microseconds"].replace(0, np.nan),
    )
    shown["mmac"] = shown["mmac"].replace(0, np.nan)
    columns: dict[str, tuple[str, Callable[[Any], str]]] = {
        "calls": ("kernel_calls", str),
        "µs": ("kernel_microseconds", _form(shown["kernel_microseconds"])),
        "share, %": ("share", lambda share: f"{100 * share:.1f}"),
        "MMAC": ("mmac", _form(shown["mmac"])),
        "kB": ("kilobytes", _form(shown["kilobytes"])),
        "MAC/byte": ("macs_per_byte", _form(shown["macs_per_byte"])),
        "GMAC/s": ("gmacs", _form(shown["gmacs"])),
        "of roof, %": ("roof", _form(shown["roof"])),
        "bound by": ("bound", str),
    }
    if shown["kernel_instructions"].notna().any():
        shown["minstr"] = shown["kernel_instructions"].astype(float) / 1e6
        columns["M instructions"] = ("minstr", _form(shown["minstr"]))
    body = [
        (
            str(row["number"]),
            row["kernel_name"].partition(" #")[0],
            *(form(row[column]) for column, form in columns.values()),
        )
        for _, row in shown.iterrows()
    ]
    total = _total(shown)
    sums = [form(total[name]) if name in total else "" for name, form in columns.values()]
    peak, reading = rows["peak_macs_per_s"].max() / 1e9, rows["read_bytes_per_s"].max() / 1e9
    caption = (
        "In the order of their first calls; time, MMAC and kB are of all calls in an inference. "
        "MMAC: 10^6 multiply-accumulates, lanes that pad channels to whole vectors included. kB: "
        "10^3 bytes of input, weights and output, each once. Of roof: the least time at "
        f"{peak:.3g}·10^9 multiply-accumulates and {reading:.3g}·10^9 bytes a second, as a share "
        "of the time taken; above 100 %, data came from a cache. Bound by: which of the two "
        "takes longer. Kernels that multiply nothing have a dash."
    )
    return Table(
        f"Operators: {variant}",
        caption,
        ("", "kernel", *columns),
        (*body, ("", "all kernels", *sums)),
        words=2,
    )


def _total(shown: pd.DataFrame) -> dict[str, Any]:
    seconds = shown["kernel_microseconds"].sum() / 1e6
    names = ["kernel_calls", "kernel_microseconds", "share", "mmac", "kilobytes", "minstr"]
    names = [name for name in names if name in shown]
    sums = {name: shown[name].sum(min_count=1) for name in names}
    return sums | {
        "macs_per_byte": 1e3 * sums["mmac"] / sums["kilobytes"],
        "gmacs": sums["mmac"] / 1e3 / seconds if seconds else np.nan,
    }


def microseconds(value: float, digits: int = 4) -> str:
    """Return a time in so many digits, or in as many as it has before the point."""
    return f"{value:.0f} µs" if value >= 10 ** (digits - 1) else f"{value:.{digits}g} µs"


def _form(column: pd.Series) -> Callable[[Any], str]:
    """Return how numbers of a column are written: as many decimals as its middle one wants."""
    middle = column[column > 0].median()
    decimals = 0 if pd.isna(middle) else int(np.clip(2 - np.floor(np.log10(middle)), 0, 3))
    return lambda value: "-" if pd.isna(value) else f"{value:.{decimals}f}"


@dataclass(frozen=True)
class Sum:
    """The time of all kernels of a network together, and of the network without timers."""

    kernels_us: float
    network_us: float | None  # median; None where it was never timed
    interval: str  # of that median, or nothing
    explanation: str  # in plain words, what lies between the two

    @property
    def difference_percent(self) -> float | None:
        """How much longer the kernels' sum is than the whole."""
        if not self.network_us:
            return None
        return 100 * (self.kernels_us / self.network_us - 1)

    @property
    def sentence(self) -> str:
        """Both times and their difference in words."""
        together = f"All kernels together take {microseconds(self.kernels_us)}"
        if self.network_us is None or self.difference_percent is None:
            return f"{together}; the whole network was not timed."
        more = "more" if self.difference_percent >= 0 else "less"
        return (
            f"{together}; the whole network takes {microseconds(self.network_us)} "
            f"(median{self.interval}). The sum is {abs(self.difference_percent):.1f} % {more}. "
            f"{self.explanation}"
        )


def sum_of(rows: pd.DataFrame) -> Sum:
    """Return the sum of a network's kernels beside its latency."""
    one = rows.iloc[0]
    known = [one[f"latency_{name}_ms"] for name in ("p50", "ci95_low", "ci95_high")]
    network_us, low, high = (None if pd.isna(value) else 1e3 * float(value) for value in known)
    interval = (
        f"; 95 % interval {microseconds(low)} to {microseconds(high)}" if low and high else ""
    )
    kernels_us = float(rows["kernel_microseconds"].sum())
    calls = int(rows["kernel_calls"].sum())
    if one["accelerator"]:
        explanation = _accelerator_difference(calls, (network_us or 0.0) - kernels_us)
    else:
        explanation = _cpu_difference(len(rows))
    return Sum(kernels_us, network_us, interval, explanation)


def _cpu_difference(kernels: int) -> str:
    """Explain the difference between the sum and the whole on a CPU."""
    return (
        f"For the sum a clock was read after each of {kernels} kernels, which takes time; in the "
        "whole no clock is read. The whole also has the way into the network and out of it. What "
        "lies between two kernels, threads waiting for each other included, counts as a kernel's. "
        "The two were timed one after the other, so a machine that has changed shows too."
    )


def _accelerator_difference(calls: int, rest_us: float) -> str:
    """Explain it on an accelerator, whose driver records when a kernel began and ended."""
    each = f": {microseconds(rest_us / calls, 2)} for each of {calls} calls" if rest_us > 0 else ""
    here = ", as here" if rest_us < 0 else ""
    return (
        "By the device's own clock, the sum has the time from each kernel's start to its end only; "
        f"the whole has the launches and gaps between them too{each}. The two were timed one after "
        f"the other, so a device that has changed shows too{here}."
    )
