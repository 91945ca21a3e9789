"""The command line as a user has it: a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

CommandLine = Callable[..., subprocess.CompletedProcess[str]]


def command(arguments: Sequence[object]) -> list[str]:
    return [sys.executable, "-c", "from bench.cli import main; main()", *map(str, arguments)]


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start `mobilebench ARGUMENTS` in an empty directory."""

    def start(*arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(arguments),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def mobilebench(tmp_path: Path) -> CommandLine:
    """Run `mobilebench ARGUMENTS` in an empty directory."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(arguments),
            cwd=tmp_path,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
