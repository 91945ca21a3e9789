"""Bundles as `mobilebench export` writes them."""

from pathlib import Path

VARIANT = "mobilenet_v2_0.35_64x96"


def export(out: Path, *options: object, variant: str = VARIANT, target: str = "native") -> Path:
    """Export without measuring; returns the bundle's directory."""
    from bench.cli import app

    command = ["export", "--variant", variant, "--target", target, "--out", str(out)]
    app([*command, "--no-measure", *map(str, options)], standalone_mode=False)
    return out


def flip(path: Path) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
