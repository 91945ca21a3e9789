"""The manifest of a bundle, for the programs that run it."""

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from mobilebench.bench.bundle.format_1 import from_format_1
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.weights import Weights
from mobilebench.schedules.precision import INT8
from mobilebench.targets.catalog.target import Target
from mobilebench.targets.validation import Place, type_name

FORMAT = 2
MANIFEST = "manifest.json"
_ROUNDED = 1.01
_JSON_TYPES = {"dataclass_type": "an object", "float_type": "float", "tuple_type": "tuple"}


@dataclass(frozen=True)
class BundleTensor:
    """An input or output of the network."""

    name: str
    shape: list[int]
    dtype: str  # float32; of an input that takes the pixels of an image uint8
    layout: str  # of the axes; empty where they have no names
    reference: str  # file of such values, little-endian, that verification feeds or expects
    stride: int = 1  # it has every so many rows and columns alone
    step: float = 0.0  # unless 0 the file has bytes, each for (byte - zero) * step
    zero: int = 0

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
    layers_agree: bool = False  # though the outputs are too far: each layer by itself, at int8

    @property
    def agreed_error(self) -> float:
        """The relative L2 error up to which the layers are known to agree; 0 if not looked at.

        The library's whole numbers are the same everywhere, its outputs but for rounding.
        """
        return _ROUNDED * self.relative_l2_error if self.layers_agree else 0.0


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

    __pydantic_config__ = ConfigDict(extra="forbid")

    format: int
    variant: str
    task: str
    architecture: str  # as `uname -m` has it
    target: Target  # with the instruction sets without which the library traps
    threads: int  # that the library was made for
    precision: str  # what weights are stored in; at int8 and on GPUs activations too
    params_storage: str  # embedded in the library, or external: in a file beside it
    entry: str  # function of the Relax virtual machine
    tvm_version: str
    tvm_ffi_version: str
    inputs: list[BundleTensor]
    outputs: list[BundleTensor]
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
    batch: int = 1  # images of an inference, the first axis of all shapes
    probabilities: bool = False  # whether the network ends in a softmax or a sigmoid

    @property
    def agreed_error(self) -> float:
        """The relative L2 error up to which its layers are known to agree; 0 if not looked at."""
        return self.measured.agreed_error if self.measured else 0.0

    @property
    def unjudged(self) -> str:
        """Why outputs that are too far may still be right; empty if that is known."""
        if self.precision != INT8 or self.measured:
            return ""
        return (
            "its layers were not compared one by one, as it was not measured when it was exported; "
            "export it with --measure to tell rounding from a fault"
        )

    def text(self) -> str:
        """Return the file's content."""
        return json.dumps(asdict(self), indent=1) + "\n"


def read_manifest(path: Path) -> BundleManifest:
    """Read a file of this format or the one before.

    Raises ValueError saying what is wrong with it, OSError if there is none.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError(f"{MANIFEST} is nested too deeply") from None
    if not isinstance(table, dict) or "format" not in table:
        raise ValueError(f"{MANIFEST} is not a bundle's manifest")
    if table["format"] == 1:
        table = from_format_1(table)
    if table["format"] != FORMAT:
        raise ValueError(
            f"its format is {table['format']!r}, this mobilebench reads {FORMAT} and before"
        )
    try:
        # As JSON, where a list may be a tuple.
        return _adapter().validate_json(json.dumps(table), strict=True)
    except ValidationError as error:
        raise ValueError(_problem(error)) from error


@cache
def _adapter() -> TypeAdapter[BundleManifest]:
    return TypeAdapter(BundleManifest)


def _problem(error: ValidationError) -> str:
    """Return one plain line about the first thing that is wrong."""
    details = error.errors(include_url=False)[0]
    kind, inside, value = details["type"], _name_of(details["loc"][:-1]), details["input"]
    key = details["loc"][-1] if details["loc"] else ""
    context = details.get("ctx", {})
    if kind == "unexpected_keyword_argument":
        return f"{inside} has {key}, which is not known"
    if kind == "missing" and isinstance(key, int):
        return f"{inside} is {value!r:.60}, not tuple"
    if kind == "missing":
        return f"{inside} has no {key}"
    if kind == "value_error":
        return f"{inside}: {context['error']}"
    expected = _JSON_TYPES.get(kind) or type_name(kind)
    if kind == "literal_error":
        expected = str(context["expected"]).replace("'", "").replace(" or ", ", ")
    return f"{_name_of(details['loc'])} is {value!r:.60}, not {expected or details['msg']}"


def _name_of(place: Place) -> str:
    """Return a place as in `manifest.json.inputs[0].name`."""
    keys = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in place)
    return MANIFEST + "".join(keys)
