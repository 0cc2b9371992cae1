"""Runs migrations on the connection that `migrations.upgrade` hands over. Alembic executes this file."""

from alembic import context

from skiagraph.index import schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
