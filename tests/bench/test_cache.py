from pathlib import Path

import pytest

from bench.cache import CACHE_VARIABLE, cache_directory, cached, content_key, source_key
from targets.errors import BenchError


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


def test_of_two_at_once_one_wins(tmp_path: Path) -> None:
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
