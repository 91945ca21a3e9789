"""Runs on a farm: real boards behind a real tracker, and what happens to them meanwhile."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.bundle.bundle import open_bundle
from mobilebench.bench.bundle.manifest import MANIFEST
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.reports.errors import ReportError
from mobilebench.reports.records.record import Record
from mobilebench.reports.records.store import Store
from mobilebench.schedules.databases.database import directories
from mobilebench.targets.catalog.target import read_target
from mobilebench.targets.rpc import tracker
from mobilebench.targets.rpc.tracker import Tracker
from tests.bundles import reseal
from tests.farm import KEY, RealFarm, free_port
from tests.waiting import HANG_S, wait_until

VARIANTS = tuple(f"mobilenet_v2_0.35_{size}_t1" for size in (32, 64, 96, 48))  # quick to build
UNKNOWN_KEY = "a-key-of-no-target"
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[RealFarm]:
    """Return a tracker without boards that a test may disturb; a target file lies in `tmp_path`."""
    (tmp_path / "board.toml").write_text(_target(KEY))
    directory = tmp_path / "farm"
    directory.mkdir()
    with RealFarm(directory) as farm:
        yield farm


@pytest.fixture(scope="module")
def quiet_farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealFarm]:
    """Return a tracker for tests that ask; its one board has a key that no target has."""
    with RealFarm(tmp_path_factory.mktemp("farm")) as farm:
        farm.add_board(UNKNOWN_KEY)
        yield farm


def _target(key: str, toolchain: str = "host", tvm: str = 'mcpu = "native"') -> str:
    return (
        'description = "a board"\ndevice_type = "cpu"\n'
        f'tracker_key = "{key}"\ntoolchain = "{toolchain}"\n'
        "cores = [0]\n"
        f'[tvm]\nkind = "llvm"\n{tvm}\n'
    )


def records(directory: Path) -> list[Record]:
    path = directory / "mobilebench.sqlite"
    if not path.exists():
        return []
    with Store(str(path)) as store:
        return store.records([run.run_id for run in store.runs()])


def run(tracker: Tracker, *more: str, variants: Sequence[str] = VARIANTS) -> tuple[str, ...]:
    selected = (argument for name in variants for argument in ("--variant", name))
    return ("run", "--target", "board.toml", "--tracker", str(tracker), *selected, *more)


def finish(process: "subprocess.Popen[str]") -> None:
    _, stderr = process.communicate(timeout=HANG_S)
    assert process.returncode == 0, stderr


def check_every_row_is_there_once(
    directory: Path, variants: Sequence[str] = VARIANTS
) -> list[Record]:
    found = records(directory)
    assert sorted(record.variant for record in found) == sorted(variants)
    assert all(record.status == "ok" for record in found)
    assert all(record.runtime == "tvm" for record in found)
    return found


def compile_beforehand(cache_dir: Path, directory: Path) -> None:
    options = BuildOptions(read_target(directory / "board.toml"), databases=directories())
    with BuildService(cache_dir, HANG_S) as service:
        for name in VARIANTS:
            variant = parse_variant(name)
            service.build(service.to_onnx(variant, Weights()), options)


@pytest.mark.slow
def test_two_boards_of_one_key_work_at_once(
    farm: RealFarm, start: Start, cache_dir: Path, tmp_path: Path
) -> None:
    compile_beforehand(cache_dir, tmp_path)  # so that boards wait for nothing
    first, second = farm.add_board(), farm.add_board()
    process = start(*run(farm.tracker, "--effort", "standard"))

    def both_busy() -> bool:
        return all(
            board.log.read_text().count("connected from")
            > board.log.read_text().count("finish serving")
            for board in (first, second)
        )

    wait_until(both_busy, "both boards to be busy")
    finish(process)
    check_every_row_is_there_once(tmp_path)
    assert first.sessions() + second.sessions() == len(VARIANTS) + 1  # one was asked beforehand
    assert min(first.sessions(), second.sessions()) >= 2


@pytest.mark.slow
def test_a_board_that_is_killed_loses_nothing(farm: RealFarm, start: Start, tmp_path: Path) -> None:
    victim, survivor = farm.add_board(), farm.add_board()
    variants = VARIANTS[:3]
    process = start(*run(farm.tracker, variants=variants))
    wait_until(lambda: min(victim.sessions(), survivor.sessions()) >= 1, "a session on each board")
    wait_until(lambda: victim.sessions() + survivor.sessions() >= 3, "three sessions")
    victim.kill()
    finish(process)
    found = check_every_row_is_there_once(tmp_path, variants)
    for record in found:
        assert (record.retries > 0) == ("measured again because of" in record.warnings)


@pytest.mark.slow
def test_the_job_of_a_frozen_board_is_repeated_on_another_board(
    farm: RealFarm, start: Start, tmp_path: Path
) -> None:
    victim = farm.add_board()
    process = start(*run(farm.tracker, "--time-limit", "60"))
    wait_until(lambda: records(tmp_path), "the first row")
    before = victim.sessions()
    wait_until(lambda: victim.sessions() > before, "the next session")
    victim.freeze()  # with a job on it, and the tracker does not know
    farm.add_board()
    finish(process)
    found = check_every_row_is_there_once(tmp_path)
    (retried,) = (record for record in found if record.retries)
    assert "within 60 s" in retried.warnings, retried.warnings


@pytest.mark.slow
def test_a_tracker_that_goes_away_and_comes_back_is_survived(
    farm: RealFarm, start: Start, tmp_path: Path
) -> None:
    farm.add_board()
    process = start(*run(farm.tracker))
    wait_until(lambda: records(tmp_path), "the first row")
    farm.stop_tracker()
    farm.start_tracker()
    finish(process)
    check_every_row_is_there_once(tmp_path)


@pytest.mark.slow
def test_a_controller_killed_at_ten_moments_loses_and_repeats_nothing(
    farm: RealFarm, start: Start, cache_dir: Path, tmp_path: Path
) -> None:
    """Each run is killed and resumed until it is done; then the next one is."""
    compile_beforehand(cache_dir, tmp_path)
    farm.add_restarting_board()
    farm.add_restarting_board()
    moments = random.Random(7)
    killed = 0
    begun: set[str] = set()
    while killed < 10:
        unfinished = [one for one in runs(tmp_path) if len(done_of(tmp_path, one)) < len(VARIANTS)]
        process = start(*(("run", "--resume", "latest") if unfinished else run(farm.tracker)))
        try:
            process.wait(moments.uniform(0.5, 25))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.communicate()
        begun |= set(runs(tmp_path))
    for one in begun:
        found = done_of(tmp_path, one)
        assert sorted(set(found)) == sorted(found)
    if len(done_of(tmp_path, runs(tmp_path)[-1])) < len(VARIANTS):
        finish(start("run", "--resume", "latest"))
    assert all(sorted(done_of(tmp_path, one)) == sorted(VARIANTS) for one in runs(tmp_path))
    assert {record.status for record in records(tmp_path)} == {"ok"}


def runs(directory: Path) -> list[str]:
    path = directory / "mobilebench.sqlite"
    if not path.exists():
        return []
    try:
        with Store(str(path), create=False) as store:
            return [run.run_id for run in store.runs()]
    except ReportError:  # it was killed before there were tables
        return []


def done_of(directory: Path, run_id: str) -> list[str]:
    return [record.variant for record in records(directory) if record.run_id == run_id]


@pytest.mark.slow
def test_a_board_that_stays_lost_gives_a_failed_row_with_the_reason(
    farm: RealFarm, start: Start, tmp_path: Path
) -> None:
    board = farm.add_board()
    process = start(*run(farm.tracker, "--wait", "2"))
    wait_until(lambda: records(tmp_path), "the first row")
    board.kill()
    _, stderr = process.communicate(timeout=HANG_S)
    assert process.returncode == 1, stderr
    found = records(tmp_path)
    assert sorted(record.variant for record in found) == sorted(VARIANTS)
    lost = [record for record in found if record.status == "no_device"]
    assert lost
    assert all(f"no board with key {KEY}" in record.error for record in lost)


def test_devices_lists_boards_with_their_hardware_and_state(
    quiet_farm: RealFarm, mobilebench: Any
) -> None:
    (board,) = quiet_farm.boards
    arm = quiet_farm.add_board("android-arm64")  # it is none: its machine is an x86
    done = mobilebench("devices", "--tracker", quiet_farm.tracker, COLUMNS="250")
    assert done.returncode == 0, done.stderr
    (row,) = (line for line in done.stdout.splitlines() if board.address in line)
    assert "no target uses this key" in row
    assert "cannot load code for the target" in done.stdout
    arm.kill()


def refused(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 2, done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("mobilebench: ")
    assert "Traceback" not in done.stderr
    return line


def test_a_key_without_boards_is_reported_in_one_line(
    quiet_farm: RealFarm, mobilebench: Any, tmp_path: Path
) -> None:
    (tmp_path / "board.toml").write_text(_target(KEY))
    line = refused(mobilebench(*run(quiet_farm.tracker, "--wait", "1")))
    assert f"no board with key {KEY} at tracker {quiet_farm.tracker} within 1 s" in line
    assert records(tmp_path) == []


def test_a_missing_tracker_is_reported_in_one_line(mobilebench: Any, tmp_path: Path) -> None:
    (tmp_path / "board.toml").write_text(_target(KEY))
    nobody = Tracker("127.0.0.1", free_port())
    line = refused(mobilebench(*run(nobody, "--wait", "1")))
    assert f"tracker {nobody} does not answer: Connection refused" in line


def test_another_server_at_the_address_is_reported_in_one_line(
    mobilebench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracker, "_ANSWER_LIMIT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        line = refused(mobilebench("devices", "--tracker", address))
    assert f"tracker {address} does not answer" in line


def test_code_for_another_architecture_is_refused_in_one_line(
    quiet_farm: RealFarm, mobilebench: Any, tmp_path: Path
) -> None:
    arm = _target(
        UNKNOWN_KEY, "aarch64-android", 'mtriple = "aarch64-linux-android"\nmcpu = "cortex-a72"'
    )
    (tmp_path / "board.toml").write_text(arm)
    line = refused(mobilebench(*run(quiet_farm.tracker)))
    assert f"board {quiet_farm.boards[0].address}: it cannot load code for the target" in line


def test_another_version_of_tvm_is_refused_in_one_line(
    quiet_farm: RealFarm, mobilebench: Any, tmp_path: Path
) -> None:
    import tvm

    package = Path(tvm.__file__).parent
    copy = tmp_path / "packages" / "tvm"
    shutil.copytree(package, copy, copy_function=_link)
    version = copy / "_version.py"
    text = version.read_text()
    version.unlink()  # it is the original's file too
    version.write_text(text.replace(tvm.__version__, "0.26.0"))
    board = quiet_farm.add_board("old", environment={"PYTHONPATH": str(copy.parent)})
    (tmp_path / "board.toml").write_text(_target("old"))
    line = refused(mobilebench(*run(quiet_farm.tracker)))
    assert f"board {board.address}: it has TVM 0.26.0, this is {tvm.__version__}" in line


@pytest.mark.slow
def test_a_bundle_is_exported_verified_and_measured_on_a_board(
    quiet_farm: RealFarm, mobilebench: Any, tmp_path: Path
) -> None:
    (tmp_path / "board.toml").write_text(_target("bundles"))
    board, tracker = quiet_farm.add_board("bundles"), str(quiet_farm.tracker)
    command = ("export", "--variant", VARIANTS[0], "--target", "board.toml", "--out", "bundle")
    done = mobilebench(*command, "--tracker", tracker)
    assert done.returncode == 0, done.stderr
    (tmp_path / "board.toml").unlink()  # the bundle says what it needs
    bundle = open_bundle(tmp_path / "bundle")
    assert bundle.manifest.measured
    done = mobilebench("verify", "bundle", "--tracker", tracker)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("ok")
    done = mobilebench("run", "--bundle", "bundle", "--tracker", tracker)
    assert done.returncode == 0, done.stderr
    (record,) = records(tmp_path)
    assert (record.status, record.target, record.device) == (
        *("ok", "board", bundle.manifest.measured.device),
    )

    manifest = json.loads((tmp_path / "bundle" / MANIFEST).read_text())
    manifest["target"]["cpu_flags"] = ["amx_fp64"]
    (tmp_path / "bundle" / MANIFEST).write_text(json.dumps(manifest))
    reseal(tmp_path / "bundle")
    for arguments in (
        ("verify", "bundle", "--tracker"),
        ("run", "--bundle", "bundle", "--tracker"),
    ):
        assert "lacks amx_fp64" in refused(mobilebench(*arguments, tracker))
    board.kill()


def _link(source: str, destination: str) -> None:
    """Make a hard link where that is possible: TVM's libraries are large."""
    try:
        os.link(source, destination)
    except OSError:
        shutil.copy2(source, destination)
