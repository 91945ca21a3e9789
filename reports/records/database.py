"""The database behind a store: opening it, bringing it up to date, and what can go wrong in it."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event, exc

from mobilebench.reports.errors import ReportError
from mobilebench.reports.records import schema, upgrade

T = TypeVar("T")

SQLITE, POSTGRESQL = "sqlite", "postgresql"
LOST_WAIT_S = 300.0  # a server may take so long to come back
_PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0)  # between attempts; the last for all further ones
_UPGRADE_LOCK = 0x6D6F62696C65  # any number that other programs on the server do not choose
_DRIVERS = {SQLITE: "pysqlite", POSTGRESQL: "psycopg"}
_CONNECTING: dict[str, dict[str, float]] = {
    SQLITE: {"timeout": 30.0},  # seconds that another controller may write for
    POSTGRESQL: {  # a server that vanished without a word is noticed within a minute or so
        "connect_timeout": 10,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
    },
}
"""What a URL may say itself, after a question mark."""
_STOPPED = ("08", "57P01", "57P02", "57P03")  # SQLSTATE of a connection or a server that ends
_COLLIDED = ("40001", "40P01")  # of two transactions, one of which has to begin again
_NO_ROOM = ("disk is full", "disk I/O error", "No space left", "File too large")

logger = logging.getLogger("mobilebench")


class StoreDatabase:
    """One database of the schema of today, whose lost connections are waited for."""

    def __init__(self, url: str, create: bool, lost_wait_s: float = LOST_WAIT_S) -> None:
        """Open `url` (an SQLAlchemy URL, or the path of an SQLite file).

        Raises ReportError if it cannot be opened, is no database of a schema that is known, or
        does not exist and `create` is off.
        """
        self.url = url if "://" in url else f"sqlite:///{url}"
        self._lost_wait_s = lost_wait_s
        self._engine = self._make_engine(create)
        self._backend = self._engine.dialect.name
        with self._refusing():
            self._prepare(create)

    def _make_engine(self, create: bool) -> sa.Engine:
        try:
            url = sa.make_url(self.url)
            if url.password or "password" in url.query:  # it is told to nobody
                shown = url.difference_update_query(["password"])
                self.url = shown.render_as_string(hide_password=True)
            backend = url.get_backend_name()
            if url.drivername == backend and backend in _DRIVERS:
                url = url.set(drivername=f"{backend}+{_DRIVERS[backend]}")
            path = url.database or ":memory:"
            if backend == SQLITE and not create and not _exists(path):
                raise ReportError(f"store {self.url}: no such file; `mobilebench run` makes one")
            asked = {k: v for k, v in _CONNECTING.get(backend, {}).items() if k not in url.query}
            engine = sa.create_engine(url, connect_args=asked, pool_pre_ping=backend != SQLITE)
        except (exc.ArgumentError, ValueError) as error:
            raise ReportError(
                f"store {self.url}: not a database URL; give a path, sqlite:///PATH or "
                "postgresql://USER@HOST/DATABASE"
            ) from error
        except ImportError as error:
            package = (error.name or "").partition(".")[0] or _DRIVERS[POSTGRESQL]
            wanted = "'mobilebench[postgres]'" if package == _DRIVERS[POSTGRESQL] else package
            raise ReportError(
                f"store {self.url}: its driver is missing; pip install {wanted}"
            ) from error
        if backend == SQLITE:
            event.listen(engine, "connect", _configure_sqlite)
        return engine

    def _prepare(self, create: bool) -> None:
        """Make the tables, or bring them up to date: all at once, and once if several come."""
        with self._engine.begin() as connection:
            if create:
                self._lock(connection)
            if not upgrade.is_store(connection):
                if not create or sa.inspect(connection).get_table_names():
                    raise ReportError(
                        f"store {self.url}: is a database of something else; give another --store"
                    )
                schema.create(connection)
                return
            version = upgrade.version_of(connection)
        if not upgrade.is_known(version):
            raise ReportError(
                f"store {self.url}: has schema {version}, this mobilebench reads "
                f"{upgrade.OLDEST_VERSION} to {schema.SCHEMA_VERSION}; give another --store"
            )
        if version != str(schema.SCHEMA_VERSION):
            self._upgrade()

    def _upgrade(self) -> None:
        with self._engine.begin() as connection:
            if self._backend == SQLITE:  # a table that is made anew must not take others' rows
                connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            self._lock(connection)
            upgrade.upgrade(connection)
        self._engine.dispose()  # the next connection checks foreign keys again

    def _lock(self, connection: sa.Connection) -> None:
        """Have no other program make or upgrade this store before the transaction ends."""
        if self._backend == SQLITE:
            # Python's driver begins transactions late: without this a table made just before
            # a kill would stay alone, and two at once would make the same one.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        elif self._backend == POSTGRESQL:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_UPGRADE_LOCK)))

    def close(self) -> None:
        """Release the database."""
        self._engine.dispose()

    def read(self, ask: Callable[[sa.Connection], T]) -> T:
        """Return what `ask` answers; it is asked again if the connection was lost meanwhile."""
        return self._attempt(lambda _again: self._in(self._engine.connect, ask))

    def ask(self, query: sa.Executable) -> Sequence[Any]:
        """Return all rows that a query finds."""
        return self.read(lambda connection: connection.execute(query).all())

    def write(self, change: Callable[[sa.Connection, bool], T]) -> T:
        """Run `change` in one transaction and return its result.

        It is run again if the connection was lost meanwhile, and told so: nobody knows then
        whether the transaction before has come through.
        """
        return self._attempt(
            lambda again: self._in(self._engine.begin, lambda connection: change(connection, again))
        )

    @staticmethod
    def _in(open_it: Callable[[], Any], work: Callable[[sa.Connection], T]) -> T:
        with open_it() as connection:
            return work(connection)

    def _attempt(self, work: Callable[[bool], T]) -> T:
        end, attempts = time.monotonic() + self._lost_wait_s, 0
        while True:
            with self._refusing():
                try:
                    return work(attempts > 0)
                except exc.DBAPIError as error:
                    if not self._passes(error) or time.monotonic() >= end:
                        raise
                    if not attempts:
                        logger.warning(
                            "store %s: %s; waiting for it, %g s at most",
                            *(self.url, _line(error), self._lost_wait_s),
                        )
            time.sleep(_PAUSES_S[min(attempts, len(_PAUSES_S) - 1)])
            attempts += 1

    def _passes(self, error: exc.DBAPIError) -> bool:
        """Whether it may be well a moment later, with a new connection."""
        if self._backend == SQLITE:
            return False  # it has waited for locks by itself
        if error.connection_invalidated:
            return True
        state = getattr(error.orig, "sqlstate", None)
        if state is None:  # no server answered
            return isinstance(error, exc.OperationalError)
        return str(state).startswith((*_STOPPED, *_COLLIDED))

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except exc.SQLAlchemyError as error:
            raise ReportError(f"store {self.url}: {_line(error)}; {_advice(error)}") from error


def storable(value: Any) -> Any:
    """Return text without what a database refuses: a crashed process may have said anything."""
    if not isinstance(value, str) or (value.isascii() and "\0" not in value):
        return value
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _exists(path: str) -> bool:
    # What follows `file:` is a URI with a mode of its own.
    return path == ":memory:" or path.startswith("file:") or Path(path).exists()


def _line(error: exc.SQLAlchemyError) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())


def _advice(error: exc.SQLAlchemyError) -> str:
    text = _line(error)
    if any(sign in text for sign in _NO_ROOM):
        return "make room: what was written before is whole, and a run can be resumed"
    if "locked" in text:
        return "another program has been writing to it for too long"
    return "it must be a writable database or a path where one can be made"


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=FULL")  # a power cut must not cost a finished row
    connection.execute("PRAGMA foreign_keys=ON")
