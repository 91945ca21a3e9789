"""What a bundle says of itself, for those who run it."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class Measured:
    """The latency of the library, by the suite's own harness."""

    at: str  # ISO 8601, UTC
    device: str
    cpu_model: str
    accelerator: str
    emulated: bool
    threads: int
    profile: str
    samples: int
    latency_p50_ms: float
    latency_p90_ms: float
    latency_ci95_low_ms: float
    latency_ci95_high_ms: float
    relative_l2_error: float
    peak_rss_bytes: int | None
    warnings: str


@dataclass(frozen=True)
class BundleManifest:
    """Everything about a bundle but its bytes."""

    format: int
    variant: str
    task: str
    architecture: str  # as `uname -m` has it
    cpu_flags: list[str]  # of /proc/cpuinfo, without which it traps
    device: str  # of TVM's runtime: cpu, opencl
    device_index: int
    threads: int  # that the library was made for
    cores: list[int]  # for them, the best first; none: TVM's runtime chooses
    precision: str  # what weights are stored in; on GPUs activations too
    params: str  # embedded in the library, or apart
    entry: str  # function of the Relax virtual machine
    tvm_version: str
    tvm_ffi_version: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    preprocessing: dict[str, Any]  # bench.accuracy.images.Preprocessing
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
    weights: dict[str, Any]  # bench.models.weights.Weights
    target: dict[str, Any]  # targets.target.Target
    artifact: dict[str, Any]  # bench.artifact.Manifest
    made_with: dict[str, str]  # versions, and the commit of mobilebench
    files: dict[str, dict[str, Any]]  # bytes and sha256 of each other file

    def text(self) -> str:
        """Return the file's content."""
        return json.dumps(asdict(self), indent=1) + "\n"


def read_manifest(path: Path) -> BundleManifest:
    """Read a file; raises ValueError saying what is wrong with it, OSError if there is none."""
    table = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(table, dict) or "format" not in table:
        raise ValueError("it is not a bundle's manifest")
    if table["format"] != FORMAT:
        raise ValueError(f"its format is {table['format']!r}, this mobilebench reads {FORMAT}")
    names = {field.name for field in fields(BundleManifest)}
    if wrong := sorted(names ^ set(table)):
        raise ValueError(f"{wrong[0]} is {'missing' if wrong[0] in names else 'not known'}")
    try:
        table |= {key: [Tensor(**one) for one in table[key]] for key in ("inputs", "outputs")}
        if table["measured"]:
            table["measured"] = Measured(**table["measured"])
    except TypeError as error:
        raise ValueError(str(error)) from error
    return BundleManifest(**table)
