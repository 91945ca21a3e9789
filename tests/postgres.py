"""A PostgreSQL server of the tests' own: it is started here, and nothing else is touched."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.waiting import HANG_S, wait_until

USER = "mobilebench"
_DEBIAN = "/usr/lib/postgresql"


def find_binaries() -> Path | None:
    """Return where initdb and postgres are: where Debian has them, newest first, or on the path."""
    versions = sorted(Path(_DEBIAN).glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = str(versions[-1]) if versions else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class PostgresServer:
    """A cluster in a new directory below /tmp, reached through a socket in it; no port is open."""

    def __init__(self, binaries: Path) -> None:
        """Make the cluster and start it."""
        # The path of a socket has room for 107 characters, and root's own temporary directories
        # are closed to others.
        self.directory = Path(tempfile.mkdtemp(prefix="mobilebench-pg-", dir="/tmp"))
        self._binaries = binaries
        self._user = _unprivileged()
        if self._user:
            shutil.chown(self.directory, self._user)
        self._databases = 0
        subprocess.run(
            [
                binaries / "initdb",
                *("--pgdata", self.directory / "data", "--username", USER),
                *("--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            user=self._user,
            cwd="/",
        )
        self.start()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with (self.directory / "log").open("a") as log:
            self._process = subprocess.Popen(
                [
                    self._binaries / "postgres",
                    *("-D", self.directory / "data", "-k", self.directory),
                    *("-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB"),
                ],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd="/",
            )
        wait_until(
            lambda: self._ask("SELECT 1") == 0 or not self.is_running, "PostgreSQL to answer"
        )
        if not self.is_running:
            raise RuntimeError((self.directory / "log").read_text())

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT ends its sessions, SIGQUIT leaves it to recover when started."""
        self._process.send_signal(how)
        self._process.wait(HANG_S)

    @property
    def is_running(self) -> bool:
        """Whether it was not stopped."""
        return self._process.poll() is None

    def remove(self) -> None:
        """Stop the server if it runs and delete the cluster."""
        if self.is_running:
            self.stop()
        shutil.rmtree(self.directory)

    def new_database(self) -> str:
        """Make an empty database and return the URL of a store in it."""
        self._databases += 1
        name = f"store{self._databases}"
        assert self._ask(f"CREATE DATABASE {name}") == 0
        return f"postgresql+psycopg://{USER}@/{name}?host={self.directory}"

    def _ask(self, statement: str) -> int:
        done = subprocess.run(
            [
                self._binaries / "psql",
                *("-h", self.directory, "-U", USER, "-d", "postgres", "-qc", statement),
            ],
            capture_output=True,
            check=False,
            cwd="/",
        )
        return done.returncode


def _unprivileged() -> str | None:
    """Return whom to start the server as: PostgreSQL refuses root."""
    return None if os.geteuid() else "postgres"
