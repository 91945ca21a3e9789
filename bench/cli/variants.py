"""`mobilebench variants`: the known networks with their size and published figures."""

from collections.abc import Sequence

from mobilebench.bench.cli.tables import make_table, or_dash, print_table
from mobilebench.bench.config.suite import expand_variants
from mobilebench.bench.models.size import size_of
from mobilebench.bench.models.variant import CLASSIFY, Variant, parse_variant
from mobilebench.reports.published.figures import find_in_paper, find_published, find_timm


def variants_command(names: Sequence[str]) -> None:
    """Print variants with their computed size and the figures published about them."""
    table = make_table("variant", right=["MMAC", "params, M", "top-1 %", "top-5 %", "Pixel 1, ms"])
    for name in expand_variants(names):
        variant = parse_variant(name)
        size = size_of(variant)
        row = [name, f"{size.macs / 1e6:.1f}", f"{size.params_count / 1e6:.2f}"]
        published, timm = None, find_timm(name)
        if variant == Variant(variant.width_multiplier, variant.height, variant.width):
            published = find_published(variant.width_multiplier, variant.height, variant.width)
        if published:
            row += [f"{published.top1_percent:.1f}", f"{published.top5_percent:.1f}"]
            row += [or_dash(published.pixel1_large_core_ms, ".1f")]
        elif timm:
            row += [f"{timm.top1_percent:.1f}", f"{timm.top5_percent:.1f}", "-"]
        else:
            top1 = find_in_paper(name) if variant.task == CLASSIFY else None
            row += [or_dash(top1, ".1f"), "-", "-"]
        table.add_row(*row)
    table.caption = (
        "MACs and parameters are computed from the architecture (with batch norm's scale and "
        "shift); top-1, top-5 (ImageNet) and the latency on a Pixel 1 are published by TF-slim, "
        "those of MobileNetV1 by its paper, those of depth multipliers by timm."
    )
    print_table(table)
