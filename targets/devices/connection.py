"""A session on a device: on a fresh server of this machine, or on a board that a tracker grants."""

import time
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from mobilebench.targets.catalog.target import OPENCL, Target
from mobilebench.targets.devices.farm import Farm
from mobilebench.targets.errors import DeviceLostError
from mobilebench.targets.opencl.server import start_server
from mobilebench.targets.rpc.local_server import HOST, LocalServer
from mobilebench.targets.rpc.tracker import Grant, request

_LOG_LIMIT_S = 30.0  # time for a server to log that its child process died
_POLL_S = 0.05


class Connection(Protocol):
    """A live session, as TVM's RPCSession, and where it is."""

    session: Any
    address: str  # HOST:PORT of a board; empty for this machine

    def ended(self) -> str | None:
        """Return why the session ended; None if it is still open."""

    def close(self) -> None:
        """End the session."""


class LocalConnection:
    """A session on a server of this machine."""

    address = ""

    def __init__(self, server: LocalServer) -> None:
        from tvm import rpc

        self._server = server
        self.session = rpc.connect(HOST, server.port, server.key)

    def ended(self) -> str | None:
        """Return how the session's process died, once the server has noticed."""
        if _answers(self.session):
            return None
        end = time.monotonic() + _LOG_LIMIT_S
        while (how := self._server.session_end()) is None and time.monotonic() < end:
            time.sleep(_POLL_S)
        return how or "the session ended, and its server does not say why"

    def close(self) -> None:
        """End the session: the last reference to it goes."""
        del self.session


class BoardConnection:
    """A session on a board, which is free again when the session ends."""

    def __init__(self, farm: Farm, grant: Grant) -> None:
        """Connect to a board that the tracker has granted.

        Raises DeviceLostError if it went away before the session began.
        """
        from tvm import rpc

        self.address = f"{grant.host}:{grant.port}"
        try:
            self.session = rpc.connect(
                grant.host, grant.port, grant.match_key, session_timeout=int(farm.session_s)
            )
        except Exception as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise DeviceLostError(
                f"board {self.address} does not accept a session: {reason}"
            ) from error

    def ended(self) -> str | None:
        """Test the session with a small request to the board."""
        if _answers(self.session):
            return None
        return (
            f"the session on board {self.address} ended: the model crashed there, or the board "
            "went away"
        )

    def close(self) -> None:
        """End the session: the last reference to it goes."""
        del self.session


def _answers(session: Any) -> bool:
    """Whether a session still answers a small request."""
    try:
        session.get_function("runtime.NumThreads")()
    except Exception:
        return False
    return True


class Connector:
    """Connects to a target's device: first it waits for a board, then it opens a session.

    These are two steps because each has its own time limit. This machine's server is kept from
    session to session, until a crash has made it useless.
    """

    def __init__(self, target: Target, threads: int, farm: Farm | None, cache_dir: Path) -> None:
        self._target = target
        self._threads = threads
        self._farm = farm
        self._cache_dir = cache_dir
        self._grant: Grant | None = None
        self._server: LocalServer | None = None

    def wait(self) -> None:
        """Reserve a board; raises NoDeviceError if none is free within the farm's wait."""
        if self._farm is not None:
            # A board waits for a few seconds for whom it was granted to, and TVM is slow to import.
            import_module("tvm.rpc")
            self._grant = request(self._farm.tracker, self._target.tracker_key, self._farm.wait_s)

    def connect(self) -> Connection:
        """Open a session on the reserved board, or on this machine."""
        if self._farm is not None and self._grant is not None:
            return BoardConnection(self._farm, self._grant)
        if self._server is None or self._server.session_end():
            self.close()
            self._server = self._start()
        return LocalConnection(self._server)

    def _start(self) -> LocalServer:
        if self._target.device_type == OPENCL:
            return start_server(self._threads, self._cache_dir)
        return LocalServer(self._threads)

    def close(self) -> None:
        """End this machine's server, if there is one."""
        if self._server:
            self._server.close()
