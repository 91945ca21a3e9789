"""A client of a farm's RPC tracker: lists its boards and requests free ones.

It speaks the protocol of `tvm/rpc/tracker.py`: a magic number, then frames of a length and JSON.
TVM's own client waits forever, does not report which board it got, and imports TVM.
"""

import json
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mobilebench.targets.errors import BenchError, NoDeviceError

DEFAULT_PORT = 9190
_MAGIC = 0x2F271  # tvm/rpc/base.py
_SUCCESS, _REQUEST, _SUMMARY = 0, 4, 6  # TrackerCode there
_CONNECT_LIMIT_S = 10.0
_ANSWER_LIMIT_S = 30.0
_LEAST_WAIT_S = 1.0
_RETRY_S = 0.5
# A host's name that is none, a connection that fails, and answers of another shape.
_TROUBLE = (OSError, UnicodeError, ValueError, TypeError, KeyError, AttributeError)
_LONGEST_FRAME = 64 * 1024 * 1024


@dataclass(frozen=True)
class Tracker:
    """Where a tracker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Queue:
    """The boards of one key."""

    key: str
    boards: tuple[str, ...]  # HOST:PORT of each that is registered
    free: int  # how many of them have no session
    waiting: int  # requests that wait for one


@dataclass(frozen=True)
class Grant:
    """A board that the tracker has reserved for a request."""

    host: str
    port: int
    match_key: str


def parse_tracker(text: str) -> Tracker:
    """Read HOST:PORT; raises BenchError for anything else."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):  # as an IPv6 address is set apart from a port
        host = host[1:-1]
    good = colon and host and not set(host) & set("/[] ")
    if not (good and port.isdecimal() and 0 < int(port) < 65536):
        raise BenchError(f"tracker {text!r}: give it as HOST:PORT, e.g. 127.0.0.1:{DEFAULT_PORT}")
    return Tracker(host, int(port))


def queues(tracker: Tracker) -> list[Queue]:
    """Return the boards of every key; raises BenchError if the tracker does not answer."""
    try:
        with _connected(tracker) as connection:
            _send(connection, [_SUMMARY])
            return _queues(_receive(connection))
    except _TROUBLE as error:
        raise BenchError(_unreachable(tracker, error)) from error


def _queues(answer: Any) -> list[Queue]:
    code, found = answer
    if code != _SUCCESS:
        raise ConnectionError(f"it refuses, with code {code}")
    boards: dict[str, list[str]] = {}
    for server in found["server_info"]:
        host, port = server["addr"]
        boards.setdefault(server["key"].removeprefix("server:"), []).append(f"{host}:{port}")
    counts = found["queue_info"]
    return [
        Queue(
            key,
            tuple(sorted(boards.get(key, ()))),
            counts.get(key, {}).get("free", 0),
            counts.get(key, {}).get("pending", 0),
        )
        for key in sorted({*boards, *counts})
    ]


def boards_of(tracker: Tracker, key: str) -> tuple[str, ...]:
    """Return the registered boards of a key; raises BenchError if the tracker does not answer."""
    return next((queue.boards for queue in queues(tracker) if queue.key == key), ())


def request(tracker: Tracker, key: str, wait_s: float) -> Grant:
    """Return the next free board of a key.

    A tracker that is away or goes away meanwhile may come back within the wait. Raises
    NoDeviceError if there is no board by then.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            with _connected(tracker) as connection:
                _send(connection, [_REQUEST, key, "", 1])
                # What is asked for is waited for: a board granted to nobody is busy for a while.
                left = max(deadline - time.monotonic(), _LEAST_WAIT_S)
                if select.select([connection], [], [], left)[0]:
                    return _grant(_receive(connection))
                reason = "none became free"
        except _TROUBLE as error:
            reason = _unreachable(tracker, error)
        if time.monotonic() + _RETRY_S >= deadline:
            raise NoDeviceError(
                f"no board with key {key} at tracker {tracker} within {wait_s:g} s ({reason}); see "
                f"`mobilebench devices --tracker {tracker}`"
            )
        time.sleep(_RETRY_S)


def _grant(answer: Any) -> Grant:
    code, value = answer
    if code != _SUCCESS:
        raise ConnectionError(f"it refuses, with code {code}")
    host, port, match_key = value
    return Grant(host, port, match_key)


@contextmanager
def _connected(tracker: Tracker) -> Iterator[socket.socket]:
    address = (tracker.host, tracker.port)
    with socket.create_connection(address, _CONNECT_LIMIT_S) as connection:
        connection.settimeout(_ANSWER_LIMIT_S)
        connection.sendall(struct.pack("<i", _MAGIC))
        if struct.unpack("<i", _take(connection, 4))[0] != _MAGIC:
            raise ConnectionError("the server there is no TVM RPC tracker")
        yield connection


def _send(connection: socket.socket, value: Any) -> None:
    data = json.dumps(value).encode()
    connection.sendall(struct.pack("<i", len(data)) + data)


def _receive(connection: socket.socket) -> Any:
    (size,) = struct.unpack("<i", _take(connection, 4))
    if not 0 < size < _LONGEST_FRAME:
        raise ConnectionError("the server there is no TVM RPC tracker")
    try:
        return json.loads(_take(connection, size))
    except ValueError as error:
        raise ConnectionError("the server there is no TVM RPC tracker") from error


def _take(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("it closed the connection")
        data += part
    return data


def _unreachable(tracker: Tracker, error: Exception) -> str:
    if isinstance(error, OSError):
        reason = error.strerror or str(error) or type(error).__name__
    elif isinstance(error, UnicodeError):
        reason = "there is no host of this name"
    else:
        reason = "the server there is no TVM RPC tracker"
    return (
        f"tracker {tracker} does not answer: {reason}; start it with `python -m "
        "tvm.exec.rpc_tracker`, or correct --tracker"
    )
