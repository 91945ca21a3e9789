"""The `mobilebench run` that would measure what an answer lacks."""

import shlex
from collections.abc import Iterable, Sequence

from mobilebench.bench.cli.resume import store_word
from mobilebench.bench.models.variant import GRIDS, parse_variant
from mobilebench.bench.models.weights import RANDOM
from mobilebench.reports.choice.missing import Missing
from mobilebench.reports.records.store import DEFAULT_URL
from mobilebench.schedules.precision import FLOAT32, INT8
from mobilebench.targets.errors import BenchError

CHECKPOINT, IMAGES = "CHECKPOINT", "IMAGES"  # what only the user has


def run_line(missing: Missing, target: str, store_url: str) -> str:
    """Return the command; CHECKPOINT and IMAGES in it stand for files of the user's."""
    words = ["mobilebench", "run", "--target", target, *_networks(missing.variants)]
    if missing.precision != FLOAT32:
        words += ["--precision", missing.precision]
    if missing.threads != (1,):
        words += _each("--threads", map(str, missing.threads))
    words += _each("--runtime", missing.runtimes)
    words += _weights(missing)
    if missing.data:
        words += ["--data", IMAGES]
        if missing.precision == INT8:
            words += ["--calibration", IMAGES]
    if store_url != DEFAULT_URL:
        words += ["--store", store_word(store_url)]
    return shlex.join(words)


def _networks(names: Sequence[str]) -> list[str]:
    for group, variants in GRIDS.items():
        if {variant.name for variant in variants()} == set(names):
            return ["--variant", group]
    words: list[str] = []
    for name in names:
        words += ["--variant", name] if _is_variant(name) else ["--model", f"{name}.onnx"]
    return words


def _weights(missing: Missing) -> list[str]:
    """Name checkpoints; only with one is there an accuracy, and an ONNX file has its own."""
    if not any(map(_is_variant, missing.variants)):
        return []
    labels = [one for one in missing.weights if not one.startswith(RANDOM) and "@" not in one]
    return _each("--weights", labels or ([CHECKPOINT] if missing.data else []))


def _is_variant(name: str) -> bool:
    try:
        parse_variant(name)
    except BenchError:
        return False
    return True


def _each(flag: str, values: Iterable[str]) -> list[str]:
    return [word for value in values for word in (flag, value)]
