"""Bundles as `mobilebench export` writes them, and copies that may be spoilt."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.bundle.checksums import write_sums
from bench.bundle.manifest import MANIFEST
from bench.cli import app

VARIANT = "mobilenet_v2_0.35_64x96"


def export(out: Path, *options: object, variant: str = VARIANT, target: str = "native") -> Path:
    """Export without measuring; returns the bundle's directory."""
    command = ["export", "--variant", variant, "--target", target, "--out", str(out)]
    app([*command, "--no-measure", *map(str, options)], standalone_mode=False)
    return out


@pytest.fixture(scope="session")
def bundle(cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle for this machine; not to be changed."""
    return export(tmp_path_factory.mktemp("bundle") / "bundle")


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
