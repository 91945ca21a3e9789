"""The command line. Each command imports what it needs by itself, so that `--help` is fast."""

import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from mobilebench.bench.cli.command import PlainGroup, add_command
from mobilebench.bench.cli.surroundings import prepare
from mobilebench.bench.cli.usage_errors import usage_refusal
from mobilebench.reports.errors import ReportError
from mobilebench.targets.errors import BenchError

if TYPE_CHECKING:
    from mobilebench.bench.config import commands

MEASURE, DEPLOY, LIST, MANAGE = "Measure", "Deploy", "List what is available", "Manage"

app = typer.Typer(
    name="mobilebench",
    cls=PlainGroup,
    help="Benchmark MobileNetV2 networks, compiled by TVM, against other inference runtimes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _global_options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        print(f"mobilebench {version_of('mobilebench')}")
        raise typer.Exit


@add_command(app, "RunOptions", section=MEASURE)
def run(options: "commands.RunOptions") -> int:
    """Compile networks, check their outputs, measure their latency, and write a report.

    Options override the suite file. Without either, five networks are measured on this machine.
    The exit code is 1 if a measurement failed or a regression was found.
    """
    from mobilebench.bench.cli.run import run_command

    return run_command(options)


@add_command(app, "TuneOptions", section=MEASURE)
def tune(options: "commands.TuneOptions") -> int:
    """Search for faster schedules of the networks' kernels; later runs and exports use them.

    Without options the kernels of all published networks are tuned for this machine.
    """
    from mobilebench.bench.cli.tune import tune_command

    return tune_command(options)


@add_command(app, "ReportOptions", section=MEASURE)
def report(options: "commands.ReportOptions") -> int:
    """Write the report of runs in the store: a web page, plots, tables and records.csv.

    Or, with --serve, show it as a run that is measuring fills it.
    """
    if options.serve:
        from mobilebench.bench.cli.serve import serve_command

        return serve_command(options)
    from mobilebench.bench.cli.report import report_command
    from mobilebench.bench.cli.serve import check_not_serving

    check_not_serving(options)
    report_command(options.store, options.run_names, options.out)
    return 0


@add_command(app, "CompareOptions", section=MEASURE)
def compare(options: "commands.CompareOptions") -> int:
    """Compare two runs: what is faster, slower, larger or broken; exit code 1 if anything is worse.

    Runs are named as `mobilebench store runs` lists them; latest is the newest, latest~1 the one
    before it.
    """
    from mobilebench.bench.cli.compare import compare_command

    return compare_command(options)


@add_command(app, "PredictOptions", section=MEASURE)
def predict(options: "commands.PredictOptions") -> None:
    """Predict the cycles of each kernel by LLVM's model of a processor; nothing is measured.

    No device is needed. A prediction is no latency: it knows nothing of memory.
    """
    from mobilebench.bench.cli.predict import predict_command

    predict_command(options)


@add_command(app, "ChooseOptions", section=DEPLOY)
def choose(options: "commands.ChooseOptions") -> None:
    """Tell which network is the most accurate within budgets, by what was measured on a target.

    The answer is its precision, runtime and threads too, what else was near and why it was left
    out, and what was never measured but could be better.
    """
    from mobilebench.bench.cli.choose import choose_command

    choose_command(options)


@add_command(app, "ExportOptions", section=DEPLOY)
def export(options: "commands.ExportOptions") -> int:
    """Write a network as a bundle to deploy: library, weights, programs that run it, manifest."""
    from mobilebench.bench.cli.export import export_command

    return export_command(options)


@add_command(app, "VerifyOptions", section=DEPLOY)
def verify(options: "commands.VerifyOptions") -> int:
    """Check a bundle's files and the network's outputs; exit code 1 if the outputs are wrong."""
    from mobilebench.bench.cli.verify import verify_command

    return verify_command(options)


@add_command(app, "VariantsOptions", section=LIST)
def variants(options: "commands.VariantsOptions") -> None:
    """List networks with their multiply-accumulates, parameters and published figures."""
    from mobilebench.bench.cli.variants import variants_command

    variants_command(options.variants)


@add_command(app, "TargetsOptions", section=LIST)
def targets(options: "commands.TargetsOptions") -> None:
    """List the targets that networks can be compiled for, or check one."""
    from mobilebench.bench.cli.targets import check_command, targets_command

    if options.check is None:
        targets_command()
    else:
        check_command(options.check)


@add_command(app, "DevicesOptions", section=LIST)
def devices(options: "commands.DevicesOptions") -> None:
    """List the devices that can be used now: this machine, or the boards of a tracker."""
    from mobilebench.bench.cli.devices import devices_command

    devices_command(options.tracker)


@add_command(app, "DoctorOptions", section=MANAGE)
def doctor(_options: "commands.DoctorOptions") -> int:
    """Check what is installed on this machine, what is missing, and how to get it."""
    from mobilebench.bench.cli.doctor import doctor_command

    return doctor_command()


board = typer.Typer(
    cls=PlainGroup, help="Start and stop emulated boards on this machine.", no_args_is_help=True
)
app.add_typer(board, name="board", rich_help_panel=MANAGE)


@add_command(board, "BoardStartOptions", name="start")
def board_start(options: "commands.BoardStartOptions") -> None:
    """Start emulated boards and their tracker; the first start downloads what they need."""
    from mobilebench.bench.cli.board import start_command

    start_command(options)


@add_command(board, "BoardStopOptions", name="stop")
def board_stop(options: "commands.BoardStopOptions") -> None:
    """Stop the boards that `mobilebench board start` started."""
    from mobilebench.bench.cli.board import stop_command

    stop_command(options.target)


data = typer.Typer(
    cls=PlainGroup, help="Make data that accuracy is measured on.", no_args_is_help=True
)
app.add_typer(data, name="data", rich_help_panel=MANAGE)


@add_command(data, "DataSampleOptions", name="sample")
def data_sample(options: "commands.DataSampleOptions") -> None:
    """Write a tiny labelled set of drawn pictures in each format that --data takes.

    Nothing is downloaded. A README.txt says what each part is.
    """
    from mobilebench.bench.cli.data import sample_command

    sample_command(options.directory)


store = typer.Typer(
    cls=PlainGroup, help="List, dump and load the results of a store.", no_args_is_help=True
)
app.add_typer(store, name="store", rich_help_panel=MANAGE)


@add_command(store, "StoreRunsOptions", name="runs")
def store_runs(options: "commands.StoreRunsOptions") -> None:
    """List the runs of a store."""
    from mobilebench.bench.cli.runs import runs_command

    runs_command(options.store)


@add_command(store, "StoreDumpOptions", name="dump")
def store_dump(options: "commands.StoreDumpOptions") -> None:
    """Write all results of a store into a directory of Parquet files."""
    from mobilebench.bench.cli.store import dump_command

    dump_command(options.store, options.directory)


@add_command(store, "StoreLoadOptions", name="load")
def store_load(options: "commands.StoreLoadOptions") -> None:
    """Add the results of a dump to a store; results that the store already has stay unchanged."""
    from mobilebench.bench.cli.store import load_command

    load_command(options.store, options.directory)


def main() -> NoReturn:
    """Run the command line; every refusal is one line on standard error and exit code 2."""
    prepare()
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
        if refusal := usage_refusal(error):
            _refuse(refusal)
        sys.exit(2)
    sys.exit(code or 0)


def _refuse(sentence: str) -> NoReturn:
    print(f"mobilebench: {' '.join(sentence.split())}", file=sys.stderr)
    sys.exit(2)


def _interrupt(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt
