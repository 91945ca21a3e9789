"""What was published about the variants, with its source."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

SOURCE = "TensorFlow models, research/slim/nets/mobilenet"


@dataclass(frozen=True)
class Published:
    """One published checkpoint; the input is square, `resolution` pixels a side."""

    width_multiplier: float
    resolution: int
    macs_millions: float  # truncated to whole millions
    params_millions: float  # without batch norm's scale and shift
    top1_percent: float
    top5_percent: float
    pixel1_large_core_ms: float | None


def _number(text: str) -> float | None:
    return float(text) if text else None


@cache
def published_checkpoints() -> tuple[Published, ...]:
    """Return the published checkpoints in the order of their table."""
    text = (files("reports") / "published" / "slim_checkpoints.csv").read_text()
    return tuple(
        Published(
            width_multiplier=float(row["width_multiplier"]),
            resolution=int(row["resolution"]),
            macs_millions=float(row["macs_millions"]),
            params_millions=float(row["params_millions"]),
            top1_percent=float(row["top1_percent"]),
            top5_percent=float(row["top5_percent"]),
            pixel1_large_core_ms=_number(row["pixel1_large_core_ms"]),
        )
        for row in csv.DictReader(text.splitlines())
    )


def find_published(width_multiplier: float, height: int, width: int) -> Published | None:
    """Return what was published about a variant, if anything was."""
    for checkpoint in published_checkpoints():
        if (checkpoint.width_multiplier, checkpoint.resolution) == (width_multiplier, height):
            return checkpoint if height == width else None
    return None
