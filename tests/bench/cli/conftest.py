"""The command line, in this process or, as a user has it, in one of its own."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

Done = subprocess.CompletedProcess[str]
CommandLine = Callable[..., Done]


_PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from mobilebench.bench.cli.app import main
main()
"""  # as a terminal starts it: what a shell has put into the background ignores Ctrl-C


def command(arguments: Sequence[object]) -> list[str]:
    return [
        sys.executable,
        "-c",
        _PROGRAM,
        *map(str, arguments),
    ]


@pytest.fixture
def mobilebench(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    """Run `mobilebench ARGUMENTS` in an empty directory, without a Python and imports of its own.

    Nothing stays behind of what it sets for its process.
    """

    def run(*arguments: object, **environment: str) -> Done:
        from mobilebench.bench.cli.app import main

        with pytest.MonkeyPatch.context() as patch, _own_signals(), _own_logging():
            patch.chdir(tmp_path)
            patch.setenv("PYTHONSAFEPATH", "1")  # as the command sets it, and taken back
            patch.setenv("PYTHONWARNINGS", os.environ.get("PYTHONWARNINGS", ""))  # likewise
            patch.setattr(sys, "argv", ["mobilebench", *map(str, arguments)])
            for name, value in environment.items():
                patch.setenv(name, value)
            capfd.readouterr()  # what was printed before is not the command's
            with pytest.raises(SystemExit) as exit_:
                main()
        assert isinstance(exit_.value.code, int)
        return subprocess.CompletedProcess(arguments, exit_.value.code, *capfd.readouterr())

    return run


@contextmanager
def _own_signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _own_logging() -> Iterator[None]:
    """Let a command set up logging as in a process of its own, where nobody has done so before."""
    root, ours = logging.getLogger(), logging.getLogger("mobilebench")
    handlers, levels = root.handlers, (root.level, ours.level)
    root.handlers = []
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(levels[0])
        ours.setLevel(levels[1])


@pytest.fixture
def mobilebench_process(tmp_path: Path) -> CommandLine:
    """Run `mobilebench ARGUMENTS` in an empty directory and a process of its own."""

    def run(*arguments: object, **environment: str) -> Done:
        return subprocess.run(
            command(arguments),
            cwd=tmp_path,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start `mobilebench ARGUMENTS` in an empty directory and a process of its own."""

    def start(*arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(arguments),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start
