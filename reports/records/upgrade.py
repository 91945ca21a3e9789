"""How an older store becomes one of today: Alembic runs the migrations that it lacks."""

import threading
from pathlib import Path

import sqlalchemy as sa

from mobilebench.reports.records.schema import SCHEMA_VERSION, VERSION

OLDEST_VERSION = 4
"""The oldest schema that can be brought up to date."""
_NUMBERED = sa.table("mobilebench_schema", sa.column("version"))  # a store's version up to 6
_ONE_AT_A_TIME = threading.Lock()  # Alembic's state is the process's


def is_store(connection: sa.Connection) -> bool:
    """Whether a database has a store in it, of whichever version."""
    tables = sa.inspect(connection).get_table_names()
    return VERSION.name in tables or _NUMBERED.name in tables


def version_of(connection: sa.Connection) -> str:
    """Return the version of a store's schema; `None` if the table of it is empty."""
    named = sa.inspect(connection).has_table(VERSION.name)
    column = VERSION.c.version_num if named else _NUMBERED.c.version
    return str(connection.scalar(sa.select(column)))


def is_known(version: str) -> bool:
    """Whether a store of that version is one of today or can become one."""
    return version.isdecimal() and OLDEST_VERSION <= int(version) <= SCHEMA_VERSION


def upgrade(connection: sa.Connection) -> None:
    """Bring a store of a known version up to date, in the transaction that is open."""
    version = version_of(connection)
    if version == str(SCHEMA_VERSION):
        return
    from alembic import command
    from alembic.config import Config

    VERSION.create(connection, checkfirst=True)
    if int(version) > OLDEST_VERSION and not connection.scalar(sa.select(VERSION.c.version_num)):
        connection.execute(VERSION.insert().values(version_num=version))
    config = Config(attributes={"connection": connection})
    folder = Path(__file__).with_name("migrations")
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    with _ONE_AT_A_TIME:
        command.upgrade(config, "head")
