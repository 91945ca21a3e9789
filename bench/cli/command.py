"""Commands whose options are those of a pydantic model, which is imported when they are needed."""

import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer
from rich.markup import escape
from typer.core import TyperCommand

if TYPE_CHECKING:  # pydantic: not before a command is chosen
    from mobilebench.bench.config.declaration import Option, Options

_GROUPED = 6  # more options than this are listed under headings
_OFF = "no_"


class LazyCommand(TyperCommand):
    """A command that is only a name and its help until it is the one that was chosen."""

    declared: ClassVar[tuple[Callable[[Any], int | None], str]]  # function, model of its options

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Make the command with its options, and the context of that."""
        return _make_command(*self.declared).make_context(*args, **extra)


def add_command(
    group: typer.Typer, model: str, name: str = "", section: str | None = None
) -> Callable[[Callable[[Any], int | None]], Callable[[Any], int | None]]:
    """Return a decorator: the function becomes a command of `group`.

    It is called with an instance of `model`, a class of `bench.config.commands`, made of the words
    of the command line, and returns the exit code. Its docstring is the help; `name` is its own
    unless given, and `section` the heading that `mobilebench --help` lists it under.
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
    single.command(help=inspect.getdoc(function))(call)
    return typer.main.get_command(single)


def _parameters(option: "Option", grouped: bool) -> Iterator[inspect.Parameter]:
    """Yield an option as parameters of a function, as Typer reads them.

    Numbers stay text: the model reads them, and its refusals say what may be given.
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
        else:  # what switches it off again is for suite files, and would take room in the help
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
