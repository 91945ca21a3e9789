"""Every option, declared once: its type, its range or choices, and what it means.

Those of `choose` alone are in `bench.config.choice_options`. Which command has which of them, and
with what default, is in `bench.config.commands` and, for the suite of a run, in
`bench.config.suite`.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from mobilebench.bench.config.declaration import OneOf, Shown
from mobilebench.bench.config.effort import EFFORTS
from mobilebench.bench.models.input_type import INPUT_TYPES
from mobilebench.bench.runtimes.runtime import RUNTIMES
from mobilebench.schedules.objective import OBJECTIVES
from mobilebench.schedules.params_pool import PARAMS_STORAGES
from mobilebench.schedules.precision import PRECISIONS
from mobilebench.targets.emulated.packages import runtimes as packaged

FORMATS = ("text", "markdown", "json", "junit")
MAX_SECONDS = 86400.0
TIME_LIMIT_S = 300.0

WHAT, HOW, WHERE, RESULTS = "What", "How", "Where", "Results"

_VARIANT = (
    "Network by name, e.g. mobilenet_v2_1.0_224, or a group of them: small (5 networks), "
    "published (the 22 whose weights were published), paper (what the MobileNetV2 paper "
    "measures: detector, segmenter and MobileNetV1 too) or timm (its two with a depth multiplier)."
)
_TARGET = "What to compile for: a name that `mobilebench targets` lists, or a TOML file."

# What is measured.
Variants = Annotated[
    tuple[str, ...],
    Field(alias="variant", description=f"{_VARIANT} May be repeated."),
    Shown(WHAT, "NAME"),
]
OneVariant = Annotated[
    str,
    Field(alias="variant", description="Network by name, e.g. mobilenet_v2_1.0_224."),
    Shown(WHAT, "NAME"),
]
Models = Annotated[
    tuple[str, ...],
    Field(
        alias="model",
        description="ONNX file of a network of your own, or a folder that Optimum exported, "
        "measured instead of variants or beside them. May be repeated.",
    ),
    Shown(WHAT, "FILE"),
]
OneModel = Annotated[
    str,
    Field(
        alias="model",
        description="ONNX file or Optimum folder of a network of your own, instead of --variant.",
    ),
    Shown(WHAT, "FILE"),
]
InputShape = Annotated[
    str,
    Field(
        alias="input_shape",
        description="Size of each axis of a model's input, for example 1,3,224,224, where the file "
        "leaves it open.",
    ),
    Shown(WHAT, "SIZES", default="what the file says"),
]
Bundles = Annotated[
    tuple[str, ...],
    Field(
        alias="bundle",
        description="Directory that `mobilebench export` has written: measure what is in it, as "
        "it is, instead of compiling variants. May be repeated.",
    ),
    Shown(WHAT, "PATH"),
]
Targets = Annotated[
    tuple[str, ...],
    Field(alias="target", description=f"{_TARGET} May be repeated."),
    Shown(WHAT, "NAME"),
]
OneTarget = Annotated[str, Field(alias="target", description=_TARGET), Shown(WHAT, "NAME")]
Runtimes = Annotated[
    tuple[str, ...],
    Field(
        alias="runtime",
        description=f"Inference runtime to measure: {', '.join(RUNTIMES)}. May be repeated.",
    ),
    Shown(WHAT, "NAME", default="all that are installed, except inductor; on boards tvm"),
]
ThreadCount = Annotated[int, Field(ge=1, le=1024)]
Threads = Annotated[
    tuple[ThreadCount, ...],
    Field(description="CPU threads that an inference uses. May be repeated."),
    Shown(WHAT),
]
Batches = Annotated[
    tuple[Annotated[int, Field(ge=1, le=1024)], ...],
    Field(
        alias="batch",
        description="Images that an inference takes at once. May be repeated.",
    ),
    Shown(WHAT),
]
OneBatch = Annotated[
    int,
    Field(
        ge=1,
        le=1024,
        description="Images that an inference takes at once; what runs the bundle fills up a batch "
        "of fewer. For CPUs.",
    ),
    Shown(WHAT),
]
Streams = Annotated[
    tuple[Annotated[int, Field(ge=1, le=1024)], ...],
    Field(
        description="Instances of the network that run at the same time, each with --threads CPUs "
        "of its own; on this machine alone. May be repeated."
    ),
    Shown(WHAT),
]
OneThreads = Annotated[
    ThreadCount, Field(description="CPU threads that an inference uses."), Shown(WHAT)
]
PrecisionName = Annotated[str, OneOf("precision", PRECISIONS)]
Precisions = Annotated[
    tuple[PrecisionName, ...],
    Field(
        alias="precision",
        description="Number format of weights and activations; int8 needs a CPU, and a CPU without "
        "half-precision arithmetic stores only weights in float16. May be repeated.",
    ),
    Shown(WHAT),
]
OnePrecision = Annotated[
    PrecisionName,
    Field(
        alias="precision",
        description="Number format of weights and activations; a CPU without half-precision "
        "arithmetic stores only weights in float16.",
    ),
    Shown(WHAT),
]
_WEIGHTS = (
    "random, a checkpoint file (.pth, .safetensors, .npz, .h5 or .keras), a folder of Hugging "
    "Face's, or the URL of a file, ending in #sha256=HASH."
)
WeightsSources = Annotated[
    tuple[str, ...],
    Field(
        description=f"Where the network's weights come from: {_WEIGHTS} May be repeated, for "
        "networks of different width multipliers."
    ),
    Shown(WHAT, "SOURCE"),
]
OneWeightsSource = Annotated[
    str,
    Field(alias="weights", description=f"Where the network's weights come from: {_WEIGHTS}"),
    Shown(WHAT, "SOURCE"),
]
Seed = Annotated[
    int, Field(ge=0, le=2**32 - 1, description="Seed for random weights."), Shown(WHAT, "NUMBER")
]
Data = Annotated[
    str,
    Field(
        description="Labelled images to measure accuracy on. Classifiers take a list of images and "
        "classes, or a directory with one directory per class; detectors take COCO's format, "
        "segmenters PASCAL VOC's."
    ),
    Shown(WHAT, "PATH", default="accuracy is not measured"),
]

CalibrationData = Annotated[
    str,
    Field(
        alias="calibration",
        description="Images on which the ranges of int8 activations are observed: a directory, or "
        "what --data takes; a hundred are used, and no labels.",
    ),
    Shown(WHAT, "PATH", default="seeded noise"),
]
StageImages = Annotated[
    str,
    Field(
        alias="stages",
        description="Images on which each stage from a file to an answer is timed too (decode, "
        "resize, normalise, inference, boxes or mask or classes), on this machine's CPU: a "
        "directory, or what --data takes; twenty are used, and no labels.",
    ),
    Shown(WHAT, "PATH", default="the inference alone is timed"),
]

# How it is compiled and measured.
Effort = Annotated[
    str,
    OneOf("effort", tuple(EFFORTS)),
    Field(description="How thorough each measurement is; rigorous takes the longest."),
    Shown(HOW),
]
Trials = Annotated[
    int | None,
    Field(
        ge=0,
        le=10_000,
        description="Schedules to try for each kernel before measuring; 0 ignores the tuned "
        "databases and takes the compiler's first choice.",
    ),
    Shown(HOW, default="no tuning: the tuned databases are used as they are"),
]
TuningTrials = Annotated[
    int, Field(alias="trials", ge=1, le=10_000, description="Schedules to try for each kernel."),
    Shown(HOW),
]  # fmt: skip
OptimizeFor = Annotated[
    str,
    OneOf("goal", OBJECTIVES),
    Field(description="What TVM's code is optimized for: low latency or little memory."),
    Shown(HOW),
]
Kernels = Annotated[
    bool,
    Field(description="Also measure how long each kernel (operator) of TVM's code takes."),
    Shown(HOW),
]
Memory = Annotated[
    bool,
    Field(description="Also find out how much memory activations need in each runtime."),
    Shown(HOW),
]
Sustained = Annotated[
    Annotated[float, Field(gt=0, le=1440, allow_inf_nan=False)] | None,
    Field(
        alias="sustained",
        description="Then run inference after inference for so many minutes: when it slows down, "
        "and to what.",
    ),
    Shown(HOW, "MINUTES", default="no load"),
]
Pace = Annotated[
    Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None,
    Field(
        alias="pace",
        description="Then run at a camera's pace of so many frames a second, for a minute or as "
        "long as --sustained says: missed deadlines and idle time are counted.",
    ),
    Shown(HOW, "FPS", default="one inference follows the other"),
]
Energy = Annotated[
    bool,
    Field(
        description="Also measure the energy of an inference, under the load of --sustained or "
        "--pace, or else of ten seconds; a row says why if it has none."
    ),
    Shown(HOW),
]
PowerMeter = Annotated[
    str,
    Field(
        description="Command that prints the device's power in watts, one number a line, again and "
        "again; implies --energy."
    ),
    Shown(WHERE, "COMMAND", default="what the device itself tells"),
]
CheckRegressions = Annotated[
    bool,
    Field(
        description="Compare the run with earlier ones in the store that had this option too, "
        "measure again what looks slower, and exit with code 1 if it is."
    ),
    Shown(HOW),
]
DumpIr = Annotated[
    Path | None,
    Field(
        description="Directory to write what the compiler makes of each network: its code after "
        "every step, in order."
    ),
    Shown(HOW, "DIR", default="nothing is written"),
]
ParamsStorage = Annotated[
    Annotated[str, OneOf("storage of weights", PARAMS_STORAGES)] | None,
    Field(
        description="Where weights are stored: external, a file that is mapped into memory, or "
        "embedded in the library. GPUs need embedded."
    ),
    Shown(HOW, default="external on CPUs, embedded on GPUs"),
]
InputType = Annotated[
    str,
    OneOf("input", INPUT_TYPES),
    Field(
        alias="input",
        description="What the library is handed: float32, normalised numbers, or uint8, the pixels "
        "of an image as they are (rows, columns, channels), which it normalises itself.",
    ),
    Shown(HOW),
]
Measure = Annotated[
    bool,
    Field(
        description="Measure the latency on a device, and write it into the bundle's manifest. A "
        "target of boards without a tracker is only built, unless this is given."
    ),
    Shown(HOW),
]
RunOutputs = Annotated[
    bool,
    Field(
        alias="run",
        description="Run the network on a device and compare its outputs with PyTorch's; "
        "without it only the files are checked.",
    ),
    Shown(HOW),
]
Sha256 = Annotated[
    str | None,
    Field(description="Checksum that `export` has printed; another bundle is refused."),
    Shown(HOW, "HASH"),
]
Threshold = Annotated[
    float,
    Field(
        gt=0,
        allow_inf_nan=False,
        description="Changes of latency below this many percent do not count.",
    ),
    Shown(HOW, "PERCENT"),
]
Confirm = Annotated[
    bool,
    Field(
        description="Where latency seems to have changed, measure both libraries once more, in "
        "turns, before the cell is called slower or faster."
    ),
    Shown(HOW),
]
Seconds = Annotated[float, Field(gt=0, le=MAX_SECONDS, allow_inf_nan=False)]
TimeLimit = Annotated[
    Seconds,
    Field(
        alias="time_limit",
        description="Longest time that one build, one load or one round of measuring may take; "
        "after it, the row fails and the run goes on.",
    ),
    Shown(HOW, "SECONDS"),
]
Retries = Annotated[
    int,
    Field(
        ge=0,
        le=10,
        description="How often a measurement is tried again after a board or the network crashed.",
    ),
    Shown(HOW),
]
CoolBelow = Annotated[
    Annotated[float, Field(gt=0, lt=200, allow_inf_nan=False)] | None,
    Field(
        alias="cool_below",
        description="Temperature in degrees Celsius that a device must be below before it is "
        "measured; three minutes are waited at most.",
    ),
    Shown(HOW, "CELSIUS", default="what the target says"),
]

# Where it runs and compiles.
_TRACKER = Field(
    description="Address, HOST:PORT, of the TVM RPC tracker that the boards register with."
)
TrackerAddress = Annotated[
    str,
    _TRACKER,
    Shown(WHERE, "HOST:PORT", default="of boards started here, or else $MOBILEBENCH_TRACKER"),
]
ListedTracker = Annotated[
    str, _TRACKER, Shown(WHERE, "HOST:PORT", default="$MOBILEBENCH_TRACKER, or else this machine")
]
Wait = Annotated[
    Seconds,
    Field(alias="wait", description="Longest time to wait for a free board."),
    Shown(WHERE, "SECONDS"),
]
Scheduler = Annotated[
    str,
    Field(description="Address, tcp://HOST:PORT, of a Dask scheduler whose workers compile."),
    Shown(WHERE, "ADDRESS", default="compile on this machine"),
]
BoardRuntimes = Annotated[
    tuple[str, ...],
    Field(
        alias="runtime",
        description=f"Runtime that the boards have beside TVM: {', '.join(packaged())}. Its "
        "packages are fetched the first time. May be repeated.",
    ),
    Shown(WHERE, "NAME"),
]
BoardCount = Annotated[
    int, Field(ge=1, le=64, description="Boards to start, all registered with one tracker."),
    Shown(WHERE),
]  # fmt: skip
Host = Annotated[str, Field(description="Address to listen on."), Shown(WHERE, "ADDRESS")]
InsecureBind = Annotated[
    bool,
    Field(
        description="Allow an address that other machines can reach; whoever reaches it can run "
        "code here."
    ),
    Shown(WHERE),
]

# Where results are kept and written.
StoreUrl = Annotated[
    str,
    Field(description="Where results are kept: an SQLite file or a database URL."),
    Shown(RESULTS, "URL"),
]
RunNames = Annotated[
    tuple[str, ...],
    Field(alias="run", description="Name of a run, or latest. May be repeated."),
    Shown(WHAT, "RUN"),
]
Resume = Annotated[
    str | None,
    Field(description="Continue an interrupted run: its name, or latest."),
    Shown(WHAT, "RUN"),
]
Events = Annotated[
    str,
    Field(description="File that progress is appended to, as JSON lines for other programs."),
    Shown(RESULTS, "PATH", default="none is written"),
]
DatedReport = Annotated[
    str,
    Field(
        description="Directory to write the report to; %Y, %m and %d in it stand for today's date."
    ),
    Shown(RESULTS, "PATH"),
]
Report = Annotated[
    Path, Field(description="Directory to write the report to."), Shown(RESULTS, "PATH")
]
Serve = Annotated[
    bool,
    Field(
        description="Serve the report over HTTP instead of writing it, and follow the store: pages "
        "that are open load themselves again when a run has new rows."
    ),
    Shown(RESULTS),
]
Port = Annotated[
    int,
    Field(ge=0, le=65535, description="Port to serve the report on; 0 takes a free one."),
    Shown(WHERE, "PORT"),
]
InsecureServe = Annotated[
    bool,
    Field(
        alias="insecure_bind",
        description="Allow an address that other machines can reach; whoever reaches it can read "
        "all results of the run.",
    ),
    Shown(WHERE),
]
NewDirectory = Annotated[
    Path,
    Field(description="Directory to write to; it must not exist yet."),
    Shown(RESULTS, "PATH"),
]
Databases = Annotated[
    Path | None,
    Field(description="Directory to write the tuned databases to."),
    Shown(RESULTS, "PATH", default="your own, which every run reads"),
]
Labels = Annotated[
    Path | None,
    Field(description="Text file with the name of each class, one on a line."),
    Shown(
        RESULTS,
        "PATH",
        default="the manifest's, or else ImageNet's, COCO's or VOC's if it is theirs",
    ),
]
WithOnnx = Annotated[
    bool,
    Field(
        description="Also write the ONNX file that the library was compiled from; at int8 it has "
        "QuantizeLinear and DequantizeLinear, which other runtimes read too."
    ),
    Shown(RESULTS),
]
Format = Annotated[
    str, OneOf("format", FORMATS), Field(description="Form of the result."), Shown(RESULTS)
]
OutFile = Annotated[
    Path | None,
    Field(description="File to write the result to."),
    Shown(RESULTS, "PATH", default="standard output"),
]
CheckedTarget = Annotated[
    str | None,
    Field(
        alias="check",
        description="Target to check instead: a TOML file, or a name of the list. Nothing is "
        "compiled, and no board is asked.",
    ),
    Shown(metavar="FILE", default="all are listed"),
]

# Arguments, which have no flag.
SuitePath = Annotated[
    Path | None,
    Field(
        alias="suite",
        description="TOML file with these options as keys, e.g. time_limit = 60. Options given "
        "here win over it; --no-kernels, for one, switches off what it switched on.",
    ),
    Shown(positional=True),
]
BundlePath = Annotated[
    Path,
    Field(alias="bundle", description="Directory that `mobilebench export` has written."),
    Shown(positional=True),
]
NewDump = Annotated[
    Path,
    Field(description="Directory to write to; it must not exist yet."),
    Shown(positional=True),
]
ExistingDump = Annotated[
    Path,
    Field(description="Directory that `mobilebench store dump` has written."),
    Shown(positional=True),
]
EmulatedTarget = Annotated[
    str,
    Field(alias="target", description="Target that is emulated, e.g. emulated-arm."),
    Shown(positional=True),
]
EmulatedCpu = Annotated[
    str,
    Field(
        description="CPU that qemu emulates, e.g. cortex-a72, cortex-a76 or max, which has every "
        "instruction that qemu knows."
    ),
    Shown(WHERE, "CPU", default="the one that the target's code is for, or else max"),
]  # fmt: skip
BaseRun = Annotated[
    str,
    Field(
        description="Run to compare with: its name, latest, or latest~N for the Nth before that."
    ),
    Shown(positional=True),
]
HeadRun = Annotated[
    str, Field(description="Run to compare, named in the same way."), Shown(positional=True)
]
