"""`mobilebench targets`: the targets that networks can be compiled for."""

from mobilebench.bench.cli.tables import make_table, print_table
from mobilebench.targets.catalog.target import all_targets


def targets_command() -> None:
    """Print the catalogue of targets."""
    table = make_table("target", "description", "CPU for LLVM", "needs", "key at the tracker")
    for target in all_targets():
        needs = ", ".join(target.cpu_flags) or "-"
        cpu = (target.host or target.tvm).get("mcpu", "-")
        table.add_row(
            target.name, target.description, cpu, needs, target.tracker_key or "this machine"
        )
    print_table(table)
