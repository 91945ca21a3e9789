"""The emulated Arm board: made, started, measured on, tuned on and stopped by the commands."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mobilebench.reports.records.store import Store
from mobilebench.schedules.databases.database import DIRECTORY_VARIABLE
from mobilebench.schedules.precision import PRECISIONS
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.emulated.image import make_image
from mobilebench.targets.emulated.running import running_file
from tests.waiting import wait_until_ended

VARIANTS = ("mobilenet_v2_0.35_32", "mobilenet_v2_0.35_96")
SELECTED = [argument for name in VARIANTS for argument in ("--variant", name)]
TOOLS = ("debootstrap", "qemu-aarch64")  # the one of qemu-user, which takes plug-ins
BOARDS = ("emulated-arm", "emulated-cortex-a76", "emulated-neoverse-v1")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "CI" not in os.environ and not all(map(shutil.which, TOOLS)),
        reason=f"needs {' and '.join(TOOLS)}",
    ),
]


@pytest.fixture(scope="module", autouse=True)
def board(cache_dir: Path) -> Iterator[None]:
    """Leave nothing running, whatever a test does."""
    from mobilebench.targets.emulated.board import stop_boards

    yield
    for name in BOARDS:
        stop_boards(find_target(name), cache_dir)


def processes(cache_dir: Path) -> list[psutil.Process]:
    """Return what runs as a part of the boards."""
    state = json.loads(running_file(cache_dir, "emulated-arm").read_text())
    leaders = [psutil.Process(pid) for pid, _ in state["processes"]]
    return [one for leader in leaders for one in (leader, *leader.children(recursive=True))]


def test_a_board_is_started_measured_tuned_and_stopped(
    mobilebench_process: Any, cache_dir: Path, tmp_path: Path
) -> None:
    mobilebench = mobilebench_process  # boards are nobody's children then
    done = mobilebench("run", "--target", "emulated-arm", *SELECTED)
    assert done.returncode == 2
    assert "mobilebench board start emulated-arm" in done.stderr

    made = any((cache_dir / "boards").glob("aarch64-*/ready"))  # for another test
    done = mobilebench("board", "start", "emulated-arm", "--boards", "2")
    assert done.returncode == 0, done.stderr
    assert ("fetching Debian's arm64 packages" in done.stderr) != made
    again = mobilebench("board", "start", "emulated-arm")
    assert again.returncode == 2
    assert "runs already" in again.stderr.replace("run already", "runs already")
    running = processes(cache_dir)
    listening = [
        connection.laddr.ip
        for process in running
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}

    done = mobilebench("run", "--target", "emulated-arm", *SELECTED)
    assert done.returncode == 0, done.stderr
    with Store(str(tmp_path / "mobilebench.sqlite")) as store:
        records = store.records([store.runs()[-1].run_id])
    assert sorted(record.variant for record in records) == sorted(VARIANTS)
    for record in records:
        assert record.status == "ok"
        assert record.emulated
        assert "emulated" in record.device
        assert record.cpu_model == "1 x Cortex-A72 (emulated)"
        assert record.relative_l2_error is not None
        assert record.relative_l2_error < 1e-5
        assert record.retries == 0
        assert record.instructions is not None
        assert record.macs / 8 < record.instructions < record.macs  # four lanes at a time
    assert {record.device for record in records} <= {
        f"emulated-arm-{number} (emulated)" for number in (1, 2)
    }
    page = (tmp_path / "mobilebench-report" / "index.html").read_text()
    assert "emulated" in page
    assert not list((tmp_path / "mobilebench-report").glob("**/runtimes*.png"))

    databases = {DIRECTORY_VARIABLE: str(tmp_path / "databases")}
    tune = ("tune", "--target", "emulated-arm", *SELECTED[:2], "--trials", "2")
    done = mobilebench(*tune, **databases)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "databases" / "emulated-arm.json").read_text())["emulated"]
    done = mobilebench("run", "--target", "emulated-arm", *SELECTED[:2], **databases)
    assert done.returncode == 0, done.stderr
    with Store(str(tmp_path / "mobilebench.sqlite")) as store:
        (record,) = store.records([store.runs()[-1].run_id])
    assert record.database_misses == 0
    assert record.database_hits is not None
    assert record.database_hits > 25

    bystander = psutil.Popen(["sleep", "600"])
    try:
        done = mobilebench("board", "stop", "emulated-arm")
        assert done.returncode == 0, done.stderr
        wait_until_ended(*running)
        assert bystander.is_running()
    finally:
        bystander.kill()
        bystander.wait()
    done = mobilebench("board", "stop", "emulated-arm")
    assert "was not running" in done.stdout


def test_boards_of_several_processors_run_at_once_and_count_alike_every_time(
    mobilebench_process: Any, tmp_path: Path
) -> None:
    mobilebench, others = mobilebench_process, BOARDS[1:]
    for name in others:
        done = mobilebench("board", "start", name)
        assert done.returncode == 0, done.stderr
    targets = [argument for name in others for argument in ("--target", name)]
    for further in (targets, targets, [*targets[:2], "--kernels", "--time-limit", "1800"]):
        done = mobilebench("run", *further, *SELECTED[:2])
        assert done.returncode == 0, done.stderr
    with Store(str(tmp_path / "mobilebench.sqlite")) as store:
        first, second, (record,) = (store.records([run.run_id]) for run in store.runs())
        kernels = store.kernels(record)
    assert {record.cpu_model for record in second} == {
        "1 x Cortex-A76 (emulated)",
        "1 x QEMU max (emulated)",
    }
    counts = [{record.target: record.instructions for record in run} for run in (first, second)]
    for name in others:
        before, after = (count[name] for count in counts)
        assert before is not None and after is not None
        assert abs(after - before) < before / 10_000
    parts = [kernel.instructions for kernel in kernels if kernel.instructions is not None]
    assert len(parts) == len(kernels) == record.kernel_count
    assert record.instructions is not None
    assert 0.8 * record.instructions < sum(parts) < record.instructions
    done = mobilebench("compare", "latest~2", "latest~1")
    assert done.returncode == 0, done.stdout
    assert "no regressions in 2 cells: 2 same" in done.stdout
    for name in others:
        assert mobilebench("board", "stop", name).returncode == 0


def test_bytes_give_x86_s_integers_and_half_precision_is_what_the_processor_has(
    mobilebench_process: Any, tmp_path: Path
) -> None:
    mobilebench, boards = mobilebench_process, BOARDS
    for name in boards:
        done = mobilebench("board", "start", name)
        assert done.returncode == 0, done.stderr
    targets = [argument for name in ("native", *boards) for argument in ("--target", name)]
    precisions = [word for one in PRECISIONS for word in ("--precision", one)]
    done = mobilebench("run", *targets, *SELECTED[2:], "--runtime", "tvm", *precisions)
    for name in boards:
        mobilebench("board", "stop", name)
    assert done.returncode == 0, done.stderr
    with Store(str(tmp_path / "mobilebench.sqlite")) as store:
        records = store.records([store.runs()[-1].run_id])
    rows = {(one.target, one.precision): one for one in records}
    assert {row.status for row in rows.values()} == {"ok"}
    errors = {
        (row.relative_l2_error, row.float32_l2_error)
        for (_, precision), row in rows.items()
        if precision == "int8"
    }
    assert len(errors) == 1  # of outputs that are the same, bit for bit
    without, computing, _ = (rows[name, "float16"] for name in boards)
    assert without.runtime_notes.startswith("weights are stored in half precision")
    assert computing.runtime_notes == "computes in half precision"
    counts = [rows[boards[1], precision].instructions or 0 for precision in PRECISIONS]
    assert counts[0] > 1.1 * counts[1] > 1.1 * counts[2] > 0
    assert 0 < (rows[boards[2], "int8"].instructions or 0) < counts[2]  # matrices of bytes


def test_other_runtimes_are_measured_on_the_board_with_their_instructions(
    mobilebench_process: Any, tmp_path: Path
) -> None:
    mobilebench, name = mobilebench_process, "emulated-cortex-a76"
    done = mobilebench("board", "start", name, "--runtime", "onnxruntime")
    assert done.returncode == 0, done.stderr
    asked = ("--runtime", "tvm", "--runtime", "onnxruntime", "--runtime", "ncnn")
    done = mobilebench("run", "--target", name, *SELECTED[:2], *asked)
    mobilebench("board", "stop", name)
    assert done.returncode == 1, done.stderr
    with Store(str(tmp_path / "mobilebench.sqlite")) as store:
        records = store.records([store.runs()[-1].run_id])
    rows = {one.runtime: one for one in records}
    for row in (rows["tvm"], rows["onnxruntime"]):
        assert row.status == "ok", row.error
        assert row.emulated
        assert row.relative_l2_error is not None and row.relative_l2_error < 1e-5
        assert row.instructions is not None and row.instructions > row.macs / 8
    missing = rows["ncnn"]
    assert missing.status == "load_failed"
    assert missing.error.endswith(f"`mobilebench board start {name} --runtime ncnn`")


def test_a_board_without_the_target_s_instructions_is_refused(mobilebench_process: Any) -> None:
    mobilebench, name = mobilebench_process, "emulated-cortex-a76"
    done = mobilebench("board", "start", name, "--cpu", "cortex-a72")
    assert done.returncode == 0, done.stderr
    done = mobilebench("run", "--target", name, *SELECTED[:2])
    mobilebench("board", "stop", name)
    assert done.returncode == 2
    assert "1 x Cortex-A72 (emulated)) lacks asimdhp, asimddp, atomics" in done.stderr


def test_downloads_are_kept_with_their_checksums(cache_dir: Path) -> None:
    said: list[str] = []
    image = make_image(cache_dir, said.append)
    assert said == []  # it was there
    sums = (image / "packages.sha256").read_text().splitlines()
    assert any("libpython3.11-stdlib" in line for line in sums)
    assert all(len(line.split()[0]) == 64 for line in sums)


def test_an_address_that_other_machines_can_reach_is_refused(mobilebench: Any) -> None:
    done = mobilebench("board", "start", "emulated-arm", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "--insecure-bind" in done.stderr
