"""Bundles as `mobilebench export` writes them."""

import json
from pathlib import Path
from typing import Any

VARIANT = "mobilenet_v2_0.35_64x96"
MISSING = "<missing>"  # a value that is not to be there


def export(out: Path, *options: object, variant: str = VARIANT, target: str = "native") -> Path:
    """Export without measuring; returns the bundle's directory."""
    from mobilebench.bench.cli.app import app

    command = ["export", "--variant", variant, "--target", target, "--out", str(out)]
    app([*command, "--no-measure", *map(str, options)], standalone_mode=False)
    return out


def flip(path: Path) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def reseal(bundle: Path) -> None:
    """Make every hash right again, as one would who knows how."""
    from mobilebench.bench.bundle.checksums import files_below, write_sums
    from mobilebench.bench.bundle.manifest import MANIFEST
    from mobilebench.bench.cache import file_sha256

    manifest = json.loads((bundle / MANIFEST).read_text())
    manifest["files"] = {
        name: {"bytes": (bundle / name).stat().st_size, "sha256": file_sha256(bundle / name)}
        for name in files_below(bundle)
        if name != MANIFEST
    }
    (bundle / MANIFEST).write_text(json.dumps(manifest))
    write_sums(bundle)


def shown_by(
    program: Any, file: Path, task: str, wanted: dict[str, Any], dtype: str = "float32"
) -> bytes:
    """Return what a bundle's `run.py` hands to the network of an image, stage after stage."""
    image = program.decoded(file, len(wanted["mean"]))
    shown = program.resized(image, task, wanted)
    given: bytes = program.normalised(shown, task, wanted, dtype, file)
    return given
