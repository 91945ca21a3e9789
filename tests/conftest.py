"""What all tests share: a cache of their own, kept for the session."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cache import CACHE_VARIABLE


@pytest.fixture(scope="session", autouse=True)
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the session's cache, where exports and artifacts are shared between tests."""
    before = os.environ.get(CACHE_VARIABLE)
    path = tmp_path_factory.mktemp("cache")
    os.environ[CACHE_VARIABLE] = str(path)
    yield path
    if before is None:
        del os.environ[CACHE_VARIABLE]
    else:
        os.environ[CACHE_VARIABLE] = before
