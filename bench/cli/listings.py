"""The commands that list what there is: variants, targets and runs."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from mobilebench.bench.config.suite import expand_variants
from mobilebench.bench.models.size import size_of
from mobilebench.bench.models.variant import CLASSIFY, MOBILENET_V2, parse_variant
from mobilebench.reports.published.figures import find_in_paper, find_published
from mobilebench.reports.records.store import Store
from mobilebench.targets.catalog.target import all_targets


def variants_command(names: Sequence[str]) -> None:
    """Print variants with their size, counted, and with what was published about them."""
    table = make_table("variant", right=["MMAC", "params, M", "top-1 %", "top-5 %", "Pixel 1, ms"])
    for name in expand_variants(names):
        variant = parse_variant(name)
        size = size_of(variant)
        row = [name, f"{size.macs / 1e6:.1f}", f"{size.params_count / 1e6:.2f}"]
        published = find_published(variant.width_multiplier, variant.height, variant.width)
        if published and variant.family == MOBILENET_V2 and variant.expansion_factor == 6:
            row += [f"{published.top1_percent:.1f}", f"{published.top5_percent:.1f}"]
            row += [or_dash(published.pixel1_large_core_ms, ".1f")]
        else:
            top1 = find_in_paper(name) if variant.task == CLASSIFY else None
            row += [or_dash(top1, ".1f"), "-", "-"]
        table.add_row(*row)
    table.caption = (
        "MACs and params are counted on the architecture (params with batch norm's scale and "
        "shift); top-1, top-5 (ImageNet) and Pixel 1's large core are TF-slim's published figures, "
        "MobileNetV1's the paper's."
    )
    print_table(table)


def targets_command() -> None:
    """Print the catalogue of targets."""
    table = make_table("target", "what it is", "CPU for LLVM", "needs", "boards' key")
    for target in all_targets():
        needs = ", ".join(target.cpu_flags) or "-"
        cpu = (target.host or target.tvm).get("mcpu", "-")
        table.add_row(
            target.name, target.description, cpu, needs, target.tracker_key or "this machine"
        )
    print_table(table)


def runs_command(store_url: str) -> None:
    """Print the runs of a store."""
    table = make_table("run", "started (UTC)", "effort", "targets", right=["rows", "ok"])
    with Store(store_url, create=False) as store:
        tally = store.tally()
        for run in store.runs():
            rows, ok = tally.get(run.run_id, (0, 0))
            table.add_row(
                run.run_id,
                run.started_at.removesuffix("+00:00"),
                str(run.suite.get("effort", "-")),
                ", ".join(run.suite.get("targets", ())),
                str(rows),
                str(ok),
            )
    print_table(table)


def or_dash(value: float | None, form: str = "", unit: str = "") -> str:
    """Format a number that may be unknown."""
    return "-" if value is None else f"{value:{form}}{unit}"


def make_table(*headers: str, right: Sequence[str] = ()) -> Table:
    """Return an empty table; columns in `right` hold numbers."""
    table = Table(box=None, pad_edge=False, caption_justify="left")
    for header in headers:
        table.add_column(header, overflow="fold")
    for header in right:
        table.add_column(header, justify="right")
    return table


def print_table(table: Table) -> None:
    """Print a table on standard output."""
    Console().print(table, highlight=False)
