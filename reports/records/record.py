"""One row of the store: what was measured, on what, and how far it can be trusted."""

from dataclasses import dataclass, fields
from typing import Literal, get_args

from mobilebench.reports.records.cell_key import CellKey

Status = Literal[
    "ok",
    "wrong",
    "to_onnx_failed",
    "compile_failed",
    "no_device",
    "load_failed",
    "failed",
    "crashed",
    "timed_out",
]
"""`ok`, or the reason why it is not.

wrong            outputs differ from PyTorch's by more than the tolerance; never timed
to_onnx_failed   PyTorch or the ONNX checker refused the variant
compile_failed   TVM or the linker failed, or took longer than the time limit
no_device        no board of the target's key was free within the wait
load_failed      the runtime refused the model, or is not installed
failed           the runtime raised an error on a model that it had loaded
crashed          the process that ran the model died
timed_out        the process that ran the model did not answer within the time limit
"""
STATUSES: tuple[str, ...] = get_args(Status)


@dataclass(frozen=True)
class KernelTime:
    """How long one kernel of a network takes inside it."""

    name: str  # family, extents of its spatial and of its reduction loops, what else tells it
    calls: int  # in an inference
    macs: int  # of each call, lanes that pad channels to whole vectors included
    nbytes: int  # of each call: input, weights and output once
    microseconds: float  # of all calls of an inference; median over inferences


@dataclass(frozen=True, kw_only=True)
class Record:
    """One variant on one target, device, runtime and thread count.

    Units are in the names. A field is None where the quantity does not exist or was never
    reached: a failed row keeps what was known when it failed.
    """

    # identity
    run_id: str
    started_at: str  # UTC, ISO 8601
    variant: str
    task: str
    width_multiplier: float
    expansion_factor: int
    height: int
    width: int
    precision: str
    target: str
    device: str
    emulated: bool
    runtime: str
    runtime_version: str
    threads: int
    trials: int
    optimize_for: str  # what the code is made for: latency or memory
    effort: str
    weights: str
    status: Status
    error: str = ""
    warnings: str = ""  # separated by "; "
    retries: int = 0  # on other boards, or later, after a board or the model had died

    # latency of one inference on the device
    latency_p50_ms: float | None = None
    latency_p90_ms: float | None = None
    latency_p99_ms: float | None = None
    latency_mean_ms: float | None = None
    latency_ci95_low_ms: float | None = None  # bootstrap interval of the median
    latency_ci95_high_ms: float | None = None
    latency_cv: float | None = None  # standard deviation / mean
    samples: int = 0
    round_trip_ms: float | None = None  # input over RPC, one inference, output back; median
    host_to_device_ms: float | None = None  # input from the CPU beside a GPU to it; median
    device_to_host_ms: float | None = None  # output from a GPU to the CPU beside it; median

    # size
    macs: int
    params_count: int
    largest_tensor_bytes: int
    params_bytes: int | None = None
    arena_bytes: int | None = None  # planned activations, without input and output
    base_rss_bytes: int | None = None  # of the fresh process before the model was loaded
    peak_rss_bytes: int | None = None
    artifact_bytes: int | None = None

    # fidelity against PyTorch on the same inputs
    max_abs_error: float | None = None
    relative_l2_error: float | None = None
    top1_agreement: float | None = None  # of pixels, anchors or whole inputs, 0..1
    max_box_error_px: float | None = None  # of a detector's decoded boxes, in the input's pixels
    fidelity_inputs: int = 0

    # accuracy on data, of the task's kind; intervals are bootstraps over images
    top1_percent: float | None = None
    top5_percent: float | None = None
    map_percent: float | None = None  # COCO's, mean over IoU 0.50 to 0.95
    map_ci95_low_percent: float | None = None
    map_ci95_high_percent: float | None = None
    map50_percent: float | None = None  # at IoU 0.50
    map50_ci95_low_percent: float | None = None
    map50_ci95_high_percent: float | None = None
    miou_percent: float | None = None
    miou_ci95_low_percent: float | None = None
    miou_ci95_high_percent: float | None = None
    images_agreement: float | None = None  # share of images, detections or pixels as PyTorch, 0..1
    images: int = 0
    data: str = ""  # which images
    pytorch_top1_percent: float | None = None  # of the same weights, on the same images
    pytorch_top5_percent: float | None = None
    pytorch_map_percent: float | None = None
    pytorch_map50_percent: float | None = None
    pytorch_miou_percent: float | None = None

    # cost
    to_onnx_s: float | None = None
    compile_s: float | None = None
    artifact_key: str = ""  # of the library in the cache of artifacts; empty but for TVM's
    kernel_count: int | None = None  # kernels the compiler generated after fusion
    database_hits: int | None = None
    database_misses: int | None = None

    # environment
    tvm_version: str = ""
    tvm_ffi_version: str = ""
    torch_version: str = ""
    onnx_version: str = ""
    python_version: str = ""
    git_commit: str = ""
    host: str = ""
    os: str = ""
    accelerator: str = ""  # the device, where that is not the CPU
    accelerator_driver: str = ""
    cpu_model: str = ""
    cpu_cores: int | None = None
    cpu_governor: str = ""
    cpu_mhz: float | None = None
    temperature_c: float | None = None
    load_1m: float | None = None
    memory_total_bytes: int | None = None
    calibration_before_ms: float | None = None
    calibration_after_ms: float | None = None
    peak_macs_per_s: float | None = None  # in registers, on as many threads
    read_bytes_per_s: float | None = None  # of memory, on as many threads

    @property
    def key(self) -> CellKey:
        """What a record is about, on whichever device; within a run no two records share it."""
        return CellKey.of(self).on_any_device


COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(Record))
"""The columns of `records.csv`, in order."""
