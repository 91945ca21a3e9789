"""What Alembic runs to migrate a store: on the connection that the store has open."""

from alembic import context

from mobilebench.reports.records.schema import VERSION

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION.name,
)
context.run_migrations()
