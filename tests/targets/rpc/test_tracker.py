import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from mobilebench.targets.errors import BenchError, NoDeviceError
from mobilebench.targets.rpc import tracker as client
from mobilebench.targets.rpc.tracker import (
    Grant,
    Queue,
    Tracker,
    boards_of,
    parse_tracker,
    queues,
    request,
)
from tests.waiting import HANG_S, wait_until

LOOPBACK = "127.0.0.1"
MAGIC = struct.pack("<i", 0x2F271)
PUT, UPDATE_INFO = 3, 5  # tvm/rpc/base.py
NO_TRACKER = "the server there is no TVM RPC tracker"
# tvm-ffi imports torch where it finds it.
PROGRAM = (
    "import runpy, sys; sys.modules['torch'] = None; "
    "runpy.run_module('tvm.exec.rpc_tracker', run_name='__main__')"
)


class Board:
    """A server as far as a tracker sees one: it registers, and takes part in nothing else."""

    def __init__(self, tracker: Tracker, key: str, port: int = 9090) -> None:
        self.grant = Grant(LOOPBACK, port, f"{key}:0.{port}")
        self._connection = socket.create_connection((tracker.host, tracker.port), HANG_S)
        self._connection.sendall(MAGIC)
        assert self._take(4) == MAGIC
        self._say([UPDATE_INFO, {"key": f"server:{key}", "addr": [None, port]}])
        self._say([PUT, key, [port, self.grant.match_key], None])

    def close(self) -> None:
        self._connection.close()

    def _say(self, value: Any) -> None:
        self._connection.sendall(frame(value))
        assert json.loads(self._take(struct.unpack("<i", self._take(4))[0])) == 0

    def _take(self, size: int) -> bytes:
        return self._connection.recv(size, socket.MSG_WAITALL)


def frame(value: Any) -> bytes:
    data = json.dumps(value).encode()
    return struct.pack("<i", len(data)) + data


def free_address() -> Tracker:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return Tracker(*probe.getsockname())


@contextlib.contextmanager
def tracker_process(at: Tracker) -> Iterator[None]:
    """Start TVM's own tracker, which listens a few seconds later."""
    ports = ["--host", at.host, "--port", str(at.port), "--port-end", str(at.port + 1)]
    command = [sys.executable, "-c", PROGRAM, *ports]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True) as process:
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def listener(answer: Callable[[socket.socket], None]) -> Iterator[Tracker]:
    """Answer whoever connects to the address that is returned, one after the other."""

    def serve() -> None:
        with contextlib.suppress(OSError):  # the socket's end is the thread's
            while True:
                connection, _ = server.accept()
                with connection, contextlib.suppress(OSError):
                    answer(connection)

    with socket.create_server((LOOPBACK, 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Tracker(*server.getsockname())
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def answer_once(connection: socket.socket, value: Any) -> None:
    """Answer as a tracker the first request of a connection, unless the value is None."""
    connection.sendall(MAGIC)
    assert connection.recv(4, socket.MSG_WAITALL) == MAGIC
    if connection.recv(4096) and value is not None:
        connection.sendall(frame(value))


def listens(tracker: Tracker) -> bool:
    with contextlib.suppress(BenchError):
        queues(tracker)
        return True
    return False


def queue_of(tracker: Tracker, key: str) -> Queue | None:
    return next((queue for queue in queues(tracker) if queue.key == key), None)


@pytest.fixture(scope="session")
def tracker() -> Iterator[Tracker]:
    """Return TVM's own tracker, running."""
    address = free_address()
    with tracker_process(address):
        wait_until(lambda: listens(address), "the tracker to listen")
        yield address


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """Return a key that no other test uses."""
    return str(request.node.name)


@pytest.fixture
def register(tracker: Tracker, key: str) -> Iterator[Callable[..., Board]]:
    """Return what registers boards that go away with the test."""
    boards: list[Board] = []

    def register(port: int = 9090, key: str = key) -> Board:
        boards.append(Board(tracker, key, port))
        return boards[-1]

    yield register
    for board in boards:
        board.close()


@pytest.fixture
def beside() -> Iterator[Callable[..., Future[Grant]]]:
    """Return what asks for a board in another thread."""
    with ThreadPoolExecutor() as pool:
        yield lambda *arguments: pool.submit(request, *arguments)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:9190", "127.0.0.1", 9190),
        ("farm.local:1", "farm.local", 1),
        ("farm:65535", "farm", 65535),
        ("::1:9190", "::1", 9190),
    ],
)
def test_a_tracker_is_read_and_written_as_host_and_port(text: str, host: str, port: int) -> None:
    assert parse_tracker(text) == Tracker(host, port)
    assert str(parse_tracker(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", ":", "9190", "farm", "farm:", ":9190", "farm:0", "farm:65536", "farm:-1", "farm:http"],
)
def test_an_invalid_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BenchError) as refusal:
        parse_tracker(text)
    assert str(refusal.value) == f"tracker {text!r}: give it as HOST:PORT, e.g. 127.0.0.1:9190"


def test_the_boards_of_each_key_are_listed(
    tracker: Tracker, register: Callable[..., Board], key: str
) -> None:
    register(9092)
    register(9091)
    register(9093, key=f"{key}, another")
    assert queue_of(tracker, key) == Queue(key, (f"{LOOPBACK}:9091", f"{LOOPBACK}:9092"), 2, 0)
    assert boards_of(tracker, key) == (f"{LOOPBACK}:9091", f"{LOOPBACK}:9092")
    assert boards_of(tracker, f"{key}, another") == (f"{LOOPBACK}:9093",)
    keys = [queue.key for queue in queues(tracker)]
    assert keys == sorted(keys)


def test_a_key_without_boards_has_none(tracker: Tracker, key: str) -> None:
    assert queue_of(tracker, key) is None
    assert boards_of(tracker, key) == ()


def test_a_board_that_is_granted_is_registered_and_not_free(
    tracker: Tracker, register: Callable[..., Board], key: str
) -> None:
    board = register()
    assert request(tracker, key, HANG_S) == board.grant
    assert queue_of(tracker, key) == Queue(key, (f"{LOOPBACK}:9090",), 0, 0)


def test_a_board_that_went_away_is_no_longer_listed(
    tracker: Tracker, register: Callable[..., Board], key: str
) -> None:
    register(9091)
    register(9092).close()
    left = Queue(key, (f"{LOOPBACK}:9091",), 1, 0)
    wait_until(lambda: queue_of(tracker, key) == left, "the board that left to be forgotten")


def test_boards_are_granted_by_key(
    tracker: Tracker, register: Callable[..., Board], key: str
) -> None:
    other = register(9091, key=f"{key}, another")
    mine = register(9092)
    assert request(tracker, key, HANG_S) == mine.grant
    assert request(tracker, f"{key}, another", HANG_S) == other.grant


def test_a_request_waits_for_a_board_that_registers_later(
    tracker: Tracker,
    register: Callable[..., Board],
    beside: Callable[..., Future[Grant]],
    key: str,
) -> None:
    waiting = beside(tracker, key, HANG_S)
    asked = Queue(key, (), 0, 1)
    wait_until(lambda: queue_of(tracker, key) == asked, "the request to reach the tracker")
    assert not waiting.done()
    board = register()
    assert waiting.result(HANG_S) == board.grant


def test_without_a_board_the_wait_ends_with_where_to_look(tracker: Tracker, key: str) -> None:
    start = time.monotonic()
    with pytest.raises(NoDeviceError) as refusal:
        request(tracker, key, 0.3)
    assert time.monotonic() - start >= 0.3
    assert str(refusal.value) == (
        f"no board with key {key} at tracker {tracker} within 0.3 s (none became free); see "
        f"`mobilebench devices --tracker {tracker}`"
    )


def test_a_cancelled_request_does_not_take_the_next_board(
    tracker: Tracker, register: Callable[..., Board], key: str
) -> None:
    for _ in range(2):
        with pytest.raises(NoDeviceError):
            request(tracker, key, 0.1)
    board = register()
    free = Queue(key, (f"{LOOPBACK}:9090",), 1, 0)
    wait_until(lambda: queue_of(tracker, key) == free, "the given-up requests to be forgotten")
    assert request(tracker, key, HANG_S) == board.grant


def test_a_tracker_that_is_away_may_come_up_within_the_wait(
    beside: Callable[..., Future[Grant]], key: str
) -> None:
    address = free_address()
    waiting = beside(address, key, HANG_S)
    with tracker_process(address):
        wait_until(lambda: listens(address), "the tracker to listen")
        board = Board(address, key)
        try:
            assert waiting.result(HANG_S) == board.grant
        finally:
            board.close()


def test_a_tracker_that_goes_away_meanwhile_may_come_back(key: str) -> None:
    visits = 0

    def restarted_once(connection: socket.socket) -> None:
        nonlocal visits
        visits += 1
        answer_once(connection, [0, ["board", 9090, "a key"]] if visits > 1 else None)

    with listener(restarted_once) as address:
        assert request(address, key, HANG_S) == Grant("board", 9090, "a key")
    assert visits == 2


def test_a_board_that_is_granted_late_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_LEAST_WAIT_S", HANG_S)

    def grant_after_the_wait(connection: socket.socket) -> None:
        connection.sendall(MAGIC)
        connection.recv(4)
        if connection.recv(4096):
            wait_until(lambda: time.monotonic() > start + 0.1, "the wait to be over")
            connection.sendall(frame([0, ["board", 9090, "a key"]]))

    start = time.monotonic()
    with listener(grant_after_the_wait) as address:
        assert request(address, "k", 0.1) == Grant("board", 9090, "a key")


def test_a_refused_connection_is_reported_in_one_line() -> None:
    address = free_address()
    with pytest.raises(BenchError) as refusal:
        queues(address)
    assert str(refusal.value) == (
        f"tracker {address} does not answer: Connection refused; start it with `python -m "
        "tvm.exec.rpc_tracker`, or correct --tracker"
    )


def test_the_error_names_a_tracker_that_stays_away() -> None:
    address = free_address()
    reason = rf"within 0\.1 s \(tracker {address} does not answer: Connection refused; [^\n]*\)"
    with pytest.raises(NoDeviceError, match=rf"\Ano board with key k at [^\n]* {reason}"):
        request(address, "k", 0.1)


def test_an_unknown_host_is_reported() -> None:
    with pytest.raises(
        BenchError, match=r"tracker nosuch\.invalid:9190 does not answer: .*[Nn]ame"
    ):
        queues(Tracker("nosuch.invalid", 9190))


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"", "it closed the connection"),
        (b"220", "it closed the connection"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", NO_TRACKER),
        (MAGIC, "it closed the connection"),
        (MAGIC + struct.pack("<i", 100) + b"[0", "it closed the connection"),
        (MAGIC + struct.pack("<i", -1), NO_TRACKER),
        (MAGIC + struct.pack("<i", 2**31 - 1), NO_TRACKER),
        (MAGIC + struct.pack("<i", 4) + b"what", NO_TRACKER),
        (MAGIC + struct.pack("<i", 4) + b"\xff\xfe\xfd\xfc", NO_TRACKER),
    ],
    ids=["nothing", "short", "http", "magic", "half", "negative", "huge", "text", "no text"],
)
def test_another_server_is_reported_in_one_line(
    reply: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_RETRY_S", 0.05)

    def answer(connection: socket.socket) -> None:
        connection.sendall(reply)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass

    with listener(answer) as address:
        with pytest.raises(BenchError) as refusal:
            queues(address)
        with pytest.raises(NoDeviceError) as none:
            request(address, "k", 0.1)
    assert str(refusal.value).startswith(f"tracker {address} does not answer: {reason}; start it")
    assert f"({refusal.value})" in str(none.value)
    assert "\n" not in str(none.value)


@pytest.mark.parametrize("value", [3, "yes", [6], [0, None], [0, {}], {}], ids=json.dumps)
def test_unexpected_json_is_reported_in_one_line(value: Any) -> None:
    with (
        listener(lambda connection: answer_once(connection, value)) as address,
        pytest.raises(BenchError, match=r"\Atracker [^\n]*\Z"),
    ):
        queues(address)


@pytest.mark.parametrize(
    "value", [3, "yes", [4, "k", "", 1], [0, None], [0, ["host"]], {}], ids=json.dumps
)
def test_the_error_names_a_malformed_grant(value: Any) -> None:
    with (
        listener(lambda connection: answer_once(connection, value)) as address,
        pytest.raises(NoDeviceError, match=r"\Ano board [^\n]*\Z"),
    ):
        request(address, "k", 0.1)


def test_a_tracker_that_does_not_list_its_boards_is_refused() -> None:
    with (
        listener(lambda connection: answer_once(connection, [-1, None])) as address,
        pytest.raises(
            BenchError, match=f"tracker {address} does not answer: it refuses, with code -1"
        ),
    ):
        queues(address)


def test_a_silent_server_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_ANSWER_LIMIT_S", 0.1)
    reason = "does not answer: timed out; start it"
    with socket.create_server((LOOPBACK, 0)) as silent:
        address = Tracker(*silent.getsockname())
        with pytest.raises(BenchError, match=reason):
            queues(address)
        with pytest.raises(NoDeviceError, match=reason):
            request(address, "k", 0.1)
