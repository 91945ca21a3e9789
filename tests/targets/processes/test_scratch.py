"""Temporary files lie where code may run from."""

import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.scratch import scratch_root


def without_code_in(monkeypatch: pytest.MonkeyPatch, *directories: str) -> None:
    """Have the system say that these are mounted noexec."""

    def status(path: str) -> SimpleNamespace:
        return SimpleNamespace(f_flag=os.ST_NOEXEC if str(path) in directories else 0)

    monkeypatch.setattr(os, "statvfs", status)
    monkeypatch.setattr(os, "access", lambda _path, _mode: True)


def test_the_usual_directory_is_taken_where_code_may_run(tmp_path: Path) -> None:
    assert scratch_root() in (tempfile.gettempdir(), "/var/tmp", "/dev/shm")


def test_another_directory_is_taken_where_it_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    without_code_in(monkeypatch, tempfile.gettempdir())
    assert scratch_root() == "/var/tmp"


def test_if_no_code_may_run_anywhere_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    without_code_in(monkeypatch, tempfile.gettempdir(), "/var/tmp", "/dev/shm")
    with pytest.raises(BenchError, match=r"mounted noexec\); point TMPDIR at another one"):
        scratch_root()


def test_if_no_directory_can_be_written_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError("no usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(BenchError, match="point TMPDIR at one that can"):
        scratch_root()
