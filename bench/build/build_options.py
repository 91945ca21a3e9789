"""Everything except the network that a build depends on."""

from dataclasses import dataclass, fields
from pathlib import Path

from mobilebench.schedules.objective import LATENCY
from mobilebench.schedules.params_pool import EMBEDDED
from mobilebench.schedules.precision import FLOAT32
from mobilebench.targets.catalog.target import Target

# TVM's resolved target and the content of the databases are hashed instead.
_RESOLVED = ("target", "databases")
_NOT_IN_THE_LIBRARY = ("dump_ir",)


@dataclass(frozen=True)
class BuildOptions:
    """How a network is built into a library; new fields become part of the cache key."""

    target: Target
    threads: int = 1  # that one inference uses
    databases: tuple[
        Path, ...
    ] = ()  # directories of tuned tiles; none: the templates' default tiles
    batch: int = 1  # images of an inference
    precision: str = FLOAT32  # one of PRECISIONS: of stored weights, on GPUs of activations too
    optimize_for: str = LATENCY  # one of OBJECTIVES
    instrumented: bool = False  # times each kernel; a GPU's driver always does
    params_storage: str = EMBEDDED  # one of PARAMS_STORAGES: where the weights are
    dump_ir: Path | None = None  # directory for the compiler's intermediate code; always builds

    @property
    def key(self) -> tuple[tuple[str, object], ...]:
        """The options that a library's content depends on, to be hashed as they are."""
        left_out = (*_RESOLVED, *_NOT_IN_THE_LIBRARY)
        names = [field.name for field in fields(self) if field.name not in left_out]
        return tuple((name, getattr(self, name)) for name in names)
