"""The tables of the memory page, as data."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mobilebench.reports.published.figures import MEMORY_SOURCE, PublishedTensor, published_tensors
from mobilebench.reports.records.activations import PATTERN_PLAN, Activations, Largest
from mobilebench.reports.tables.frames import MAIN, Setup
from mobilebench.reports.tables.memory_analysis import Account, needs_and_plans
from mobilebench.reports.tables.table import Table

SIZES_EXPLAINED = (
    "Table 3 of the paper, from the graph. All: every tensor between two operators, and the "
    "network's input and output. Left by 5.1: without what need not be there whole by section 5.1, "
    "which is the tensors before and behind a depthwise convolution in an inverted residual (the "
    "stem stands for the first one's expansion), and behind it elsewhere. Bottlenecks: outputs of "
    "inverted residuals alone. kB of 10^3 bytes."
)
_HALF_BYTES = 2  # of a number, in the paper's table


def plans_table(setup: Setup, accounts: Sequence[Account]) -> Table:
    """Return the memory that each graph needs and that runtimes plan, for one setup."""
    columns: dict[str, None] = {}
    for account in accounts:
        columns |= dict.fromkeys(needs_and_plans(account.needs))
    body = []
    for account in accounts:
        known = needs_and_plans(account.needs)
        outside = (account.needs.input_bytes, account.needs.output_bytes)
        values = [*(known.get(name) for name in columns), *outside]
        body.append((account.variant, *map(megabytes, values)))
    width = 8 * accounts[0].needs.element_bytes
    caption = (
        f"MB of 10^6 bytes, {width} bits a number. Input and output are in none of them but the "
        "last two columns, and in ONNX Runtime's arena, which outputs come from. Every tensor "
        "apart: no memory is reused.  Working set: the most that is alive while one operator runs; "
        "who runs operators one by one, none in place, cannot plan less. Greedy by size: offsets "
        "as TensorFlow Lite plans them (arXiv 2001.03288). TVM: the arena of the library, built "
        "for latency and for memory. ONNX Runtime's memory pattern is the block that it puts "
        "activations into, from the second inference on; its arena is what it asks the system for "
        "to have that block."
    )
    headers = ("network", *columns, "input", "output")
    return Table(f"Planned activations: {setup.title}", caption, headers, tuple(body))


def processes_table(setup: Setup, accounts: Sequence[Account]) -> Table:
    """Return the memory of each runtime's process beside its plan."""
    body = []
    for account in accounts:
        for row in account.rows.to_dict("records"):
            plan = _own_plan(account, row)
            answers = plan is not None and not row["accelerator"]  # a GPU's is not on the heap
            added = row["added_heap_bytes"] if answers else None
            resident = (row[f"{name}_bytes"] for name in ("params", "base_rss", "peak_rss"))
            values = (plan, added, *resident)
            body.append((account.variant, str(row["runtime"]), *map(megabytes, values)))
    caption = (
        "MB of 10^6 bytes. Plan: of activations, by this runtime. Heap added: what inferences have "
        "taken from malloc and kept, in its own process, since the model was loaded; input and "
        "outputs are in it. It answers to a plan only in the runtimes that give activations their "
        "place in the first inferences and keep it. Params: constants of TVM's library. Before: "
        "resident memory of the fresh process. Peak: the most that was resident, with weights, "
        "code, the runtime, and what loading the model took for a while."
    )
    headers = ("network", "runtime", "plan", "heap added", "params", "before", "peak")
    return Table(f"Processes: {setup.title}", caption, headers, tuple(body), words=2)


def _own_plan(account: Account, row: dict[str, Any]) -> float | None:
    """Return what the library that was run plans, or ONNX Runtime; others do not tell."""
    if row["runtime"] == MAIN:
        return float(row["arena_bytes"])
    return account.needs.plans.get(PATTERN_PLAN) if row["runtime"] == "onnxruntime" else None


def sizes_table(account: Account) -> Table:
    """Return the largest tensor at each spatial size, beside what was published of it."""
    published = {one.size: one for one in published_tensors(account.network)}
    body = []
    most = [0.0] * (4 if published else 3)
    for size in account.needs.sizes:
        channels = (size.channels, size.kept_channels, max(size.bottlenecks, default=0))
        cells = [(one, _kilobytes(size, one)) for one in channels]
        if published:
            paper = published.get(size.height) if size.height == size.width else None
            cells.append((paper.channels, float(paper.kilobytes)) if paper else (0, 0.0))
        most = [max(old, new) for old, (_, new) in zip(most, cells, strict=True)]
        body.append((_grid(size), *(_cell(*one) for one in cells)))
    body.append(("largest, kB", *(_number(one) for one in most)))
    headers = ["size", "all", "left by 5.1", "bottlenecks"]
    caption = "Channels / kB, at 16 bits a number."
    if published:
        caption += f" Paper: {MEMORY_SOURCE}."
        headers.append("paper")
    return Table(account.variant, caption, tuple(headers), tuple(body))


def differences(account: Account) -> list[str]:
    """Return a sentence for each difference between the graph and the paper's table."""
    by_size = {size.height: size for size in account.needs.sizes}
    notes = []
    for paper in published_tensors(account.network):
        if size := by_size.get(paper.size):
            notes += [*_channels_differ(account.needs, size, paper), *_bytes_differ(size, paper)]
    return notes


def _channels_differ(needs: Activations, size: Largest, paper: PublishedTensor) -> list[str]:
    if paper.channels == size.kept_channels:
        return []
    most = max(size.bottlenecks, default=0)
    if paper.channels == most:
        return [
            f"{_grid(size)}: the paper counts bottlenecks alone, which have {most} channels; the "
            f"tensor of {size.kept_channels} lies behind the last of them."
        ]
    there = [one for one in needs.sizes if paper.channels in one.bottlenecks]
    if there:
        return [
            f"{_grid(size)}: the paper has {paper.channels} channels, as bottlenecks have at "
            f"{_grid(there[0])}; at {_grid(size)} they have {most}. The paper's number is that of "
            f"the stage that begins at {_grid(size)} (its Table 2), whose first block halves it."
        ]
    return [
        f"{_grid(size)}: the paper has {paper.channels} channels, the graph {size.kept_channels}."
    ]


def _bytes_differ(size: Largest, paper: PublishedTensor) -> list[str]:
    """Compare the paper's kB with its own channels; it rounds to one or two digits."""
    kilobytes = _kilobytes(size, paper.channels)
    if abs(paper.kilobytes - kilobytes) <= max(1.0, 0.1 * kilobytes):
        return []
    return [
        f"{_grid(size)}: {paper.channels} channels of 16 bits are {kilobytes:.0f} kB; the paper "
        f"prints {paper.kilobytes}."
    ]


def megabytes(nbytes: float | None) -> str:
    """Return bytes in MB of 10^6, with three digits; a dash for what is not known."""
    if nbytes is None or pd.isna(nbytes):
        return "-"
    value = nbytes / 1e6
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def _grid(size: Largest) -> str:
    return f"{size.height}×{size.width}"


def _kilobytes(size: Largest, channels: int) -> float:
    return channels * size.height * size.width * _HALF_BYTES / 1e3


def _cell(channels: int, kilobytes: float) -> str:
    return f"{channels} / {_number(kilobytes)}" if channels else "-"


def _number(kilobytes: float) -> str:
    if not kilobytes:
        return "-"
    return f"{kilobytes:.0f}" if kilobytes >= 10 else f"{kilobytes:.2g}"
