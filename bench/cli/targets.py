"""`mobilebench targets`: the targets that networks can be compiled for."""

from pathlib import Path

from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.cache import cache_directory
from mobilebench.bench.cli.tables import make_table, print_table
from mobilebench.bench.config.options import TIME_LIMIT_S
from mobilebench.targets.catalog.platforms import host_triple
from mobilebench.targets.catalog.target import Target, all_targets, find_target, read_target
from mobilebench.targets.devices.target_check import check_platform, require_device, triple_of
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import WorkerError


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


def check_command(name: str) -> None:
    """Check all of a target that can be checked without its device, and print what it is.

    Raises BenchError for the first thing that is wrong with it.
    """
    path = Path(name)
    target = read_target(path) if path.is_file() else find_target(name)
    check_platform(target)
    try:
        with BuildService(cache_directory(), TIME_LIMIT_S) as service:
            service.check_target(target, ())
    except WorkerError as error:
        raise BenchError(f"target {target.name}: {error}") from error
    require_device(target)
    print(f"{name}: good. {_in_words(target)}")


def _in_words(target: Target) -> str:
    cpu = target.host or target.tvm
    code = f"Code for {cpu.get('mcpu', 'any CPU')}, {triple_of(target) or host_triple()}"
    where = f"boards of key {target.tracker_key}" if target.tracker_key else "this machine"
    return f"{code}, linked by toolchain {target.toolchain}, measured on {where}."
