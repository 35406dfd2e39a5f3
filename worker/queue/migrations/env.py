"""Alembic runs this: the steps go over the connection, and in the transaction, that migrate.py opened."""

from alembic import context

from worker.queue.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
