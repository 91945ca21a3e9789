"""Bundles as `mobilebench export` writes them, and copies that may be spoilt."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobilebench.bench.bundle.checksums import write_sums
from mobilebench.bench.bundle.manifest import MANIFEST
from tests.bundles import MISSING, export


def merged(table: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Return a table with values in place of its own."""
    found = dict(table)
    for key, value in values.items():
        if value == MISSING:
            del found[key]
        elif isinstance(value, dict) and isinstance(found.get(key), dict):
            found[key] = merged(found[key], value)
        else:
            found[key] = value
    return found


@pytest.fixture
def bundle(exported_bundle: Path) -> Path:
    """Return a bundle for this machine; not to be changed."""
    return exported_bundle


@pytest.fixture(scope="session")
def pixel_bundle(cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle of the same network that takes pixels; not to be changed."""
    return export(tmp_path_factory.mktemp("pixels") / "bundle", "--input", "uint8")


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


@pytest.fixture
def forged(copy: Path) -> Callable[..., Path]:
    """Change a copy's manifest as one would who knows how, so that every hash is right again.

    Of an object that is given the rest stays; `MISSING` takes a value away.
    """

    def forge(**values: Any) -> Path:
        manifest = merged(json.loads((copy / MANIFEST).read_text()), values)
        (copy / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        write_sums(copy)
        return copy

    return forge
