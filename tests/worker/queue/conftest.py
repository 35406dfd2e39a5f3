"""One suite, both databases: `queue_url` is an empty database, `queue` a queue in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.postgres import Postgres
from tests.worker.queue.helpers import LEASE_S, queue_at
from worker.queue import Queue, QueuePolicy

RULES = QueuePolicy(lease_s=LEASE_S, attempts=3, backoff_s=10, patience_s=10)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def queue_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'queue.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.empty_database()


@pytest.fixture
def queue(queue_url: str) -> Iterator[Queue]:
    opened = queue_at(queue_url, RULES)
    yield opened
    opened.close()
