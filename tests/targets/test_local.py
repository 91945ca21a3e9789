import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from targets.device import Device, DeviceState, require_flags
from targets.errors import BenchError
from targets.local import HOST, LocalServer
from targets.probe import build_probe
from targets.target import find_target
from targets.toolchain import find_toolchain


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """Return a running server."""
    with LocalServer() as server:
        yield server


@pytest.fixture
def device(server: LocalServer, tmp_path: Path) -> Any:
    """Return a session on the server."""
    from tvm import rpc

    probe = build_probe(find_toolchain("host"), tmp_path)
    return Device(rpc.connect(HOST, server.port, server.key), probe)


def processes() -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if "targets.rpc_server" in process.cmdline():
                found.append(process)
    return found


def test_it_listens_on_loopback_only(server: LocalServer) -> None:
    listening = [
        connection.laddr.ip
        for process in processes()
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == server.port
    ]
    assert set(listening) == {"127.0.0.1"}


def test_closing_ends_the_server_and_its_session(server: LocalServer, device: Device) -> None:
    children = [child for one in processes() for child in one.children(recursive=True)]
    assert children
    server.close()
    gone, alive = psutil.wait_procs([*children, *processes()], timeout=10)
    assert gone
    assert not alive


def test_the_server_ends_with_the_process_that_started_it() -> None:
    code = "from targets.local import LocalServer; s = LocalServer(); print(s.port); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_a_wrong_key_is_turned_away(server: LocalServer) -> None:
    from tvm import rpc

    with pytest.raises(Exception, match="key"):
        rpc.connect(HOST, server.port, "another key")


def test_the_device_describes_itself(device: Device) -> None:
    state = device.state()
    assert state.host
    assert state.cpu_model
    assert state.cpu_cores is not None
    assert 1 <= state.cpu_cores <= psutil.cpu_count()
    assert state.memory_total_bytes == psutil.virtual_memory().total
    assert state.load_1m is not None
    assert 0 < state.calibration_ms < 10_000
    resident, peak = device.resident_bytes()
    assert 10e6 < resident <= peak


def test_a_file_that_cannot_be_read_is_empty(device: Device) -> None:
    assert device.read_text("/nosuch") == ""


def test_a_device_without_the_target_s_instructions_is_refused(device: Device) -> None:
    import dataclasses

    target = dataclasses.replace(find_target("native"), cpu_flags=("abacus",))
    state: DeviceState = device.state()
    with pytest.raises(BenchError, match=r"lacks abacus; choose another target"):
        require_flags(target, state)
    require_flags(find_target("native"), state)
