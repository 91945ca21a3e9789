"""The plots of the memory page: live activations along a network, and planned memory."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mobilebench.reports.counting import counted
from mobilebench.reports.plots.plot import COLOURS, Plot, light_grid, save
from mobilebench.reports.records.activations import ARENA, LATENCY_PLAN, MEMORY_PLAN, PATTERN_PLAN
from mobilebench.reports.tables.frames import Setup
from mobilebench.reports.tables.memory_analysis import Account, needs_and_plans
from mobilebench.reports.tables.memory_table import megabytes

_COLUMNS = 3
_PANEL = 2.3  # inches high
_WIDTH = 12.0  # inches, of all panels
_GREY = "#8A8A8A"
_COLOUR = {
    LATENCY_PLAN: COLOURS[0],
    MEMORY_PLAN: COLOURS[2],
    PATTERN_PLAN: COLOURS[1],
    ARENA: COLOURS[1],
}
# Levels across a profile: dashes and width. Dots are wide, to be seen where two levels are one.
_LINES: dict[str, dict[str, Any]] = {
    LATENCY_PLAN: {"linestyle": "--", "linewidth": 1.4},
    MEMORY_PLAN: {"linestyle": ":", "linewidth": 2.6},
    PATTERN_PLAN: {"linestyle": "-.", "linewidth": 1.4},
}


def draw_profiles(accounts: Sequence[Account], path: Path) -> Plot:
    """Write a panel for each network: bytes alive while each operator runs, and planned ones."""
    figure, panels = _panels(len(accounts))
    levels: dict[str, None] = {}
    for account, axes in zip(accounts, panels, strict=False):
        needs = account.needs
        steps = np.arange(1, len(needs.steps) + 1)
        alive = np.array([step.live_bytes for step in needs.steps]) / 1e6
        axes.fill_between(steps, alive, step="mid", color="#BFD9E8", linewidth=0)
        axes.step(steps, alive, where="mid", color="black", linewidth=0.9)
        for name in [one for one in _LINES if one in needs.plans]:
            levels[name] = None
            axes.axhline(needs.plans[name] / 1e6, color=_COLOUR[name], **_LINES[name])
        axes.set_ylim(bottom=0)
        axes.set_xlim(0.5, len(steps) + 0.5)
        axes.set_title(account.variant, fontsize=9)
    figure.supxlabel("operator, in the graph's order", fontsize=10)
    figure.supylabel("MB", fontsize=10)
    handles = [Line2D([], [], color="black", linewidth=0.9, label="live activations while it runs")]
    handles += [Line2D([], [], color=_COLOUR[name], label=name, **_LINES[name]) for name in levels]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    save(figure, path)
    title = "Live activations along each network"
    setups = "; ".join(dict.fromkeys(account.setup.title for account in accounts))
    caption = (
        "What an operator reads, writes and keeps for later operators, if operators run whole; "
        "without input and output of the network; MB of 10^6 bytes. Lines: memory planned for "
        f"all of it, {setups}; dots on dashes are two equal plans. Only blocks run in strips "
        "can be below the peak."
    )
    peaks = ", ".join(
        f"{one.variant} {megabytes(one.needs.working_set_bytes)} MB" for one in accounts
    )
    return Plot(path.name, title, caption, f"{title}: the peak of {peaks}.", wide=True)


def draw_plans(setup: Setup, accounts: Sequence[Account], path: Path) -> Plot:
    """Write a panel of bars for each network of a setup: what it needs and what is planned."""
    names: dict[str, None] = {}
    for account in accounts:
        names |= dict.fromkeys(needs_and_plans(account.needs))
    order = list(names)
    figure, panels = _panels(len(accounts), share_y=True)
    for account, axes in zip(accounts, panels, strict=False):
        known = needs_and_plans(account.needs)
        values = [known.get(name, 0) / 1e6 for name in order]
        places = range(len(order))
        colours = [_COLOUR.get(name, _GREY) for name in order]
        axes.barh(places, values, height=0.66, color=colours)
        for place, name, value in zip(places, order, values, strict=True):
            text = f" {megabytes(known.get(name))}"
            axes.text(value, place, text, va="center", fontsize=9)
        axes.set_xlim(0, 1.18 * max(values))
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.set_yticks(places, order, fontsize=9)
        axes.grid(visible=False, axis="y")
        axes.set_title(account.variant, fontsize=9)
    figure.supxlabel("MB", fontsize=10)
    save(figure, path)
    title = "What activations need and what runtimes plan for them"
    caption = (
        f"{setup.title}. MB of 10^6 bytes; each panel has a scale of its own. Grey: needs of the "
        "graph in any runtime."
    )
    networks = counted(len(accounts), "network")
    alt = f"{title}, as in the table of planned activations, for {networks}."
    return Plot(path.name, title, caption, alt, wide=True)


def _panels(count: int, *, share_y: bool = False) -> tuple[Figure, Iterator[Axes]]:
    """Return a figure with so many small plots, in rows."""
    columns = min(_COLUMNS, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(_WIDTH, _PANEL * rows + 0.6), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=share_y).flatten()
    for unused in panels[count:]:
        unused.set_visible(False)
    for axes in panels[:count]:
        light_grid(axes)
        axes.tick_params(labelsize=9)
    return figure, iter(panels[:count])
