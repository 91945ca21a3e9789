import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.devices.device import Device, DeviceState, require_flags
from mobilebench.targets.devices.probe import build_probe
from mobilebench.targets.errors import BenchError
from mobilebench.targets.rpc.local_server import HOST, LocalServer
from mobilebench.targets.toolchains.toolchain import find_toolchain
from tests.waiting import wait_until, wait_until_ended


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """Return a running server."""
    with LocalServer() as server:
        yield server


@pytest.fixture
def device(server: LocalServer, cache_dir: Path) -> Device:
    """Return a session on the server."""
    return session_on(server, cache_dir)


@pytest.fixture(scope="module")
def asked(cache_dir: Path) -> Iterator[Device]:
    """Return a session for tests that ask the device and change nothing there."""
    with LocalServer() as server:
        yield session_on(server, cache_dir)


def session_on(server: LocalServer, cache_dir: Path) -> Device:
    from tvm import rpc

    probe = build_probe(find_toolchain("host"), cache_dir)
    return Device(over(rpc.connect(HOST, server.port, server.key)), probe)


def over(session: Any) -> Any:
    """Return a connection that is already there."""
    return SimpleNamespace(session=session, address="")


def processes() -> list[psutil.Process]:
    """Return the servers that this process has started."""
    found = []
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if "mobilebench.targets.rpc.server_process" in process.cmdline():
                found.append(process)
    return found


def upload(device: Device, directory: Path, statement: str) -> str:
    """Send the device a library whose function `die` executes a C++ statement; return its name."""
    import tvm_ffi

    source = directory / "die.cc"
    source.write_text(
        "#include <tvm/ffi/tvm_ffi.h>\n#include <cstdlib>\n"
        f"static void Die() {{ {statement}; }}\n"
        "TVM_FFI_DLL_EXPORT_TYPED_FUNC(die, Die);\n"
    )
    library = directory / "die.so"
    include = str(tvm_ffi.libinfo.find_include_path())
    find_toolchain("host").compile_shared(library, source, ["-I", include])
    device.session.upload(str(library))
    return library.name


def test_it_listens_on_loopback_only(server: LocalServer) -> None:
    listening = [
        connection.laddr.ip
        for process in processes()
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == server.port
    ]
    assert set(listening) == {"127.0.0.1"}


def test_closing_ends_the_server_and_its_session_and_no_other(cache_dir: Path) -> None:
    before = set(processes())
    with LocalServer() as server:
        device = session_on(server, cache_dir)
        (first,) = set(processes()) - before
        sessions = first.children(recursive=True)
        assert sessions
        with LocalServer() as other:
            server.close()
            wait_until_ended(first, *sessions)
            assert other.session_end() is None
            assert len(set(processes()) - before) == 1
        assert set(processes()) == before
        del device


def test_the_server_ends_with_the_process_that_started_it() -> None:
    code = (
        "from mobilebench.targets.rpc.local_server import LocalServer\n"
        "s = LocalServer(); print(s.port); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    wait_until_ended(*children)


def test_a_wrong_key_is_refused(server: LocalServer) -> None:
    from tvm import rpc

    with pytest.raises(Exception, match="key"):
        rpc.connect(HOST, server.port, "another key")


def test_a_server_that_does_not_start_is_reported_with_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nread key\necho no module named tvm >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(BenchError, match="did not start: no module named tvm"):
        LocalServer()


@pytest.mark.parametrize(
    ("death", "end"), [("std::abort()", "by SIGABRT"), ("std::_Exit(3)", "with exit code 3")]
)
def test_a_crashed_session_is_reported_and_the_next_server_works(
    server: LocalServer, device: Device, cache_dir: Path, tmp_path: Path, death: str, end: str
) -> None:
    from tvm import rpc

    die = device.session.load_module(upload(device, tmp_path, death)).get_function("die")
    assert server.session_end() is None
    with pytest.raises(Exception, match=r".+"):
        die()
    wait_until(server.session_end, "the server to notice")
    assert server.session_end() == f"the process that ran the model ended {end}"
    with LocalServer() as following:
        probe = build_probe(find_toolchain("host"), cache_dir)
        again = Device(over(rpc.connect(HOST, following.port, following.key)), probe)
        assert again.resident_bytes()[0] > 0


def test_the_device_describes_itself(asked: Device) -> None:
    state = asked.state()
    assert state.host
    assert state.cpu_model
    assert state.cpu_cores is not None
    assert 1 <= state.cpu_cores <= psutil.cpu_count()
    assert state.memory_total_bytes == psutil.virtual_memory().total
    assert state.load_1m is not None
    assert 0 < state.calibration_ms < 10_000
    resident, peak = asked.resident_bytes()
    assert 10e6 < resident <= peak


@pytest.mark.parametrize("threads", [1, 2])
def test_fixed_kernels_are_timed_and_leave_no_memory_behind(device: Device, threads: int) -> None:
    device.forget_peak()
    _, before = device.resident_bytes()
    speeds = [device.machine_speed(threads) for _ in range(3)]
    for speed in speeds:
        assert speed is not None
        for taken in (speed.arithmetic_ms, speed.caches_ms, speed.memory_ms):
            assert 0 < taken < 10_000
        assert speed.others is None or speed.others >= 0
    assert device.resident_bytes()[1] < before + 4e6  # they read 8 MB


def test_the_heap_of_the_session_s_process_is_reported(device: Device) -> None:
    import tvm

    before = device.heap_bytes()
    if before is None:
        pytest.skip("needs glibc 2.33")
    kept = tvm.runtime.empty((40_000_000,), "uint8", device.session.cpu())
    taken = device.heap_bytes()
    assert taken is not None
    assert taken - before == pytest.approx(40_000_000, rel=0.05)
    del kept
    after = device.heap_bytes()
    assert after is not None
    assert after - before < 1_000_000


def test_instructions_are_not_counted_here(device: Device, tmp_path: Path) -> None:
    library = device.session.load_module(upload(device, tmp_path, "exit(1)"))
    assert device.instructions(library, "die", "") is None  # and it was not called
    assert device.resident_bytes()[0] > 0


def test_a_file_that_cannot_be_read_is_empty(asked: Device) -> None:
    assert asked.read_text("/nosuch") == ""


def test_a_device_without_the_target_s_instructions_is_refused(asked: Device) -> None:
    import dataclasses

    target = dataclasses.replace(find_target("native"), cpu_flags=("abacus",))
    state: DeviceState = asked.state()
    with pytest.raises(BenchError, match=r"lacks abacus; choose another target"):
        require_flags(target, state)
    require_flags(find_target("native"), state)


@pytest.mark.skipif(os.cpu_count() == 1, reason="needs two processors")
@pytest.mark.parametrize("threads", [1, 2])
def test_the_server_s_kernels_get_the_threads_asked_for(threads: int) -> None:
    from tvm import rpc

    with LocalServer(threads) as server:
        session = rpc.connect(HOST, server.port, server.key)
        assert session.get_function("runtime.NumThreads")() == threads


@pytest.mark.skipif(os.cpu_count() == 1, reason="needs two processors")
def test_threads_run_on_the_cores_that_a_target_names(cache_dir: Path) -> None:
    from tvm import rpc

    probe = build_probe(find_toolchain("host"), cache_dir)
    with LocalServer(2) as server:
        device = Device(over(rpc.connect(HOST, server.port, server.key)), probe)
        device.set_threads(1, (1, 0))
        assert _allowed(device.read_text("/proc/thread-self/status")) == "1"
        device.set_threads(2, (0, 1))
        assert _allowed(device.read_text("/proc/thread-self/status")) == "0"
        with pytest.raises(BenchError, match="it has no core 1000; correct the target's cores"):
            device.set_threads(1, (1000,))


def test_more_threads_than_the_server_has_are_refused(asked: Device) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two CPUs")
    with pytest.raises(BenchError, match="TVM has 1 threads there, not 2; ask for fewer"):
        asked.set_threads(2)


def test_more_threads_than_cpus_are_refused(asked: Device) -> None:
    cpus = len(os.sched_getaffinity(0))
    with pytest.raises(BenchError, match=rf"1000 threads were asked for.*ask for {cpus} at most"):
        asked.set_threads(1000)


@pytest.fixture(params=["first", "last"])
def one_cpu(request: pytest.FixtureRequest) -> Iterator[int]:
    """Have this process, and the servers that it starts, one CPU to run on; return its number."""
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("needs two CPUs")
    cpu = min(allowed) if request.param == "first" else max(allowed)
    os.sched_setaffinity(0, {cpu})
    yield cpu
    os.sched_setaffinity(0, allowed)


def test_kernels_run_where_the_server_may_run(one_cpu: int, cache_dir: Path) -> None:
    with LocalServer(1) as server:
        device = session_on(server, cache_dir)
        state = device.state()
        assert state.cpu_cores == 1
        assert state.allowance.cpus == (one_cpu,)
        device.set_threads(1)
        assert _allowed(device.read_text("/proc/thread-self/status")) == str(one_cpu)
        with pytest.raises(BenchError, match=r"2 threads .*may use 1 CPU of .*, or let it"):
            device.set_threads(2)
        other = next(cpu for cpu in state.allowance.online if cpu != one_cpu)
        with pytest.raises(BenchError, match=rf"it may not use core {other}, which the target"):
            device.set_threads(1, (other,))


def _allowed(status: str) -> str:
    (line,) = (line for line in status.splitlines() if line.startswith("Cpus_allowed_list"))
    return line.split()[1]
