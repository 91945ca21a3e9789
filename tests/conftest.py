"""What all tests share: a cache of their own, kept for the session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cache import CACHE_VARIABLE
from schedules.database import DIRECTORY_VARIABLE


@pytest.fixture(scope="session", autouse=True)
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the session's cache, where exports and artifacts are shared between tests.

    Databases that were tuned on this machine are out of sight.
    """
    path = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(CACHE_VARIABLE, str(path))
        environment.setenv(DIRECTORY_VARIABLE, str(tmp_path_factory.mktemp("databases")))
        yield path
