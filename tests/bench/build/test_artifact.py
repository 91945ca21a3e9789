"""An artifact is found again by the key that its record has."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from mobilebench.bench.build.artifact import (
    ARTIFACTS,
    LIBRARY,
    MANIFEST,
    Manifest,
    find_artifact,
    read_artifact,
)
from mobilebench.bench.cache import file_sha256
from mobilebench.targets.errors import BenchError

KEY = "mobilenet_v2_1.0_224-native-0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Return a cache with one artifact in it."""
    directory = tmp_path / ARTIFACTS / KEY
    directory.mkdir(parents=True)
    library = directory / LIBRARY
    library.write_bytes(b"machine code")
    manifest = {field.name: 0 for field in fields(Manifest)}
    manifest |= {"library_sha256": file_sha256(library), "params_sha256": ""}
    (directory / MANIFEST).write_text(json.dumps(manifest))
    return tmp_path


def test_an_artifact_is_found_by_its_key(cache: Path) -> None:
    artifact = read_artifact(cache / ARTIFACTS / KEY)
    assert artifact.key == KEY
    assert find_artifact(artifact.key, cache) == artifact
    assert artifact.library.read_bytes() == b"machine code"


@pytest.mark.parametrize("key", ["", ".", "..", f"../{ARTIFACTS}/{KEY}", f"{KEY}x"])
def test_an_artifact_that_is_not_cached_is_not_found(cache: Path, key: str) -> None:
    assert find_artifact(key, cache) is None


def test_a_damaged_artifact_is_refused(cache: Path) -> None:
    (cache / ARTIFACTS / KEY / LIBRARY).write_bytes(b"other machine code")
    with pytest.raises(BenchError, match="delete it to have it rebuilt"):
        find_artifact(KEY, cache)
