"""Alembic's steps from one schema to the next, run by worker/queue/database/migrate.py."""
