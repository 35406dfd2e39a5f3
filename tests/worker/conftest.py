"""Fixtures of the worker's tests in several folders."""

from __future__ import annotations

import pytest

from tests.services.postgres import Postgres
from tests.worker.queue.dialects import compile_once

compile_once()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def fleet_url(request: pytest.FixtureRequest) -> str:
    """Of a fleet's queue, in turn on both databases: "" stands for its own SQLite file."""
    if request.param == "sqlite":
        return ""
    server: Postgres = request.getfixturevalue("postgres")
    return server.create_database()
