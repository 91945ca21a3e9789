"""The commands that list what there is: variants, targets, devices and runs."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench.architecture import size_of
from bench.suite import expand_variants
from bench.variant import parse_variant
from reports.published import find_published
from reports.store import Store
from targets.device import DeviceState
from targets.target import all_targets, find_target

_TIME_LIMIT_S = 60.0


def variants_command(names: Sequence[str]) -> None:
    """Print variants with their size, counted, and with what was published about them."""
    table = _table("variant", right=["MMAC", "params, M", "top-1 %", "top-5 %", "Pixel 1, ms"])
    for name in expand_variants(names):
        variant = parse_variant(name)
        size = size_of(variant)
        row = [name, f"{size.macs / 1e6:.1f}", f"{size.params / 1e6:.2f}"]
        published = find_published(variant.width_multiplier, variant.height, variant.width)
        if published and variant.expansion_factor == 6:
            row += [f"{published.top1_percent:.1f}", f"{published.top5_percent:.1f}"]
            row += [_or_dash(published.pixel1_large_core_ms, ".1f")]
        else:
            row += ["-", "-", "-"]
        table.add_row(*row)
    table.caption = (
        "MACs and params are counted on the architecture (params with batch norm's scale and "
        "shift); top-1, top-5 (ImageNet) and Pixel 1's large core are TF-slim's published figures."
    )
    _print(table)


def targets_command() -> None:
    """Print the catalogue of targets."""
    table = _table("target", "what it is", "CPU for LLVM", "needs")
    for target in all_targets():
        needs = ", ".join(target.cpu_flags) or "-"
        table.add_row(target.name, target.description, target.tvm.get("mcpu", "-"), needs)
    _print(table)


def devices_command() -> None:
    """Print the devices that answer now, as they describe themselves."""
    from bench.cache import cache_directory
    from bench.cell import device_state

    state = device_state(find_target("native"), cache_directory(), _TIME_LIMIT_S)
    table = _table("device", "what it says of itself")
    for key, value in _describe(state).items():
        table.add_row(key, value)
    _print(table)


def runs_command(store_url: str) -> None:
    """Print the runs of a store."""
    table = _table("run", "started (UTC)", "profile", "targets", right=["rows", "ok"])
    with Store(store_url, create=False) as store:
        for run in store.runs():
            statuses = [record.status for record in store.records([run.run_id])]
            table.add_row(
                run.run_id,
                run.started_at.removesuffix("+00:00"),
                str(run.suite.get("profile", "-")),
                ", ".join(run.suite.get("targets", ())),
                str(len(statuses)),
                str(statuses.count("ok")),
            )
    _print(table)


def _describe(state: DeviceState) -> dict[str, str]:
    memory = state.memory_total_bytes
    return {
        "name": state.host,
        "CPU": state.cpu_model or "-",
        "cores online": _or_dash(state.cpu_cores),
        "frequency": _or_dash(state.cpu_mhz, ".0f", " MHz"),
        "governor": state.cpu_governor or "-",
        "temperature": _or_dash(state.temperature_c, ".1f", " °C"),
        "load, 1 min": _or_dash(state.load_1m),
        "memory": "-" if memory is None else f"{memory / 1e9:.1f} GB",
        "kernel": state.os,
        "calibration kernel": f"{state.calibration_ms:.2f} ms",
    }


def _or_dash(value: float | None, form: str = "", unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"


def _table(*headers: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False, caption_justify="left")
    for header in headers:
        table.add_column(header, overflow="fold")
    for header in right:
        table.add_column(header, justify="right")
    return table


def _print(table: Table) -> None:
    Console().print(table, highlight=False)
