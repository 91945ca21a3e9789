import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mobilebench.bench.cache import (
    CACHE_VARIABLE,
    cache_directory,
    cached,
    content_key,
    file_sha256,
    source_key,
)
from mobilebench.targets.errors import BenchError

ROOT = Path(__file__).parents[2]


def test_a_directory_is_filled_once(tmp_path: Path) -> None:
    fills = []

    def fill(directory: Path) -> None:
        fills.append(directory)
        (directory / "file").write_text("content")

    for _ in range(2):
        assert (cached(tmp_path / "entry", fill) / "file").read_text() == "content"
    assert len(fills) == 1


def test_a_failing_fill_leaves_nothing(tmp_path: Path) -> None:
    def fill(directory: Path) -> None:
        (directory / "half").write_text("")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        cached(tmp_path / "entry", fill)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_fill_leaves_no_entry_and_the_next_one_works(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from mobilebench.bench.cache import cached

def fill(directory):
    (directory / "file").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

cached(Path(sys.argv[1]), fill)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "entry")], cwd=ROOT, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "entry").exists()
    entry = cached(tmp_path / "entry", lambda path: (path / "file").write_text("whole") and None)
    assert (entry / "file").read_text() == "whole"


def test_only_one_of_two_concurrent_fills_is_kept(tmp_path: Path) -> None:
    def fill(directory: Path) -> None:
        if not (tmp_path / "entry").exists():
            cached(tmp_path / "entry", lambda other: (other / "file").write_text("first") and None)
        (directory / "file").write_text("second")

    assert (cached(tmp_path / "entry", fill) / "file").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["entry"]


def test_keys_follow_content() -> None:
    assert content_key("a", 1) == content_key("a", 1)
    assert content_key("a", 1) != content_key("a", "1")
    assert content_key("ab", "c") != content_key("a", "bc")


def test_source_keys_follow_names_and_text(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    before = source_key(tmp_path)
    assert source_key(tmp_path) == before
    (tmp_path / "a.py").write_text("x = 2")
    assert source_key(tmp_path) != before


def test_a_file_s_hash_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"bytes")
    assert file_sha256(tmp_path / "file") == hashlib.sha256(b"bytes").hexdigest()


def test_the_cache_is_where_the_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "deep" / "cache"))
    assert cache_directory() == tmp_path / "deep" / "cache"
    assert cache_directory().is_dir()


def test_a_cache_that_cannot_be_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(BenchError, match=CACHE_VARIABLE):
        cache_directory()
