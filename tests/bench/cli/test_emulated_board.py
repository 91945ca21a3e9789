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
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.emulated.board import make_board
from mobilebench.targets.emulated.running import running_file
from tests.waiting import wait_until_ended

VARIANTS = ("mobilenet_v2_0.35_32", "mobilenet_v2_0.35_96")
SELECTED = [argument for name in VARIANTS for argument in ("--variant", name)]
TOOLS = ("debootstrap", "qemu-aarch64-static")

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
    stop_boards(find_target("emulated-arm"), cache_dir)


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


def test_downloads_are_kept_with_their_checksums(cache_dir: Path) -> None:
    said: list[str] = []
    launcher = make_board(cache_dir, said.append)
    assert said == []  # it was there
    sums = (launcher.parent / "packages.sha256").read_text().splitlines()
    assert any("libpython3.11-stdlib" in line for line in sums)
    assert all(len(line.split()[0]) == 64 for line in sums)


def test_an_address_that_other_machines_can_reach_is_refused(mobilebench: Any) -> None:
    done = mobilebench("board", "start", "emulated-arm", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "--insecure-bind" in done.stderr
