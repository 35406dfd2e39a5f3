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
from worker.jobqueue import Result, open_queue

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


def test_the_latest_results_are_shown_whatever_they_are_called(fleet: Fleet, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = open_queue(url)
    hostile = "<img src=x onerror=alert(1)>"
    queue.add_directories(queue.add_batch("run", "/data"), [(hostile, ["a.png", "b.png"])], 2)
    claimed = claim(queue)
    queue.store(
        claimed,
        [
            Result(0, f"C{hostile}", ("C", "O"), (0.5, 0.25)),
            Result(1, None, error=f"TruncatedImage: {hostile}"),
        ],
    )
    html = fleet(url).get("/fleet").text
    table = html.split("Latest results</caption>")[1].split("</table>")[0]
    for text in ("C&lt;img", "37.5", "25", "TruncatedImage: &lt;img", "/a.png", "vm1"):
        assert text in table
    assert "<img" not in html


def test_a_queue_that_cannot_be_read_is_told_and_graphites_figures_stay(fleet: Fleet, tmp_path: Path) -> None:
    answer = fleet(f"sqlite:///{tmp_path}/absent.db").get("/fleet")
    assert answer.status_code == 200
    assert "its figures cannot be read" in answer.text
    assert "worker-1" in answer.text
    assert not (tmp_path / "absent.db").exists()
