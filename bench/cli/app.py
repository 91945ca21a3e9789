"""The command line. Each command imports what it needs, so that `--help` answers at once."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from mobilebench.reports.errors import ReportError
from mobilebench.targets.errors import BenchError

# As reports.records.store and bench.suite have them, which import too much for `--help`.
STORE = "sqlite:///mobilebench.sqlite"
REPORT = Path("mobilebench-report")

app = typer.Typer(
    name="mobilebench",
    help="Benchmark MobileNetV2 variants, compiled by TVM, against what you would use instead.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

board = typer.Typer(help="Start and stop emulated boards on this machine.", no_args_is_help=True)
app.add_typer(board, name="board")

store_app = typer.Typer(help="Carry a store from place to place.", no_args_is_help=True)
app.add_typer(store_app, name="store")

Variants = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        help="Variant by name, e.g. mobilenet_v2_1.0_224, or a grid: small, published (22), paper.",
    ),
]
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", help="Target by name (`mobilebench targets`) or a TOML file."),
]
Threads = Annotated[list[int] | None, typer.Option(help="Threads per inference.")]
Precisions = Annotated[
    list[str] | None,
    typer.Option(
        "--precision",
        help="What weights and activations are stored in: float32 (default), or float16 on OpenCL "
        "targets.",
    ),
]
Runtimes = Annotated[
    list[str] | None,
    typer.Option(
        "--runtime",
        help="tvm, torch, onnxruntime, openvino, ncnn, mnn, litert, inductor; without this option "
        "all that are installed, inductor excepted.",
    ),
]
TrackerOption = Annotated[
    str | None,
    typer.Option("--tracker", help="HOST:PORT of the RPC tracker that knows the targets' boards."),
]
Wait = Annotated[
    float | None, typer.Option("--wait", help="Seconds to wait for a free board (60).")
]
SchedulerOption = Annotated[
    str | None,
    typer.Option("--scheduler", help="Dask scheduler, tcp://HOST:8786, whose workers compile."),
]
StoreUrl = Annotated[str, typer.Option("--store", help="SQLite file or database URL.")]


@app.command()
def run(
    suite: Annotated[Path | None, typer.Argument(help="Suite file (TOML).")] = None,
    bundle: Annotated[
        list[str] | None,
        typer.Option(help="What `export` has written, measured as it is, instead of variants."),
    ] = None,
    variant: Variants = None,
    target: Targets = None,
    threads: Threads = None,
    runtime: Runtimes = None,
    precision: Precisions = None,
    effort: Annotated[
        str | None, typer.Option(help="How thorough: quick (default), standard or rigorous.")
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            help="random (default), a checkpoint (.pth, .safetensors, .npz), or its URL ending in "
            "#sha256=HASH; one for each width multiplier."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Images to measure accuracy on, in the format of the variants' task: for "
            "classifiers a CSV of file and class index or a directory of class directories, for "
            "detectors COCO's format, for segmenters PASCAL VOC's."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of random weights.")] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            help="0: the templates' best guesses; more: tune so many candidates of each kernel "
            "first. Without this option the tuned databases are used as they are."
        ),
    ] = None,
    optimize_for: Annotated[
        str | None,
        typer.Option(help="What TVM's code is made for: latency (default) or memory."),
    ] = None,
    kernels: Annotated[
        bool | None,
        typer.Option("--kernels/--no-kernels", help="Time each kernel inside the network too."),
    ] = None,
    memory: Annotated[
        bool | None,
        typer.Option(
            "--memory/--no-memory",
            help="Find out what activations need and runtimes plan for them too.",
        ),
    ] = None,
    check_regressions: Annotated[
        bool | None,
        typer.Option(
            "--watch/--no-watch",
            help="Hold the run against the store's earlier ones, measure suspects again, and exit "
            "with 1 on a regression.",
        ),
    ] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(help="Seconds that compiling, loading or one round may take (300)."),
    ] = None,
    tracker: TrackerOption = None,
    wait: Wait = None,
    retries: Annotated[
        int | None,
        typer.Option(help="On other boards, or later, after a board or the model has died (2)."),
    ] = None,
    scheduler: SchedulerOption = None,
    events: Annotated[
        str | None, typer.Option(help="File to append what happens to, as JSON lines.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option("--store", help=f"SQLite file or database URL ({STORE})."),
    ] = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on with an interrupted run: its name, or latest.")
    ] = None,
    out: Annotated[
        str | None, typer.Option(help=f"Directory for the report ({REPORT}); may have %Y-%m-%d.")
    ] = None,
) -> None:
    """Measure: export, compile, validate and time each variant, then write a report.

    Options override the suite file. Without either, five variants are measured on this machine.
    """
    from mobilebench.bench.cli.run import run_command

    chosen = {
        "bundles": bundle,
        "variants": variant,
        "targets": target,
        "threads": threads,
        "runtimes": runtime,
        "precisions": precision,
        "effort": effort,
        "weights": weights,
        "data": data,
        "seed": seed,
        "trials": trials,
        "optimize_for": optimize_for,
        "kernels": kernels,
        "memory": memory,
        "check_regressions": check_regressions,
        "time_limit_s": time_limit,
        "tracker": tracker,
        "wait_s": wait,
        "retries": retries,
        "scheduler": scheduler,
        "events": events,
        "store": store,
        "report": out,
    }
    raise typer.Exit(run_command(suite, chosen, resume))


@app.command()
def tune(
    variant: Variants = None,
    target: Targets = None,
    threads: Threads = None,
    precision: Precisions = None,
    trials: Annotated[
        int | None, typer.Option(help="Candidates of each kernel that may be measured (16).")
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option(help="Seconds that one build or measurement may take (300).")
    ] = None,
    tracker: TrackerOption = None,
    wait: Wait = None,
    scheduler: SchedulerOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Directory of databases; your own by default, where runs find it."),
    ] = None,
) -> None:
    """Fill the tuned database of a target: search, measure, and check against PyTorch.

    Without options the kernels of all published variants are tuned for this machine.
    """
    from mobilebench.bench.cli.tune import tune_command

    chosen = {
        "variants": variant,
        "targets": target,
        "threads": threads,
        "precisions": precision,
        "trials": trials,
        "time_limit_s": time_limit,
        "tracker": tracker,
        "wait_s": wait,
    }
    chosen = {key: value for key, value in chosen.items() if value not in (None, [])}
    raise typer.Exit(tune_command(chosen, scheduler or "", out))


@app.command()
def report(
    store: StoreUrl = STORE,
    run: Annotated[
        list[str] | None, typer.Option(help="Run to report; the newest by default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Directory for the report.")] = REPORT,
) -> None:
    """Write records.csv, Markdown tables, plots and index.html from the store."""
    from mobilebench.bench.cli.report import report_command

    report_command(store, run or ["latest"], out)


@app.command()
def compare(
    base: Annotated[
        str,
        typer.Argument(
            metavar="BASE", help="Run by name, `latest`, or with ~N the Nth before it: latest~1."
        ),
    ],
    head: Annotated[str, typer.Argument(metavar="HEAD", help="The run that is held against it.")],
    store: StoreUrl = STORE,
    threshold: Annotated[
        float, typer.Option(help="Percent of latency that are no change worth telling.")
    ] = 5.0,
    form: Annotated[str, typer.Option("--format", help="text, markdown, json or junit.")] = "text",
    out: Annotated[Path | None, typer.Option(help="File to write instead of printing.")] = None,
) -> None:
    """Hold one run against another, cell by cell; exit code 1 if anything got worse."""
    from mobilebench.bench.cli.compare import compare_command

    raise typer.Exit(compare_command(base, head, store, threshold, form, out))


@app.command()
def export(
    variant: Annotated[str, typer.Option(help="Variant by name, e.g. mobilenet_v2_1.0_224.")],
    target: Annotated[str, typer.Option(help="Target by name, or a TOML file.")],
    out: Annotated[Path, typer.Option(help="Directory to make.")],
    threads: Annotated[int, typer.Option(help="Threads per inference.")] = 1,
    precision: Annotated[
        str,
        typer.Option(help="What weights are stored in: float32, or float16; GPUs compute in it."),
    ] = "float32",
    weights: Annotated[
        str, typer.Option(help="random, a checkpoint, or its URL ending in #sha256=HASH.")
    ] = "random",
    params_storage: Annotated[
        str | None,
        typer.Option(
            help="Where weights are: apart, in a file that is mapped into memory (the default on "
            "CPUs), or embedded in the library (always on GPUs)."
        ),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Names of the classes, one a line in a text file.")
    ] = None,
    optimize_for: Annotated[
        str, typer.Option(help="What it is made for: latency or memory.")
    ] = "latency",
    seed: Annotated[int, typer.Option(help="Of random weights.")] = 0,
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="State the latency on a live device.")
    ] = True,
    effort: Annotated[
        str, typer.Option(help="How thoroughly: quick, standard or rigorous.")
    ] = "quick",
    tracker: TrackerOption = None,
    wait: Wait = None,
) -> None:
    """Write a tuned module as a bundle for deployment: library, weights, programs, manifest."""
    from mobilebench.bench.cli.export import export_command

    chosen = {
        "threads": (threads,),
        "optimize_for": optimize_for,
        "effort": effort,
        "seed": seed,
        "tracker": tracker,
        "wait_s": wait,
    }
    code = export_command(
        *(variant, target, out),
        precision=precision,
        weights_source=weights,
        params_storage=params_storage,
        labels_file=labels,
        measured=measure,
        chosen=chosen,
    )
    raise typer.Exit(code)


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(help="What `export` has written.")],
    device: Annotated[
        str | None,
        typer.Option(
            help="HOST:PORT of the RPC tracker that knows the target's boards; none: check files "
            "alone. Without this option: this machine, or the target's usual boards."
        ),
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(help="What `export` has printed: refuse any other bundle.")
    ] = None,
    wait: Wait = None,
) -> None:
    """Check a bundle: files, architecture, then its outputs; exit code 1 if they differ."""
    from mobilebench.bench.cli.verify import verify_command

    raise typer.Exit(verify_command(bundle, device, sha256, wait))


@app.command()
def variants(variant: Variants = None) -> None:
    """List variants with their MACs, parameters and published figures."""
    from mobilebench.bench.cli.listings import variants_command

    variants_command(variant or ["published"])


@app.command()
def targets() -> None:
    """List the targets that code can be built for."""
    from mobilebench.bench.cli.listings import targets_command

    targets_command()


@app.command()
def devices(tracker: TrackerOption = None) -> None:
    """Show this machine, or the boards of a tracker, as they describe themselves now."""
    from mobilebench.bench.cli.devices import devices_command

    devices_command(tracker)


@board.command("start")
def board_start(
    target: Annotated[str, typer.Argument(help="An emulated target, e.g. emulated-arm.")],
    boards: Annotated[int, typer.Option(min=1, max=64, help="How many, under one tracker.")] = 1,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    insecure_bind: Annotated[
        bool,
        typer.Option("--insecure-bind", help="Listen on an address that others can reach."),
    ] = False,
) -> None:
    """Start emulated boards and their tracker; the first time, fetch what they are made of."""
    from mobilebench.bench.cli.board import start_command

    start_command(target, boards, host, insecure_bind)


@board.command("stop")
def board_stop(
    target: Annotated[str, typer.Argument(help="An emulated target, e.g. emulated-arm.")],
) -> None:
    """End the processes that `board start` has started, and no others."""
    from mobilebench.bench.cli.board import stop_command

    stop_command(target)


@app.command()
def runs(store: StoreUrl = STORE) -> None:
    """List the runs of a store."""
    from mobilebench.bench.cli.listings import runs_command

    runs_command(store)


@store_app.command("export")
def store_export(
    out: Annotated[Path, typer.Argument(help="Directory to make.")],
    store: StoreUrl = STORE,
) -> None:
    """Write all of a store as Parquet files."""
    from mobilebench.bench.cli.store import export_command

    export_command(store, out)


@store_app.command("import")
def store_import(
    directory: Annotated[Path, typer.Argument(help="What `store export` has written.")],
    store: StoreUrl = STORE,
) -> None:
    """Add what a store lacks of an export; what it has stays as it is."""
    from mobilebench.bench.cli.store import import_command

    import_command(store, directory)


@app.command()
def doctor() -> None:
    """Check this machine: what is there, what is missing and how to get it."""
    from mobilebench.bench.cli.doctor import doctor_command

    raise typer.Exit(doctor_command())


def main() -> NoReturn:
    """Run the command line; every refusal is one line on standard error and exit code 2."""
    # No program that is started imports what lies in the user's folder.
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    # A terminated run keeps its rows and closes its workers as an interrupted one does.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = app(standalone_mode=False)
    except (BenchError, ReportError) as error:
        _refuse(str(error))
    except typer.Exit as exit_:
        sys.exit(exit_.exit_code)
    except typer.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if not hasattr(error, "format_message"):  # not a usage error
            raise
        _refuse(f"{error.format_message().rstrip('.')}. See `mobilebench --help`.")
    sys.exit(code or 0)


def _refuse(sentence: str) -> NoReturn:
    print(f"mobilebench: {' '.join(sentence.split())}", file=sys.stderr)
    sys.exit(2)


def _interrupt(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt
