"""The options of each command and their defaults."""

from pathlib import Path

from mobilebench.bench.config import choice_options, options, predict_options
from mobilebench.bench.config.declaration import Options
from mobilebench.bench.config.suite import SuiteFile
from mobilebench.bench.models.input_type import FLOATS
from mobilebench.bench.models.weights import RANDOM
from mobilebench.reports.records.store import DEFAULT_URL
from mobilebench.schedules.objective import LATENCY
from mobilebench.schedules.precision import FLOAT32
from mobilebench.targets.devices.farm import WAIT_S

LOOPBACK = "127.0.0.1"
NATIVE = "native"
REPORT = Path("mobilebench-report")


class RunOptions(SuiteFile):
    """`mobilebench run`."""

    suite_file: options.SuitePath = None
    resume: options.Resume = None


class TuneOptions(Options):
    """`mobilebench tune`."""

    variants: options.Variants = ("published",)
    models: options.Models = ()
    input_shape: options.InputShape = ""
    targets: options.Targets = (NATIVE,)
    threads: options.Threads = (1,)
    precisions: options.Precisions = (FLOAT32,)
    calibration_data: options.CalibrationData = ""
    trials: options.TuningTrials = 16
    time_limit_s: options.TimeLimit = options.TIME_LIMIT_S
    tracker: options.TrackerAddress = ""
    wait_s: options.Wait = WAIT_S
    scheduler: options.Scheduler = ""
    out: options.Databases = None


class ReportOptions(Options):
    """`mobilebench report`."""

    run_names: options.RunNames = ("latest",)
    store: options.StoreUrl = DEFAULT_URL
    out: options.Report = REPORT
    serve: options.Serve = False
    port: options.Port = 8000
    host: options.Host = LOOPBACK
    insecure_bind: options.InsecureServe = False


class ChooseOptions(Options):
    """`mobilebench choose`."""

    target: choice_options.Target = NATIVE
    device: choice_options.Device = ""
    task: choice_options.Task = None
    precisions: choice_options.Precisions = ()
    runtimes: choice_options.Runtimes = ()
    threads: choice_options.Threads = ()
    latency_ms: choice_options.LatencyBudget = None
    memory_mb: choice_options.MemoryBudget = None
    min_top1: choice_options.MinTop1 = None
    min_map: choice_options.MinMap = None
    min_miou: choice_options.MinMiou = None
    estimate: choice_options.Estimate = False
    store: options.StoreUrl = DEFAULT_URL
    format: choice_options.Format = "text"


class CompareOptions(Options):
    """`mobilebench compare`."""

    base: options.BaseRun
    head: options.HeadRun
    threshold: options.Threshold = 5.0
    confirm: options.Confirm = False
    store: options.StoreUrl = DEFAULT_URL
    format: options.Format = "text"
    out: options.OutFile = None


class PredictOptions(Options):
    """`mobilebench predict`."""

    variant: options.OneVariant
    target: options.OneTarget
    precision: options.OnePrecision = FLOAT32
    cpu: predict_options.Cpu = ""
    llvm: predict_options.Llvm = None
    time_limit_s: options.TimeLimit = options.TIME_LIMIT_S
    format: choice_options.Format = "text"


class ExportOptions(Options):
    """`mobilebench export`."""

    variant: options.OneVariant = ""
    model: options.OneModel = ""
    input_shape: options.InputShape = ""
    target: options.OneTarget
    threads: options.OneThreads = 1
    batch: options.OneBatch = 1
    precision: options.OnePrecision = FLOAT32
    input_type: options.InputType = FLOATS
    weights: options.OneWeightsSource = RANDOM
    seed: options.Seed = 0
    calibration_data: options.CalibrationData = ""
    optimize_for: options.OptimizeFor = LATENCY
    params_storage: options.ParamsStorage = None
    measure: options.Measure = True
    effort: options.Effort = "quick"
    time_limit_s: options.TimeLimit = options.TIME_LIMIT_S
    dump_ir: options.DumpIr = None
    tracker: options.TrackerAddress = ""
    wait_s: options.Wait = WAIT_S
    out: options.NewDirectory
    labels: options.Labels = None
    with_onnx: options.WithOnnx = False


class VerifyOptions(Options):
    """`mobilebench verify`."""

    bundle: options.BundlePath
    run: options.RunOutputs = True
    sha256: options.Sha256 = None
    tracker: options.TrackerAddress = ""
    wait_s: options.Wait = WAIT_S


class VariantsOptions(Options):
    """`mobilebench variants`."""

    variants: options.Variants = ("published", "timm")


class TargetsOptions(Options):
    """`mobilebench targets`."""

    check: options.CheckedTarget = None


class DevicesOptions(Options):
    """`mobilebench devices`."""

    tracker: options.ListedTracker = ""


class DoctorOptions(Options):
    """`mobilebench doctor`, which has none."""


class BoardStartOptions(Options):
    """`mobilebench board start`."""

    target: options.EmulatedTarget
    cpu: options.EmulatedCpu = ""
    boards: options.BoardCount = 1
    runtimes: options.BoardRuntimes = ()
    host: options.Host = LOOPBACK
    insecure_bind: options.InsecureBind = False


class BoardStopOptions(Options):
    """`mobilebench board stop`."""

    target: options.EmulatedTarget


class DataSampleOptions(Options):
    """`mobilebench data sample`."""

    directory: options.NewDump


class StoreRunsOptions(Options):
    """`mobilebench store runs`."""

    store: options.StoreUrl = DEFAULT_URL


class StoreDumpOptions(Options):
    """`mobilebench store dump`."""

    directory: options.NewDump
    store: options.StoreUrl = DEFAULT_URL


class StoreLoadOptions(Options):
    """`mobilebench store load`."""

    directory: options.ExistingDump
    store: options.StoreUrl = DEFAULT_URL
