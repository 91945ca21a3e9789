"""How long a report of one night takes in a store of a million records, and how much memory.

    python docs/scripts/million_records.py [STORE] [NIGHTS]

Unless STORE has runs it is filled first, with so many nights (1000) of 1,000 cells: every record
with its samples, TVM's of the last night with kernels. All of it is made up.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from mobilebench.bench.config.suite import expand_variants
from mobilebench.bench.models.size import size_of
from mobilebench.bench.models.variant import parse_variant
from mobilebench.reports.records.record import KernelTime, Record
from mobilebench.reports.records.schema import KERNELS, RECORDS, RUNS, SAMPLES
from mobilebench.reports.records.store import Store

VARIANTS = (*expand_variants(["published"]), *(f"mobilenet_v2_{m}_256" for m in (0.5, 0.75, 1.0)))
TARGETS = ("x86-64-v3", "raspberry-pi-4", "raspberry-pi-5", "neoverse-n1")
RUNTIMES = ("tvm", "torch", "onnxruntime", "openvino", "ncnn")
THREADS = (1, 2)
ROUNDS, SAMPLES_A_ROUND, KERNELS_OF_ONE = 5, 10, 53
FIRST_NIGHT = datetime(2026, 1, 1, 2, tzinfo=UTC)
HISTORY = (
    *("run_id", "started_at", "variant", "target", "device", "runtime", "threads", "precision"),
    *("weights", "optimize_for", "status", "latency_p50_ms", "latency_ci95_low_ms"),
    *("latency_ci95_high_ms", "arena_bytes", "peak_rss_bytes", "artifact_bytes", "compile_s"),
    *("top1_percent", "map_percent", "miou_percent", "git_commit", "tvm_version"),
)


def main() -> None:
    """Fill the store if it is empty, then take what is asked of it one by one."""
    with tempfile.TemporaryDirectory() as directory:
        given = sys.argv[1:]
        url = given[0] if given else str(Path(directory) / "million.sqlite")
        with Store(url) as store:
            if not store.runs():
                start = time.perf_counter()
                fill(store, int(given[1]) if len(given) > 1 else 1000)
                print(f"filled in {time.perf_counter() - start:.0f} s")
            tally = store.tally()
        print(f"{sum(rows for rows, _ in tally.values())} records in {len(tally)} runs")
        for task in (choosing, report, report_with_kernels, listing, history, two_nights):
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:  # a fresh process's peak
                seconds, peak_bytes = pool.submit(measured, task, url, Path(directory)).result()
            print(f"{task.__doc__}: {seconds:.2f} s, {peak_bytes / 1e9:.2f} GB at most")


def measured(task: Callable[[str, Path], None], url: str, directory: Path) -> tuple[float, int]:
    """Return the seconds that a task takes and the peak of this process's memory, in bytes."""
    start = time.perf_counter()
    task(url, directory)
    seconds = time.perf_counter() - start
    return seconds, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def report(url: str, directory: Path) -> None:
    """A report of one night"""
    from mobilebench.bench.cli.report import report_command

    report_command(url, ["latest~1"], directory / "report")


def report_with_kernels(url: str, directory: Path) -> None:
    """The same of the newest night, with a page for the kernels of 200 networks"""
    from mobilebench.bench.cli.report import report_command

    report_command(url, ["latest"], directory / "with-kernels")


def choosing(url: str, _directory: Path) -> None:
    """The most accurate network within budgets, of one target"""
    from mobilebench.reports.choice.budgets import Budgets
    from mobilebench.reports.choice.candidates import Wanted, read_target
    from mobilebench.reports.choice.choose import choose

    with Store(url, create=False) as store:
        rows = read_target(store, Wanted("raspberry-pi-5", "classify"))
        assert choose(rows, Budgets(latency_ms=10.0, accuracy_percent=68.0)).chosen


def listing(url: str, _directory: Path) -> None:
    """Rows and good rows of every run"""
    with Store(url, create=False) as store:
        assert len(store.runs()) == len(store.tally())


def history(url: str, _directory: Path) -> None:
    """The columns that a history is made of, of all records"""
    with Store(url, create=False) as store:
        assert len(store.frame(HISTORY, statuses=["ok"]))


def two_nights(url: str, _directory: Path) -> None:
    """All columns and raw samples of the last two nights"""
    with Store(url, create=False) as store:
        frame = store.frame(run_ids=[run.run_id for run in store.runs()[-2:]])
        assert len(store.rounds_of(frame.index))


def fill(store: Store, nights: int) -> None:
    """Write so many nights, each in one transaction."""
    cells = [
        made_up(*cell)
        for cell in product(VARIANTS, enumerate(TARGETS), enumerate(RUNTIMES), THREADS)
    ]
    random = np.random.default_rng(0)
    for night in range(nights):
        rows, rounds, kernels = make_night(cells, night, night == nights - 1, random)
        run = {"run_id": rows[0]["run_id"], "started_at": rows[0]["started_at"], "suite": {}}
        tables = {RUNS: [run], RECORDS: rows, SAMPLES: rounds, KERNELS: kernels}
        store.database.write(partial(write, tables))


def write(
    tables: dict[sa.Table, list[dict[str, Any]]], connection: sa.Connection, _again: bool
) -> None:
    """Insert rows of several tables."""
    for table, rows in tables.items():
        if rows:
            connection.execute(table.insert(), rows)


def made_up(
    variant: str, target: tuple[int, str], runtime: tuple[int, str], threads: int
) -> Record:
    """Return a record of a cell; the numbers are only plausible."""
    parsed = parse_variant(variant)
    size = size_of(parsed)
    slower = (1, 12, 5, 3)[target[0]] * (1, 3, 1.3, 1.5, 1.6)[runtime[0]] / threads**0.8
    tvm = runtime[1] == "tvm"
    return Record(
        run_id="",
        started_at="",
        variant=variant,
        task=parsed.task,
        width_multiplier=parsed.width_multiplier,
        expansion_factor=parsed.expansion_factor,
        height=parsed.height,
        width=parsed.width,
        precision="float32",
        target=target[1],
        device=f"board {target[0]}",
        emulated=False,
        runtime=runtime[1],
        runtime_version="1.0",
        threads=threads,
        trials=0,
        optimize_for="latency",
        effort="standard",
        weights="random",
        status="ok",
        latency_p50_ms=size.macs / 1e8 * slower,
        samples=ROUNDS * SAMPLES_A_ROUND,
        params_bytes=4 * size.params_count if tvm else None,
        arena_bytes=2 * size.largest_tensor_bytes if tvm else None,
        base_rss_bytes=100_000_000,
        peak_rss_bytes=100_000_000 + 12 * size.params_count,
        artifact_bytes=4 * size.params_count + 400_000 if tvm else None,
        compile_s=20.0 if tvm else None,
        artifact_key=f"{variant}-{target[1]}-0123456789abcdef01234567" if tvm else "",
        max_abs_error=1e-6,
        relative_l2_error=1e-6,
        top1_agreement=1.0,
        fidelity_inputs=4,
        tvm_version="0.27.0",
        tvm_ffi_version="0.1.14",
        torch_version="2.13.0",
        onnx_version="1.23.2",
        python_version="3.11.7",
        host=f"board-{target[0]}",
        os="Linux 6.1.0-13-arm64",
        cpu_model="Imaginary CPU",
        cpu_cores=4,
        cpu_governor="performance",
        temperature_c=50.0,
        memory_total_bytes=8_000_000_000,
        calibration_before_ms=1.8,
        calibration_after_ms=1.8,
        peak_macs_per_s=1e11 / slower if tvm else None,
        read_bytes_per_s=1e10 if tvm else None,
        **asdict(size),
    )


def make_night(
    cells: list[Record], night: int, kernels_too: bool, random: np.random.Generator
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of a night, their samples and their kernels, as the tables have them."""
    began = FIRST_NIGHT + timedelta(days=night)
    rows, rounds, kernels = [], [], []
    for number, cell in enumerate(cells):
        typical = float(cell.latency_p50_ms or 0) * random.lognormal(0, 0.03)
        taken = typical * random.lognormal(0, 0.02, (ROUNDS, SAMPLES_A_ROUND))
        low, middle, high = np.quantile(taken, [0.4, 0.5, 0.6])
        record_id = night * len(cells) + number + 1
        rows.append(
            {"id": record_id}
            | vars(cell)
            | {
                "run_id": f"{began:%Y%m%d-%H%M%S}-0000",
                "started_at": (began + timedelta(seconds=20 * number)).isoformat(),
                "latency_p50_ms": float(middle),
                "latency_ci95_low_ms": float(low),
                "latency_ci95_high_ms": float(high),
                "latency_p90_ms": float(np.quantile(taken, 0.9)),
                "latency_p99_ms": float(np.quantile(taken, 0.99)),
                "latency_mean_ms": float(taken.mean()),
                "latency_cv": float(taken.std() / taken.mean()),
                "git_commit": f"{night // 7:040x}",
            }
        )
        rounds.append({"record_id": record_id, "rounds_ms": taken.round(6).tolist()})
        if kernels_too and cell.runtime == "tvm":
            timed = made_up_kernels(typical)
            kernels.append({"record_id": record_id, "kernels": timed})
    return rows, rounds, kernels


def made_up_kernels(latency_ms: float) -> list[dict[str, Any]]:
    """Return the kernels of a network that takes so long, all alike."""
    kernel = KernelTime("", 1, 6_000_000, 200_000, 1000 * latency_ms / KERNELS_OF_ONE)
    families = ("pointwise", "depthwise", "stem")
    names = (f"{families[n % 3]} {n}x{n}x32 16" for n in range(KERNELS_OF_ONE))
    return [asdict(replace(kernel, name=name)) for name in names]


if __name__ == "__main__":
    main()
