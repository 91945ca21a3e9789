"""A run of bundles, which are measured as they were exported."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mobilebench.bench.bundle.bundle import Bundle, open_bundle
from mobilebench.bench.config.declaration import options_of
from mobilebench.bench.config.suite import Suite, make_suite
from mobilebench.bench.runtimes.runtime import TVM
from mobilebench.targets.catalog.target import Target
from mobilebench.targets.errors import BenchError

_HASH_MARK = "#sha256="
_FREE = (
    *("effort", "time_limit_s", "tracker", "wait_s", "retries", "cool_below_c"),
    *("sustained_minutes", "pace_fps", "energy"),
)


def open_bundles(sources: Sequence[str]) -> tuple[Bundle, ...]:
    """Open bundles by their paths, each of which may end in `#sha256=` and the bundle's checksum.

    Raises BenchError if one is incomplete or damaged, or its checksum differs.
    """
    bundles = []
    for source in dict.fromkeys(sources):
        path, _, digest = source.partition(_HASH_MARK)
        bundle = open_bundle(Path(path))
        if digest and digest != bundle.sha256:
            raise BenchError(f"bundle {path}: its SHA-256 is {bundle.sha256}, not {digest}")
        bundles.append(bundle)
    return tuple(bundles)


def bundle_suite(bundles: Sequence[Bundle], chosen: dict[str, Any]) -> Suite:
    """Return the suite that measures bundles as they are.

    Raises BenchError for an option that a bundle fixes, and for two bundles whose rows would have
    the same key.
    """
    if decided := [key for key in chosen if key not in _FREE]:
        flag = next(one.flag for one in options_of(Suite) if one.attribute == decided[0])
        raise BenchError(f"--bundle measures what was exported, as it is; leave out {flag}")
    named: dict[Any, Path] = {}
    targets: dict[str, Target] = {}
    for bundle in bundles:
        if targets.setdefault(bundle.target.name, bundle.target) != bundle.target:
            raise BenchError(
                f"bundle {bundle.directory}: another bundle has a different target of the name "
                f"{bundle.target.name}; measure each in a run of its own"
            )
        manifest = bundle.manifest
        cell = (manifest.variant, bundle.target.name, manifest.threads, manifest.precision)
        key = (*cell, manifest.batch, bundle.weights.label)
        other = named.setdefault(key, bundle.directory)
        if other != bundle.directory:
            raise BenchError(
                f"bundles {other} and {bundle.directory}: their rows would look the same; measure "
                "each in a run of its own"
            )
        if "pace_fps" in chosen and manifest.batch > 1:
            raise BenchError(
                f"--pace: a camera's frames come one at a time, and bundle {bundle.directory} "
                f"takes batches of {manifest.batch}; leave out --pace"
            )
    suite = make_suite(chosen | {"runtimes": (TVM,)})
    return suite.model_copy(
        update={
            "variants": _each(bundle.variant.name for bundle in bundles),
            "bundles": tuple(
                f"{one.directory.resolve()}{_HASH_MARK}{one.sha256}" for one in bundles
            ),
            "targets": _each(bundle.target.name for bundle in bundles),
            "threads": _each(bundle.manifest.threads for bundle in bundles),
            "batches": _each(bundle.manifest.batch for bundle in bundles),
            "precisions": _each(bundle.manifest.precision for bundle in bundles),
        }
    )


def _each(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return the values in order without repetitions."""
    return tuple(dict.fromkeys(values))
