"""Users without a name or a home, and locales of other encodings."""

import getpass
import locale
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from mobilebench.bench.cache import CACHE_VARIABLE, cache_directory
from mobilebench.bench.cli import surroundings
from mobilebench.schedules.databases.database import (
    DIRECTORY_VARIABLE,
    PACKAGED,
    directories,
    user_directory,
)
from mobilebench.targets.errors import BenchError


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_name: str) -> str:
        raise RuntimeError("could not determine the home directory")

    for variable in (CACHE_VARIABLE, DIRECTORY_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(platformdirs, "user_cache_dir", nowhere)
    monkeypatch.setattr(platformdirs, "user_data_dir", nowhere)


@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_home_is_told_what_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(BenchError, match="no home directory; set HOME, or point MOBILEBENCH_CACHE"):
        cache_directory()
    with pytest.raises(BenchError, match="set HOME, or point MOBILEBENCH_DATABASES at"):
        user_directory()
    assert directories() == (PACKAGED,)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    assert cache_directory() == tmp_path / "cache"


@pytest.mark.parametrize("asked", ["", "default"])
def test_what_a_killed_process_left_is_removed_without_a_word(asked: str) -> None:
    script = (
        "from multiprocessing import resource_tracker\n"
        "from mobilebench.bench.cli.surroundings import prepare\n"
        "prepare()\n"
        "resource_tracker.register('/mp-of-a-killed-process', 'semaphore')"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env={**os.environ, "PYTHONWARNINGS": asked},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""


def test_a_user_without_a_name_and_a_home_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    def homeless_now() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(getpass, "getuser", unknown)
    monkeypatch.setenv("LOGNAME", "")
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setattr(Path, "home", homeless_now)
    surroundings.prepare()
    assert os.environ["HOME"] == "/"
    assert os.environ["LOGNAME"] == f"uid-{os.getuid()}"


@pytest.mark.parametrize(
    ("encoding", "again"), [("ISO-8859-1", True), ("cp1252", True), ("utf-8", False)]
)
def test_in_other_locales_python_begins_again_in_utf_8(
    monkeypatch: pytest.MonkeyPatch, encoding: str, again: bool
) -> None:
    begun: list[Any] = []
    monkeypatch.setattr(locale, "getencoding", lambda: encoding)
    monkeypatch.setattr(os, "execv", lambda *command: begun.append(command))
    for variable in ("PYTHONUTF8", "PYTHONIOENCODING"):
        monkeypatch.setenv(variable, "x")
        monkeypatch.delenv(variable)
    surroundings.prepare()
    if again and not sys.flags.utf8_mode:
        ((program, command),) = begun
        assert program == command[0] == sys.executable
        assert os.environ["PYTHONUTF8"] == "1"
    else:
        assert not begun
