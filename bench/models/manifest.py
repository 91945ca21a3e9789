"""What is declared beside a checkpoint or an ONNX file: a manifest in TOML."""

import tomllib
from pathlib import Path
from typing import Any, get_args

from mobilebench.bench.models.architecture import Padding
from mobilebench.bench.models.variant import FAMILIES
from mobilebench.targets.errors import BenchError
from mobilebench.targets.validation import unknown_key

_MANIFEST_KEYS: dict[str, type | tuple[type, ...]] = {
    "architecture": str,
    "width_multiplier": (int, float),
    "depth_multiplier": (int, float),
    "channel_divisor": int,
    "resolution": int,
    "padding": str,
    "batch_norm_epsilon": (int, float),
    "mean": list,
    "std": list,
    "resize": int,
    "classes": (int, list),
    "source": str,
    "license": str,
    "sha256": str,
}


def parse_manifest(path: Path) -> dict[str, Any]:
    """Return the keys of a manifest; raises BenchError for one that cannot be understood."""
    try:
        manifest = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BenchError(f"manifest {path}: {error}") from error
    for key, value in manifest.items():
        if key not in _MANIFEST_KEYS:
            raise BenchError(f"manifest {path}: {unknown_key(key, '', _MANIFEST_KEYS)}")
        if not isinstance(value, _MANIFEST_KEYS[key]) or isinstance(value, bool):
            raise BenchError(f"manifest {path}: {key} cannot be {value!r}")
    for key in ("mean", "std"):
        values = manifest.get(key, (1.0, 1.0, 1.0))
        numbers = all(type(value) in (int, float) for value in values)
        if not values or not numbers or (key == "std" and not all(v > 0 for v in values)):
            raise BenchError(
                f"manifest {path}: {key} must be a number for each channel, not {values!r}"
            )
    if not 0 < manifest.get("batch_norm_epsilon", 1e-5) < 1:
        raise BenchError(f"manifest {path}: batch_norm_epsilon must be between 0 and 1")
    for key in ("resolution", "resize", "classes", "channel_divisor"):
        if isinstance(manifest.get(key, 1), int) and manifest.get(key, 1) < 1:
            raise BenchError(f"manifest {path}: {key} must be above 0")
    allowed: dict[str, tuple[object, ...]] = {
        "architecture": tuple(FAMILIES),
        "padding": get_args(Padding),
    }
    for key, values in allowed.items():
        if manifest.get(key, values[0]) not in values:
            raise BenchError(
                f"manifest {path}: {key} is {manifest[key]!r}; known: {', '.join(map(str, values))}"
            )
    return manifest


def class_names_in(manifest: dict[str, Any], classes: int | None, path: Path) -> tuple[str, ...]:
    """Return the names of the classes that a manifest declares; empty if it does not."""
    names = manifest.get("classes")
    if not isinstance(names, list):
        return ()
    if not all(isinstance(name, str) and name.strip() and "\n" not in name for name in names):
        raise BenchError(f"manifest {path}: classes is not a number, nor a list of names")
    told_apart = None if classes is None else max(2, classes)
    if told_apart is not None and len(names) not in (told_apart, told_apart - 1):
        raise BenchError(
            f"manifest {path}: classes has {len(names)} names, the checkpoint tells {told_apart} "
            "classes apart; name each, in order, with the background or without"
        )
    return tuple(name.strip() for name in names)
