"""What is said about a command line that cannot be read."""

import re
from typing import Any

from mobilebench.targets.errors import did_you_mean

COMMAND = "mobilebench_command"
"""Attribute of an error that names its command, where Typer's error does not tell it."""
_NO_COMMAND = re.compile(r"No such command '(?P<name>[^']*)'")


def usage_refusal(error: Any) -> str:
    """Return one sentence about an usage error of Typer, empty if its help was printed.

    It suggests the nearest option or command, and names the help of the command that was given.
    """
    message, context = error.format_message().strip().rstrip("."), getattr(error, "ctx", None)
    command = getattr(error, COMMAND, "") or (context.command_path if context else "mobilebench")
    if not message:
        return ""
    option, no_command = getattr(error, "option_name", ""), _NO_COMMAND.search(message)
    if context and option and hasattr(error, "possibilities"):
        flags = [flag for one in context.command.params for flag in one.opts if flag[0] == "-"]
        advice = did_you_mean(option, flags, "this command has none of that name")
        message = f"unknown option {option}; {advice}"
    elif context and no_command:
        name = no_command["name"]
        message = f"unknown command {name!r}; {did_you_mean(name, context.command.commands)}"
    end = "" if message.endswith("?") else "."
    return f"{message}{end} See `{command} --help`."
