"""`mobilebench board`: emulated boards on this machine."""

from rich.console import Console

from mobilebench.bench.cache import cache_directory
from mobilebench.bench.config.commands import BoardStartOptions
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.emulated.board import Equipment, start_boards, stop_boards


def start_command(options: BoardStartOptions) -> None:
    """Start boards and show the progress; raises BenchError if they cannot be started."""
    console = Console(stderr=True)
    with console.status("starting") as status:

        def say(what: str) -> None:
            status.update(what)
            if not console.is_terminal:
                console.print(what, highlight=False, markup=False, soft_wrap=True)

        running = start_boards(
            find_target(options.target),
            cache_directory(),
            say,
            equipment=Equipment(options.cpu, tuple(dict.fromkeys(options.runtimes))),
            count=options.boards,
            host=options.host,
            insecure_bind=options.insecure_bind,
        )
    name, plural = options.target, "s" if options.boards > 1 else ""
    print(f"{options.boards} board{plural} of {name} at tracker {running.tracker}: ", end="")
    print(f"mobilebench run --target {name}")


def stop_command(name: str) -> None:
    """Stop the boards and the tracker that were started."""
    stopped = stop_boards(find_target(name), cache_directory())
    print(f"{name}: stopped" if stopped else f"{name}: was not running")
