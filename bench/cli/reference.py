"""Writes the reference pages of the command line and the suite file from the declared options.

    python -m mobilebench.bench.cli.reference

writes `options.md` and `suite.md` into `docs/reference` of the current directory.
"""

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import typer

from mobilebench.bench.cli.app import app
from mobilebench.bench.cli.command import LazyCommand
from mobilebench.bench.config import commands
from mobilebench.bench.config.declaration import Option, Options, options_of
from mobilebench.bench.config.suite import SuiteFile

DIRECTORY = Path("docs/reference")
_WRITTEN = "<!-- Written by `python -m mobilebench.bench.cli.reference`; do not edit. -->\n"


def options_page() -> str:
    """Return the page of all commands with their options, as Markdown."""
    parts = [
        "# Options of the command line\n",
        _WRITTEN,
        "An option that may be repeated takes one value each time: `--threads 1 --threads 2`. A "
        "switch `--kernels` is switched off by `--no-kernels`. In a [suite file](suite.md) `run`'s "
        "options have the same names.\n",
    ]
    for name, command in _commands(app):
        function, model_name = command.declared
        model: type[Options] = getattr(commands, model_name)
        options = options_of(model)
        arguments = [option for option in options if option.shown.positional]
        usage = [f"mobilebench {name}", *map(_usage, arguments)]
        parts.append(f"## `{' '.join(usage)}`\n")
        parts.append(f"{inspect.getdoc(function)}\n")
        if options:
            rows = [
                (_called(one), one.help, _values(one), "required" if one.required else one.default)
                for one in (*arguments, *(one for one in options if one not in arguments))
            ]
            parts.append(_table(("option", "meaning", "values", "default"), rows))
    return "\n".join(parts)


def suite_page() -> str:
    """Return the page of a suite file's keys, as Markdown."""
    rows = [
        (f"`{one.key}`", one.help, _values(one, in_file=True), one.default)
        for one in options_of(SuiteFile)
    ]
    return "\n".join(
        (
            "# Keys of a suite file\n",
            _WRITTEN,
            "A suite file is TOML. Its keys are the options of `mobilebench run` with `_` for `-`; "
            "an option that may be repeated is a list, e.g. `threads = [1, 2]`. Options of the "
            "command line win over the file. Every key may be left out.\n",
            _table(("key", "meaning", "values", "default"), rows),
        )
    )


def write_pages(directory: Path) -> None:
    """Write both pages; raises OSError if that cannot be done."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "options.md").write_text(options_page())
    (directory / "suite.md").write_text(suite_page())


def _commands(group: typer.Typer, prefix: str = "") -> Iterator[tuple[str, type[LazyCommand]]]:
    for command in group.registered_commands:
        assert command.cls and issubclass(command.cls, LazyCommand)
        yield f"{prefix}{command.name}", command.cls
    for below in group.registered_groups:
        assert below.typer_instance
        yield from _commands(below.typer_instance, f"{prefix}{below.name} ")


def _usage(argument: Option) -> str:
    return argument.metavar if argument.required else f"[{argument.metavar}]"


def _called(option: Option) -> str:
    if option.shown.positional:
        return f"`{option.metavar}`"
    if option.on_by_default:
        return f"`{option.flag}`, `--no-{option.flag[2:]}`"
    return f"`{option.flag}`"


def _values(option: Option, in_file: bool = False) -> str:
    many = "list of " if in_file and option.repeated else ""
    if option.choices:
        return many + ", ".join(f"`{name}`" for name in option.choices)
    if option.kind is bool:
        return "`true` or `false`" if in_file else "switch"
    return option.expected(one=not in_file).removeprefix("a ")


def _table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    header = tuple(header)
    lines = [header, ("---",) * len(header), *rows]
    return "".join(
        f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |\n"
        for line in lines
    )


if __name__ == "__main__":
    write_pages(DIRECTORY)
