"""/fleet with a real queue database behind it: its figures, its trouble, and a database that is not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.webapp.sample import write_sample
from tests.worker.jobqueue.helpers import add, claim
from webapp import create_app
from webapp.settings import read_settings
from worker.jobqueue import open_queue

Fleet = Callable[[str], FlaskClient]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    def open_fleet(url: str) -> FlaskClient:
        write_sample(tmp_path / "state")
        settings = read_settings(state_dir=tmp_path / "state", fleet_database_url=url)
        return create_app(settings, poll=False).test_client()

    return open_fleet


def test_the_queues_figures_are_on_the_page(fleet: Fleet, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = open_queue(url)
    add(queue, "run-<b>1", 10, chunk_images=2)
    claim(queue)
    queue.fail(claim(queue), "StorageError: <script>")
    html = fleet(url).get("/fleet").text
    for text in ("Chunks pending", "Images a second", "run-&lt;b&gt;1", "Active chunks"):
        assert text in html
    assert "<script>" not in html.split("<main")[1]


def test_a_queue_that_cannot_be_read_is_told_and_graphites_figures_stay(fleet: Fleet, tmp_path: Path) -> None:
    answer = fleet(f"sqlite:///{tmp_path}/absent.db").get("/fleet")
    assert answer.status_code == 200
    assert "its figures cannot be read" in answer.text
    assert "worker-1" in answer.text
    assert not (tmp_path / "absent.db").exists()
