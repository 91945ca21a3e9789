"""The plot of a network under load: latency over time, with the device's heat, clock and power."""

from pathlib import Path

from matplotlib.figure import Figure

from mobilebench.reports.plots.plot import COLOURS, DASHES, MARKERS, Plot, light_grid, save
from mobilebench.reports.tables.load_tables import LoadedNetwork
from mobilebench.reports.tables.table import milliseconds

_PANELS = {
    "latency_ms": "latency, ms",
    "temperature_c": "temperature, °C",
    "cpu_mhz": "clock, MHz",
    "power_w": "power, W",
    "load_1m": "load, 1 min",
}
_MOST_SHOWN = 3600  # points of a line
_WIDTH, _HEIGHT, _SMALL = 10.0, 3.6, 1.6  # inches: of all; of latency; of what is below it


def draw_load(network: LoadedNetwork, path: Path) -> Plot:
    """Write a line for each runtime, and a panel for each thing that the device tells."""
    traces = network.traces
    told = {
        name: label
        for name, label in _PANELS.items()
        if any(getattr(point, name) is not None for trace in traces.values() for point in trace)
    }
    heights = [_HEIGHT, *[_SMALL] * (len(told) - 1)]
    figure = Figure(figsize=(_WIDTH, sum(heights) + 0.6), layout="constrained")
    panels = figure.subplots(len(told), 1, sharex=True, squeeze=False, height_ratios=heights)
    for axes, (name, label) in zip(panels[:, 0], told.items(), strict=True):
        axes.set_ylabel(label)
        light_grid(axes)
        for place, (runtime, trace) in enumerate(traces.items()):
            step = -(-len(trace) // _MOST_SHOWN)
            axes.plot(
                [point.time_s / 60 for point in trace[::step]],
                [_value(getattr(point, name)) for point in trace[::step]],
                color=COLOURS[place % len(COLOURS)],
                linestyle=DASHES[place % len(DASHES)],
                linewidth=1.2,
                label=runtime,
            )
    first = panels[0, 0]
    first.set_ylim(bottom=0)
    for place, runtime in enumerate(traces):
        row = network.rows.loc[runtime]
        if row["slows_after_s"] >= 0:
            first.plot(
                [row["slows_after_s"] / 60],
                [row["first_minute_ms"]],
                marker=MARKERS[place % len(MARKERS)],
                markersize=9,
                color=COLOURS[place % len(COLOURS)],
                markeredgecolor="black",
            )
    panels[-1, 0].set_xlabel("minutes under load")
    panels[-1, 0].set_xlim(left=0)
    figure.legend(*first.get_legend_handles_labels(), loc="outside upper center", ncols=6,
                  frameon=False)  # fmt: skip
    save(figure, path)
    title = f"{network.variant} under load"
    caption = (
        f"{network.setup.title}. Each point is the median of about a second; one runtime after the "
        "other was put under load. A marker is where a runtime began to be slower, at the latency "
        f"of its first minute.{_not_told(told)}"
    )
    return Plot(path.name, title, caption, f"{title}: {_in_words(network)}.", wide=True)


def _value(value: float | None) -> float:
    return float("nan") if value is None else value


def _not_told(told: dict[str, str]) -> str:
    missing = [label.partition(",")[0] for name, label in _PANELS.items() if name not in told]
    return f" The device does not tell its {', '.join(missing)}." if missing else ""


def _in_words(network: LoadedNetwork) -> str:
    found = []
    for runtime, trace in network.traces.items():
        low = min(point.latency_ms for point in trace)
        high = max(point.latency_ms for point in trace)
        found.append(f"{runtime} {milliseconds(low)} to {milliseconds(high)} ms")
    return ", ".join(found)
