"""What a bundle says of itself, for those who run it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from mobilebench.bench.bundle.typed import typed
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.catalog.target import Target

FORMAT = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Tensor:
    """An input or output of the network."""

    name: str
    shape: list[int]
    dtype: str
    layout: str  # of the axes; empty where they have no names
    reference: str  # file of little-endian floats that verification feeds or expects
    stride: int = 1  # it has every so many rows and columns alone

    @property
    def reference_shape(self) -> list[int]:
        """The shape of what the file has."""
        if len(self.shape) != 4:
            return self.shape
        return [*self.shape[:2], *(-(-side // self.stride) for side in self.shape[2:])]


@dataclass(frozen=True)
class Measured:
    """The latency of the library, by the suite's own harness."""

    at: str  # ISO 8601, UTC
    device: str
    cpu_model: str
    accelerator: str
    emulated: bool
    threads: int
    effort: str
    samples: int
    latency_p50_ms: float
    latency_p90_ms: float
    latency_ci95_low_ms: float
    latency_ci95_high_ms: float
    relative_l2_error: float
    peak_rss_bytes: int | None
    warnings: str


@dataclass(frozen=True)
class Compiled:
    """How the library came about: what an artifact's manifest says and the bundle's does not."""

    tvm_target: dict[str, object]  # with `native` resolved
    toolchain: str
    optimize_for: str
    kernel_count: int
    database_hits: int
    database_misses: int
    trials: int


@dataclass(frozen=True)
class Content:
    """A file of the bundle."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class BundleManifest:
    """Everything about a bundle but its bytes."""

    format: int
    variant: str
    task: str
    architecture: str  # as `uname -m` has it
    target: Target  # with the instruction sets without which the library traps
    threads: int  # that the library was made for
    precision: str  # what weights are stored in; on GPUs activations too
    params_storage: str  # embedded in the library, or external
    entry: str  # function of the Relax virtual machine
    tvm_version: str
    tvm_ffi_version: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    preprocessing: Preprocessing
    labels: str | None  # file of one class a line
    anchors: str | None  # file of a detector's (n, 4) ymin, xmin, ymax, xmax; little-endian floats
    tolerance: float  # largest relative L2 error of outputs that counts as right
    library_bytes: int
    params_bytes: int  # as the network reads them
    arena_bytes: int  # planned activations
    macs: int
    params_count: int
    measured: Measured | None
    onnx_sha256: str
    databases: list[dict[str, str]]  # target and SHA-256 of each tuned database
    weights: Weights  # its source is a file's name
    compiled: Compiled
    made_with: dict[str, str]  # versions, and the commit of mobilebench
    files: dict[str, Content]  # each other file

    def text(self) -> str:
        """Return the file's content."""
        return json.dumps(asdict(self), indent=1) + "\n"


def read_manifest(path: Path) -> BundleManifest:
    """Read a file; raises ValueError saying what is wrong with it, OSError if there is none."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError(f"{MANIFEST} is nested too deeply") from None
    if not isinstance(table, dict) or "format" not in table:
        raise ValueError(f"{MANIFEST} is not a bundle's manifest")
    if table["format"] != FORMAT:
        raise ValueError(f"its format is {table['format']!r}, this mobilebench reads {FORMAT}")
    manifest: BundleManifest = typed(table, BundleManifest, MANIFEST)
    return manifest
