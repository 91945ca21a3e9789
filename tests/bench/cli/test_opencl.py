"""Runs and tuning from end to end on an OpenCL device, here and on a board behind a tracker."""

from pathlib import Path
from typing import Any

import pytest

from mobilebench.bench.measure.fidelity import TOLERANCE
from mobilebench.reports.records.record import Record
from mobilebench.reports.records.store import Store
from mobilebench.schedules.databases.database import read_database
from mobilebench.targets.opencl.accelerator import HALF
from mobilebench.targets.opencl.plugin import OPENCL_VARIABLE
from mobilebench.targets.rpc.local_server import HOST, LocalServer
from tests.farm import KEY, RealFarm

VARIANT = "mobilenet_v2_0.35_32"
CALLS = 54  # 52 convolutions, pooling, classifier

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("environment")]


def record_of(directory: Path) -> Record:
    """Return the one row of the only run."""
    with Store(str(directory / "mobilebench.sqlite")) as store:
        (record,) = store.records([run.run_id for run in store.runs()])
    return record


def check(record: Record, precision: str = "float32") -> None:
    """Check what every good row of an OpenCL device says."""
    assert (record.status, record.runtime, record.precision) == ("ok", "tvm", precision)
    assert record.relative_l2_error is not None
    assert record.relative_l2_error < TOLERANCE[precision]
    assert record.samples >= 50
    assert record.accelerator
    assert record.accelerator_driver
    assert record.host_to_device_ms is not None
    assert record.host_to_device_ms > 0
    assert record.device_to_host_ms is not None
    assert record.device_to_host_ms > 0


def check_kernels(directory: Path) -> None:
    """Check the times of the kernels in the only run."""
    record = record_of(directory)
    with Store(str(directory / "mobilebench.sqlite")) as store:
        kernels = store.kernels(record)
    assert len(kernels) == record.kernel_count
    assert sum(kernel.calls for kernel in kernels) == CALLS
    assert all(kernel.microseconds > 0 for kernel in kernels)
    assert record.latency_p50_ms is not None
    inside_ms = sum(kernel.microseconds for kernel in kernels) / 1000
    assert 0 < inside_ms < 2 * record.latency_p50_ms  # without what lies between them
    assert record.peak_macs_per_s is not None
    assert record.read_bytes_per_s is not None


def test_a_run_measures_this_machine_s_device(mobilebench: Any, tmp_path: Path) -> None:
    done = mobilebench("run", "--target", "opencl", "--variant", VARIANT, "--kernels")
    assert done.returncode == 0, done.stderr
    check(record_of(tmp_path))
    check_kernels(tmp_path)
    assert (tmp_path / "mobilebench-report" / "roofline-0.png").exists()


def test_a_run_measures_a_board_with_the_plug_in(
    mobilebench: Any, tmp_path: Path, plugin: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "board.toml").write_text(
        f'description = "a board"\ndevice_type = "opencl"\ntracker_key = "{KEY}"\n'
        '[tvm]\nkind = "opencl"\n[host]\nkind = "llvm"\nmcpu = "native"\n'
    )
    (tmp_path / "farm").mkdir()
    with RealFarm(tmp_path / "farm") as farm:
        board = farm.add_board(KEY, [plugin], environment)
        select = ("--target", "board.toml", "--tracker", farm.tracker, "--variant", VARIANT)
        done = mobilebench("run", *select, "--kernels")
        assert done.returncode == 0, done.stderr
        assert board.sessions() == 2  # it is asked for its limits first
    check(record_of(tmp_path))
    check_kernels(tmp_path)


def test_float16_is_measured_where_the_device_stores_it(
    mobilebench: Any, tmp_path: Path, intel: dict[str, str]
) -> None:
    select = ("--target", "opencl", "--variant", VARIANT, "--precision", "float16")
    done = mobilebench("run", *select, **intel)
    assert done.returncode == 0, done.stderr
    record = record_of(tmp_path)
    check(record, "float16")
    assert record.relative_l2_error is not None
    assert record.relative_l2_error > TOLERANCE["float32"]
    assert record.params_bytes is not None
    assert 0.45 < record.params_bytes / (4 * record.params_count) < 0.6


def test_float16_is_refused_where_the_device_cannot_store_it(
    mobilebench: Any, tmp_path: Path, plugin: Path, environment: dict[str, str]
) -> None:
    from tvm import rpc

    with LocalServer(1, [plugin], environment) as server:
        session = rpc.connect(HOST, server.port, server.key)
        if HALF in str(session.get_function("mobilebench.opencl.describe")(0)):
            pytest.skip("the OpenCL that is here stores half-precision floats")
    select = ("--target", "opencl", "--variant", VARIANT, "--precision", "float16")
    done = mobilebench("run", *select)
    assert done.returncode == 2
    line = done.stderr.splitlines()[-1]
    assert line.startswith("mobilebench: target opencl: ")
    assert line.endswith(f"has no {HALF}; leave out --precision float16")
    assert "Traceback" not in done.stderr


def test_a_library_that_is_not_opencl_is_refused(mobilebench: Any, tmp_path: Path) -> None:
    nothing = {OPENCL_VARIABLE: str(tmp_path / "nosuch.so")}
    done = mobilebench("run", "--target", "opencl", "--variant", VARIANT, **nothing)
    assert done.returncode == 2
    assert "OpenCL" in done.stderr.splitlines()[-1]
    assert "nosuch.so" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_run_uses_what_was_tuned_for_the_device(mobilebench: Any, tmp_path: Path) -> None:
    select = ("--target", "opencl", "--variant", VARIANT)
    databases = tmp_path / "databases"
    done = mobilebench("tune", *select, "--trials", 2, "--out", databases)
    assert done.returncode == 0, done.stderr
    database = read_database(databases / "opencl.json")
    assert database.device_type == "opencl"
    assert database.cpu_model  # the device's name
    assert all(entry.microseconds > 0 for entry in database.entries)
    assert {entry.trials for entry in database.entries} <= {1, 2}
    done = mobilebench("run", *select, MOBILEBENCH_DATABASES=str(databases))
    assert done.returncode == 0, done.stderr
    record = record_of(tmp_path)
    check(record)
    assert (record.database_hits, record.database_misses) == (len(database.entries), 0)
    assert record.database_hits == record.kernel_count
