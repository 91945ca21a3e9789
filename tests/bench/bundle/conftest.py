"""Bundles as `mobilebench export` writes them, and copies that may be spoilt."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.bundle.checksums import write_sums
from bench.bundle.manifest import MANIFEST


@pytest.fixture
def bundle(exported_bundle: Path) -> Path:
    """Return a bundle for this machine; not to be changed."""
    return exported_bundle


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


@pytest.fixture
def forged(copy: Path) -> Callable[..., Path]:
    """Change a copy's manifest as one would who knows how, so that every hash is right again."""

    def forge(**values: Any) -> Path:
        manifest = json.loads((copy / MANIFEST).read_text())
        (copy / MANIFEST).write_text(json.dumps(manifest | values, indent=1) + "\n")
        write_sums(copy)
        return copy

    return forge
