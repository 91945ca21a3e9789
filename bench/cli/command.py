"""Commands whose options are the fields of a pydantic model.

The models are imported only for the command that was chosen, so that `--help` answers at once.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup

from mobilebench.bench.cli.usage_errors import COMMAND

if TYPE_CHECKING:  # pydantic: not before a command is chosen
    from mobilebench.bench.config.declaration import Option, Options

_GROUPED = 6  # a command with more options than this lists them under headings
_OFF = "no_"


class PlainGroup(TyperGroup):
    """A group of commands whose help shows no type for flags."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, those of `--help` and other flags without a type."""
        return _hide_types_of_flags(super().get_params(ctx))


class PlainCommand(TyperCommand):
    """A command whose help shows no type for flags."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, those of `--help` and other flags without a type."""
        return _hide_types_of_flags(super().get_params(ctx))


class LazyCommand(TyperCommand):
    """A command whose options are only made when it is the one that was chosen."""

    declared: ClassVar[tuple[Callable[[Any], int | None], str]]  # function, model of its options

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        """Make the command with its options, and return its context."""
        command = _make_command(*self.declared)
        try:
            return command.make_context(info_name, args, parent, **extra)
        except Exception as error:
            setattr(error, COMMAND, f"{parent.command_path if parent else ''} {info_name}".strip())
            raise


def add_command(
    group: typer.Typer, model: str, name: str = "", section: str | None = None
) -> Callable[[Callable[[Any], int | None]], Callable[[Any], int | None]]:
    """Return a decorator that makes a function a command of `group`.

    The function takes an instance of `model`, the name of a class of `bench.config.commands`, which
    holds the values of the options, and returns the exit code. Its docstring is the help. The
    command is called `name` (by default, the function's name), and `mobilebench --help` lists it
    under the heading `section`.
    """

    def add(function: Callable[[Any], int | None]) -> Callable[[Any], int | None]:
        class Lazy(LazyCommand):
            declared = function, model

        group.command(
            name or function.__name__,
            cls=Lazy,
            help=inspect.getdoc(function),
            rich_help_panel=section,
        )(lambda: None)
        return function

    return add


def _make_command(function: Callable[[Any], int | None], model_name: str) -> Any:
    from mobilebench.bench.config import commands
    from mobilebench.bench.config.check import from_command_line
    from mobilebench.bench.config.declaration import options_of

    model: type[Options] = getattr(commands, model_name)

    def call(**words: Any) -> int | None:
        given = {name: value for name, value in words.items() if value not in (None, [])}
        off = {name.removeprefix(_OFF): False for name in given if name.startswith(_OFF)}
        said = {name: value for name, value in given.items() if not name.startswith(_OFF)}
        return function(from_command_line(model, said | off))

    options = options_of(model)
    grouped = len(options) > _GROUPED
    parameters = [parameter for option in options for parameter in _parameters(option, grouped)]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {one.name: one.annotation for one in parameters}
    single = typer.Typer(add_completion=False)
    single.command(help=inspect.getdoc(function), cls=PlainCommand)(call)
    return typer.main.get_command(single)


def _hide_types_of_flags(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


def _parameters(option: "Option", grouped: bool) -> Iterator[inspect.Parameter]:
    """Yield an option as parameters of a function, in the form that Typer expects.

    Typer passes numbers on as text: the model parses them, and its messages say what is allowed.
    """
    kind: Any = bool if option.kind is bool else str
    if option.repeated:
        kind = list[kind]
    text = option.help
    if option.default and option.kind is not bool:
        text += escape(f" [default: {option.default}]")
    shown: dict[str, Any] = {"help": text, "show_default": False}
    if option.shown.positional:
        info = typer.Argument(metavar=option.metavar, **shown)
    else:
        shown["rich_help_panel"] = option.shown.group if grouped else None
        off = f"--no-{option.flag[2:]}"
        if option.kind is not bool:
            info = typer.Option(option.flag, metavar=option.metavar, **shown)
        elif option.on_by_default:
            info = typer.Option(f"{option.flag}/{off}", **shown)
        else:  # only suite files switch it on, so the help does not show how to switch it off
            info = typer.Option(option.flag, **shown)
            yield _parameter(f"{_OFF}{option.attribute}", bool, typer.Option(off, hidden=True))
    yield _parameter(option.attribute, kind, info, option.required)


def _parameter(name: str, kind: Any, info: Any, required: bool = False) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if required else None,
        annotation=Annotated[kind if required else kind | None, info],
    )
