"""`/health?detail=1`: active chunks, the queue's state and Azure's figures, for who proves an identity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cloud_monitor import __version__
from cloud_monitor.metrics.paths import build_path
from tests.webapp.sample import NOW, clock, sample_values
from tests.worker.queue.helpers import add, claim, queue_at
from webapp import create_app
from webapp.model.snapshot_view import PollOutcome
from webapp.model.tree import Value
from webapp.poll.state_files import Polled, write_outcome, write_polled
from webapp.settings import read_settings

TOKEN = "a-token-of-anna-0123456789"


def client_of(folder: Path, **given: Any) -> FlaskClient:
    now = NOW + 20.0
    minute = NOW // 60 * 60
    azure = [
        Value(build_path("azure_vm_cpu_pct", grid="belle", vm="w1"), 42.5, minute),
        Value(build_path("azure_vm_cpu_pct", grid="belle", vm="w2"), 1.0, minute - 900),
        Value(build_path("azure_storage_used_mb", grid="belle", account="r"), 5000.0, minute),
        Value(build_path("azure_quota_used", grid="belle", place="west", quota="cores"), 90.0, minute),
        Value(build_path("azure_age", grid="belle"), 60.0, minute),
    ]
    (folder / "tokens").write_text(f"anna {TOKEN}\n")
    write_polled(folder, Polled(now, [*sample_values(now), *azure]))
    write_outcome(folder, PollOutcome(attempted_at=now, finished_at=now, succeeded_at=now))
    settings = read_settings(state_dir=folder, token_file=folder / "tokens", **given)
    return create_app(settings, poll=False, clock=clock).test_client()


def detail_of(client: FlaskClient) -> Any:
    answer = client.get("/health?detail=1", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    return answer.get_json()["detail"]


def test_it_tells_what_runs(tmp_path: Path) -> None:
    assert client_of(tmp_path).get("/health").get_json()["version"] == __version__


def test_what_graphite_knows(tmp_path: Path) -> None:
    detail = detail_of(client_of(tmp_path))
    assert detail["active_chunks"] == 8, "of the two grids that are not silent"
    assert detail["queue"] is None
    belle = detail["grids"]["belle"]
    assert belle["chunks"] == {"pending": 10, "active": 4, "done": 120}
    assert belle["azure"] == {
        "vms": {"w1": {"cpu_pct": 42.5}},
        "storage": {"r": {"used_mb": 5000.0}},
        "quotas": {"west": {"cores": {"used": 90.0}}},
        "age_s": 60.0,
    }
    assert detail["grids"]["quiet"]["chunks"] == {}


def test_what_the_queue_says_itself(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = queue_at(url)
    add(queue, "run", 10, chunk_images=5)
    claim(queue)
    queue.close()
    detail = detail_of(client_of(tmp_path, fleet_database_url=url))
    assert (detail["active_chunks"], detail["queue"]["error"]) == (1, None)
    assert detail["queue"]["chunks"]["pending"] == 1
    gone = detail_of(client_of(tmp_path, fleet_database_url=f"sqlite:///{tmp_path}/no.db"))
    assert gone["active_chunks"] is None
    assert "no.db" in gone["queue"]["error"]


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("?detail=1", {}, 401),
        ("?detail=1", {"Authorization": "Bearer wrong-token-0123456789"}, 401),
        ("?detail=1", {"Authorization": f"Bearer {TOKEN}", "Sec-Fetch-Site": "cross-site"}, 403),
        ("?detail=2", {"Authorization": f"Bearer {TOKEN}"}, 400),
        ("?detail=0", {}, 200),
        ("", {}, 200),
    ],
)
def test_nothing_of_it_without_a_proof(
    tmp_path: Path, query: str, headers: dict[str, str], status: int
) -> None:
    answer = client_of(tmp_path).get(f"/health{query}", headers=headers)
    assert answer.status_code == status
    assert "detail" not in answer.get_json()


def test_where_nobody_may_change_anything_nobody_sees_it(tmp_path: Path) -> None:
    client_of(tmp_path)
    client = create_app(read_settings(state_dir=tmp_path), poll=False, clock=clock).test_client()
    assert client.get("/health?detail=1").status_code == 403


def test_azures_tables_are_on_the_grids_page_with_what_is_old_marked(tmp_path: Path) -> None:
    html = client_of(tmp_path).get("/grids/belle").get_data(as_text=True)
    vms = html.split("Azure: VMs</caption>")[1].split("</table>")[0]
    assert 'data-m="azure.vms.$.cpu_pct"' in vms
    assert ">42.5" in vms
    row = vms.split('<tr data-t="w2"')[1].split("<tr")[0]
    assert "15 min" in row, "an old figure is shown with its age"
    assert 'data-t="west.cores"' in html.split("Azure: quotas</caption>")[1].split("</table>")[0]
    assert "Azure: VMs" not in client_of(tmp_path).get("/grids/atlas").get_data(as_text=True)
