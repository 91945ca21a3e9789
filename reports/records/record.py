"""One row of the store: what was measured, on what, and how far it can be trusted."""

from dataclasses import dataclass, fields
from typing import Literal, get_args

from mobilebench.reports.records.cell_key import CellKey

Status = Literal[
    "ok",
    "wrong",
    "unsupported",
    "to_onnx_failed",
    "quantize_failed",
    "compile_failed",
    "no_device",
    "load_failed",
    "failed",
    "crashed",
    "timed_out",
]
"""`ok`, or the reason why it is not.

wrong            outputs differ from PyTorch's by more than the tolerance; never timed
unsupported      the runtime, or the target, has no such precision
to_onnx_failed   PyTorch or the ONNX checker refused the variant
quantize_failed  the activations have no usable range on the calibration's images
compile_failed   TVM or the linker failed, or took longer than the time limit
no_device        no board of the target's key was free within the wait
load_failed      the runtime refused the model, or is not installed
failed           the runtime raised an error on a model that it had loaded
crashed          the process that ran the model died
timed_out        the process that ran the model did not answer within the time limit
"""
STATUSES: tuple[str, ...] = get_args(Status)
UNSUPPORTED: Status = "unsupported"


@dataclass(frozen=True)
class KernelTime:
    """How long one kernel of a network takes inside it."""

    name: str  # family, extents of its spatial and of its reduction loops, what else tells it
    calls: int  # in an inference
    macs: int  # of each call, lanes that pad channels to whole vectors included
    nbytes: int  # of each call: input, weights and output once
    microseconds: float  # of all calls of an inference; median over inferences
    instructions: int | None = None  # executed in all calls of an inference, where they are counted


@dataclass(frozen=True, kw_only=True)
class Record:
    """One variant on one target, device, runtime and thread count.

    Units are in the names. A field is None where the quantity does not exist or was never
    reached: a failed row keeps what was known when it failed.
    """

    # identity
    run_id: str
    """The run that measured it."""
    started_at: str
    """When the row was begun: UTC, ISO 8601."""
    variant: str
    """The network's name, such as `mobilenet_v2_1.0_224`; of an ONNX file its stem."""
    task: str
    """`classify`, `detect` or `segment`."""
    width_multiplier: float
    """By how much the channels of every layer are scaled."""
    expansion_factor: int
    """How many times wider the inside of an inverted residual is than its input."""
    height: int
    """Of the input, in pixels."""
    width: int
    """Of the input, in pixels."""
    precision: str
    """What weights and activations are stored in."""
    target: str
    """The target's name in the catalogue."""
    device: str
    """The device's own name; `any KEY` if no board of that key was ever reached."""
    emulated: bool
    """Whether the device is an emulator, whose latency is no device's."""
    runtime: str
    """`tvm`, or the inference runtime that it is compared with."""
    runtime_version: str
    """The version of that runtime."""
    runtime_notes: str = ""
    """What the runtime tells about how it runs the network, such as instructions that it uses."""
    threads: int
    """How many threads the runtime was given."""
    trials: int
    """The most candidates that were measured for one kernel; 0 without tuning."""
    optimize_for: str
    """What the code is made for: `latency` or `memory`."""
    effort: str
    """How thorough the measurement is: the name of a preset."""
    batch: int = 1
    """How many images an inference takes at once."""
    streams: int = 1
    """How many instances ran at the same time, each on CPUs of its own."""
    weights: str
    """The checkpoint, the ONNX file and its hash, or the seed of random weights."""
    status: Status
    """`ok`, or the reason why it is not."""
    error: str = ""
    """The error's message; empty if there was none."""
    warnings: str = ""
    """Reasons to doubt the latency, separated by "; "."""
    retries: int = 0
    """How often it was tried again, after a board or the model had died."""

    # latency of one inference on the device, of a whole batch
    latency_p50_ms: float | None = None
    """Median."""
    latency_p90_ms: float | None = None
    """90th percentile."""
    latency_p99_ms: float | None = None
    """99th percentile."""
    latency_mean_ms: float | None = None
    """Mean."""
    latency_ci95_low_ms: float | None = None
    """Lower end of the median's 95 % bootstrap interval."""
    latency_ci95_high_ms: float | None = None
    """Upper end of the median's 95 % bootstrap interval."""
    latency_cv: float | None = None
    """Coefficient of variation: standard deviation over mean."""
    samples: int = 0
    """How many inferences were timed."""
    throughput_per_s: float | None = None
    """Images a second: those of a batch in the mean time of an inference, in all streams."""
    round_trip_ms: float | None = None
    """Input over RPC, one inference, output back; median."""
    host_to_device_ms: float | None = None
    """Input from the CPU beside a GPU to the GPU; median."""
    device_to_host_ms: float | None = None
    """Output from a GPU to the CPU beside it; median."""

    # cold start, once in a fresh process of the runtime; files are in the file cache
    load_ms: float | None = None
    """From the files of the network, in the runtime's own form, to a model that is ready for an
    input. It begins when the process has started and imported the runtime."""
    first_inference_ms: float | None = None
    """The first inference after that, on an input that is in place: memory is touched and threads
    are started for the first time."""

    # end to end, on this machine: means over the middle half of repetitions, ranked by their sums
    stage_decode_ms: float | None = None
    """From a file in the file cache to the pixels of an upright image in the network's channels."""
    stage_resize_ms: float | None = None
    """To the size at which the network sees them."""
    stage_normalise_ms: float | None = None
    """To the network's input: a classifier's centre, or what lies beside an image, included."""
    stage_inference_ms: float | None = None
    """Input handed over, inference, outputs taken back, in the process that decodes."""
    stage_boxes_ms: float | None = None
    """Of a detector: boxes from codes, and scores from logits, of every anchor."""
    stage_suppress_ms: float | None = None
    """Of a detector: boxes left out that overlap a better one of their class."""
    stage_label_ms: float | None = None
    """Of a segmenter: the class of each pixel of the output."""
    stage_mask_ms: float | None = None
    """Of a segmenter: the mask enlarged to the image's own size."""
    stage_top_k_ms: float | None = None
    """Of a classifier: its five likeliest classes."""
    end_to_end_ms: float | None = None
    """All stages, timed as one beside them."""
    stage_images: int | None = None
    """How many images the stages were timed on."""

    # under a load of minutes
    load_s: float | None = None
    """How long it lasted."""
    first_minute_ms: float | None = None
    """Median latency in its first minute, or in its first half if that is shorter."""
    slows_after_s: float | None = None
    """When it became 5 % slower than in the first seconds, and stayed so; empty if it did not."""
    steady_ms: float | None = None
    """Median latency in its last quarter."""
    speed_left: float | None = None
    """How much of the first minute's speed the last quarter has."""
    pace_fps: float | None = None
    """Frames a second at which inferences were begun; empty if one followed the other."""
    frames: int | None = None
    """Frames that came at that pace."""
    missed_deadlines: int | None = None
    """Those whose answer was not there when the next one came, the dropped ones included."""
    dropped_frames: int | None = None
    """Those that came while an earlier one was computed, and were never begun."""
    idle_share: float | None = None
    """Share of the time in which no inference ran."""

    # energy of the device, where it tells
    energy_per_inference_j: float | None = None
    """Energy of one inference, above what the device takes when it is idle."""
    power_w: float | None = None
    """Mean power under load, idle power included."""
    idle_power_w: float | None = None
    """Mean power of the idle device, before its first load."""
    energy_source: str = ""
    """What told it; empty if nothing did."""

    # size
    macs: int
    """Multiply-accumulate operations of one inference."""
    instructions: int | None = None
    """Instructions that one inference executes on one thread, which an emulated board counts."""
    params_count: int
    """Weights and biases of the network."""
    largest_tensor_bytes: int
    """The largest activation, at float32."""
    params_bytes: int | None = None
    """Constants as the network reads them."""
    arena_bytes: int | None = None
    """Planned activations, without input and output."""
    base_rss_bytes: int | None = None
    """Resident memory of the fresh process before the model was loaded."""
    peak_rss_bytes: int | None = None
    """The most resident memory of the process that ran the model."""
    artifact_bytes: int | None = None
    """Size of the compiled library."""

    # fidelity against PyTorch on the same inputs
    max_abs_error: float | None = None
    """The largest absolute difference of an output."""
    relative_l2_error: float | None = None
    """L2 norm of the difference over that of PyTorch's output; the largest of all inputs."""
    top1_agreement: float | None = None
    """Share of whole inputs, anchors or pixels with PyTorch's top class."""
    max_box_error_px: float | None = None
    """The farthest a detector's decoded corner is from PyTorch's, in pixels of the input."""
    fidelity_inputs: int = 0
    """How many inputs were compared."""
    calibration_data: str = ""
    """The images on which the ranges of int8 activations were observed; empty of other networks."""
    quantization_error: float | None = None
    """Relative L2 error of the int8 network in PyTorch against the float32 one; what fidelity is
    compared with is the int8 network in PyTorch."""
    float32_l2_error: float | None = None
    """Relative L2 error of int8 outputs against the float32 network in PyTorch."""
    float32_agreement: float | None = None
    """Share of whole inputs, anchors or pixels with that network's top class."""

    # accuracy on data, of the task's kind; intervals are bootstraps over images
    top1_percent: float | None = None
    """Share of images whose top class is right."""
    top5_percent: float | None = None
    """Share of images whose class is among the top five."""
    map_percent: float | None = None
    """COCO's mean average precision, over IoU 0.50 to 0.95."""
    map_ci95_low_percent: float | None = None
    """Lower end of its 95 % interval."""
    map_ci95_high_percent: float | None = None
    """Upper end of its 95 % interval."""
    map50_percent: float | None = None
    """Mean average precision at IoU 0.50."""
    map50_ci95_low_percent: float | None = None
    """Lower end of its 95 % interval."""
    map50_ci95_high_percent: float | None = None
    """Upper end of its 95 % interval."""
    miou_percent: float | None = None
    """Mean intersection over union."""
    miou_ci95_low_percent: float | None = None
    """Lower end of its 95 % interval."""
    miou_ci95_high_percent: float | None = None
    """Upper end of its 95 % interval."""
    images_agreement: float | None = None
    """Share of images, detections or pixels that are as PyTorch's."""
    images: int = 0
    """How many images were evaluated."""
    data: str = ""
    """The data set that they are from."""
    pytorch_top1_percent: float | None = None
    """PyTorch's top-1, with the same weights on the same images."""
    pytorch_top5_percent: float | None = None
    """PyTorch's top-5, likewise."""
    pytorch_map_percent: float | None = None
    """PyTorch's mean average precision, likewise."""
    pytorch_map50_percent: float | None = None
    """PyTorch's mean average precision at IoU 0.50, likewise."""
    pytorch_miou_percent: float | None = None
    """PyTorch's mean intersection over union, likewise."""

    # cost
    to_onnx_s: float | None = None
    """Time to export the network from PyTorch to ONNX."""
    quantize_s: float | None = None
    """Time to observe the ranges of activations and to quantize the network."""
    compile_s: float | None = None
    """Time to compile the library; that of the first time if it was in the cache."""
    artifact_key: str = ""
    """Key of the library in the cache of artifacts; empty but for TVM's."""
    kernel_count: int | None = None
    """Kernels that the compiler generated after fusion."""
    database_hits: int | None = None
    """Kernels that a tuned database has a schedule for."""
    database_misses: int | None = None
    """Kernels that none has."""

    # environment
    tvm_version: str = ""
    """Version of TVM."""
    tvm_ffi_version: str = ""
    """Version of tvm-ffi."""
    torch_version: str = ""
    """Version of PyTorch."""
    onnx_version: str = ""
    """Version of ONNX."""
    python_version: str = ""
    """Version of Python."""
    git_commit: str = ""
    """Commit of this suite."""
    host: str = ""
    """Name of the machine that the device belongs to."""
    os: str = ""
    """Its operating system and kernel."""
    accelerator: str = ""
    """The device, where that is not the CPU."""
    accelerator_driver: str = ""
    """The driver of the accelerator."""
    cpu_model: str = ""
    """Name of the CPU."""
    cpu_cores: int | None = None
    """CPUs that the process may use: affinity and cpusets may take some away."""
    cpu_governor: str = ""
    """Linux's frequency governor."""
    cpu_mhz: float | None = None
    """Clock frequency before the measurement."""
    temperature_c: float | None = None
    """Of the device, before the measurement."""
    load_1m: float | None = None
    """Load average over one minute."""
    memory_total_bytes: int | None = None
    """Memory of the device."""
    calibration_before_ms: float | None = None
    """Time of a fixed kernel before the measurement."""
    calibration_after_ms: float | None = None
    """Time of the same kernel after it: both are alike on a quiet device."""
    peak_macs_per_s: float | None = None
    """The most that the device multiplies in registers, on as many threads."""
    read_bytes_per_s: float | None = None
    """The most that it reads from memory, on as many threads."""

    @property
    def key(self) -> CellKey:
        """What a record is about, on whichever device; within a run no two records share it."""
        return CellKey.of(self).on_any_device


COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(Record))
"""The columns of `records.csv`, in order."""
