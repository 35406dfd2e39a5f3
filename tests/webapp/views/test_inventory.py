"""How lists of VMs and jobs come in: who may send them, what is taken, what each refusal says."""

from __future__ import annotations

import gzip
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from cloud_monitor.inventory import LIST_BYTES_MAX
from tests.webapp.listings import TOKEN, job, listing, put_list, sample_list, vm, write_token
from tests.webapp.sample import NOW, clock, write_sample
from webapp import create_app
from webapp.inventory.payload import PACKED_BYTES_MAX
from webapp.settings import Settings


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    write_sample(tmp_path)
    return create_app(
        Settings(state_dir=tmp_path, inventory_token_file=write_token(tmp_path)), poll=False, clock=clock
    )


def kept(app: Flask, grid: str = "belle") -> Any:
    answer = app.test_client().get(f"/api/inventory/{grid}", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    return answer.json


def test_a_list_is_kept_and_told_to_the_collector_that_asks(app: Flask) -> None:
    assert kept(app) == {"taken_at": None, "vms": 0, "jobs": 0}
    answer = put_list(app, "belle", sample_list())
    assert (answer.status_code, answer.data) == (204, b"")
    assert kept(app) == {"taken_at": NOW, "vms": 12, "jobs": 4}
    assert kept(app, "atlas") == {"taken_at": None, "vms": 0, "jobs": 0}


def test_a_list_may_come_as_it_is(app: Flask) -> None:
    body = json.dumps(sample_list()).encode()
    assert put_list(app, "belle", body, **{"Content-Encoding": "identity"}).status_code == 204


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        f"Basic {TOKEN}",
        "Bearer x",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        "Bearer é\x00",
    ],
)
def test_only_who_knows_the_token_is_listened_to(app: Flask, header: str | None) -> None:
    headers = {"Content-Type": "application/json"} | ({} if header is None else {"Authorization": header})
    for method in ("put", "get"):
        answer = getattr(app.test_client(), method)("/api/inventory/belle", data=b"{}", headers=headers)
        assert answer.status_code == 401
        assert answer.json["error"]["code"] == "token_refused"
        assert TOKEN not in answer.text
    assert kept(app)["taken_at"] is None


def test_a_changed_token_file_counts_at_once(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "inventory-token").write_text("another\nand a comment\n")
    assert put_list(app, "belle", sample_list()).status_code == 401
    assert put_list(app, "belle", sample_list(), token="another").status_code == 204


def test_a_grid_may_have_tokens_of_its_own_and_several_at_once(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "inventory-token").write_text("belle old-1\nbelle new-1\natlas of-atlas\n* for-all\nword\n")
    for number, token in enumerate(("old-1", "new-1", "for-all")):
        assert put_list(app, "belle", sample_list(NOW + number), token=token).status_code == 204, token
    for token in ("of-atlas", "belle old-1", "belle", "word", "*", ""):
        assert put_list(app, "belle", sample_list(NOW + 9), token=token).status_code == 401, token
    assert put_list(app, "atlas", sample_list(), token="of-atlas").status_code == 204
    assert put_list(app, "atlas", sample_list(NOW + 1), token="old-1").status_code == 401


def test_each_list_is_on_record_with_whose_token_it_came_by(
    app: Flask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "inventory-token").write_text("belle of-belle\n* for-all\n")
    with caplog.at_level("INFO", "cloud_monitor.audit"):
        put_list(app, "belle", sample_list(), token="of-belle")
        put_list(app, "belle", sample_list(NOW + 1), token="for-all")
        put_list(app, "belle", sample_list(NOW + 2), token="wrong")
        put_list(app, "belle", sample_list(NOW - 60), token="for-all")  # older: not kept
    said = "(by token, from 127.0.0.1) put lists of belle: 4 jobs, 12 vms"
    assert [record.message for record in caplog.records if record.name == "cloud_monitor.audit"] == [
        f"collector:belle {said}",
        f"collector:* {said}",
    ]


def test_a_list_without_any_total_has_the_total_of_nothing(app: Flask) -> None:
    assert put_list(app, "belle", listing(jobs=[job("1.0")], jobs_total={})).status_code == 204
    (grid,) = app.test_client().get("/api/jobs").get_json()["grids"]
    assert (grid["total"], grid["listed"]) == (0, 1)


def test_without_the_setting_nothing_is_taken_and_nothing_made(tmp_path: Path) -> None:
    app = create_app(Settings(state_dir=tmp_path), poll=False, clock=clock)
    answer = put_list(app, "belle", sample_list())
    assert answer.status_code == 404
    assert "WEBAPP_INVENTORY_TOKEN_FILE is not set" in answer.json["error"]["message"]
    assert not (tmp_path / "inventory").exists()


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_token_file_that_says_nothing_lets_nobody_in(
    app: Flask, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "inventory-token"
    file.unlink()
    if content is not None:
        file.write_text(content)
    for token in ("", TOKEN, None):
        answer = put_list(app, "belle", sample_list(), token=token)
        assert answer.status_code == 503
        assert "WEBAPP_INVENTORY_TOKEN_FILE" in answer.json["error"]["message"]


WRONG: list[tuple[str, Any]] = [
    ("version", listing() | {"version": 2}),
    ("version", {"taken_at": NOW}),
    ("taken_at", listing() | {"taken_at": None}),
    ("taken_at", listing() | {"taken_at": "now"}),
    ("taken_at", listing() | {"taken_at": NOW + 0.5}),
    ("taken_at", listing() | {"taken_at": -1}),
    ("taken_at", listing() | {"taken_at": 10**18}),
    ("vms", listing(vms={})),
    ("vms.0", listing(vms=[7])),
    ("vms.0.host", listing(vms=[{"status": "running"}])),
    ("vms.1.host", listing(vms=[vm("a"), vm("")])),
    ("vms.0.host", listing(vms=[vm("a" * 301)])),
    ("jobs.0.types", listing(jobs=[job("1.0", types=["t"] * 101)])),
    ("vms.0.status", listing(vms=[vm("a", "up and running")])),
    ("vms.0.status", listing(vms=[vm("a", "running\n")])),
    ("vms.0.cloud", listing(vms=[vm("a", cloud="../etc")])),
    ("vms.0.busy_slots", listing(vms=[vm("a", busy_slots=-1)])),
    ("vms.0.slots", listing(vms=[vm("a", slots=10**30)])),
    ("vms.0.idle", listing(vms=[vm("a", idle="yes")])),
    ("vms.0.since", listing(vms=[vm("a", since=2**60)])),
    ("jobs.0.id", listing(jobs=[job(None)])),  # type: ignore[arg-type]
    ("jobs.0.types", listing(jobs=[job("1.0", types="sim")])),
    ("jobs.0.types.1", listing(jobs=[job("1.0", types=["sim", "a b"])])),
    ("jobs.0.hold_code", listing(jobs=[job("1.0", hold_code=True)])),
    ("jobs.0.hold_reason", listing(jobs=[job("1.0", hold_reason=["x"])])),
    ("jobs_total.held", listing(jobs_total={"held": -3})),
    ("body", []),
    ("body", "list"),
]


@pytest.mark.parametrize(("field", "body"), WRONG)
def test_a_wrong_field_is_named_and_nothing_is_kept(app: Flask, field: str, body: Any) -> None:
    put_list(app, "belle", listing(NOW - 60, [vm("before")]))
    answer = put_list(app, "belle", body)
    assert answer.status_code == 400
    assert answer.json["error"]["code"] == "list_refused"
    assert answer.json["error"]["message"].startswith(field)
    assert kept(app) == {"taken_at": NOW - 60, "vms": 1, "jobs": 0}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"version": 1, "taken_at": NaN}',
        b'{"version": 1, "taken_at": 1, "vms": [{"host": "\\ud800", "status": "up"}]}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
    ],
)
def test_what_is_no_json_is_refused(app: Flask, body: bytes) -> None:
    assert put_list(app, "belle", gzip.compress(body)).status_code == 400


def test_a_new_field_of_a_later_collector_is_no_fault(app: Flask) -> None:
    assert put_list(app, "belle", listing(vms=[vm("a", flavour="m1.large")], colour="red")).status_code == 204


def test_what_unpacks_to_more_than_fits_is_refused_before_it_is_unpacked(app: Flask) -> None:
    bomb = gzip.compress(b" " * (LIST_BYTES_MAX * 50))
    assert len(bomb) < PACKED_BYTES_MAX
    answer = put_list(app, "belle", bomb)
    assert (answer.status_code, answer.json["error"]["code"]) == (413, "list_too_large")
    assert put_list(app, "belle", os.urandom(PACKED_BYTES_MAX + 1)).status_code == 413
    plain = put_list(app, "belle", b" " * (LIST_BYTES_MAX + 1), **{"Content-Encoding": "identity"})
    assert plain.status_code == 413


@pytest.mark.parametrize("body", [b"{}", b"", gzip.compress(b'{"version": 1}', mtime=0)[:-9]])
def test_what_is_no_gzip_is_refused(app: Flask, body: bytes) -> None:
    answer = put_list(app, "belle", body)
    assert answer.status_code == 400
    assert "gzip" in answer.json["error"]["message"]


def test_other_types_and_encodings_are_refused(app: Flask) -> None:
    assert put_list(app, "belle", sample_list(), **{"Content-Type": "text/plain"}).status_code == 415
    assert put_list(app, "belle", sample_list(), **{"Content-Encoding": "br"}).status_code == 415


@pytest.mark.parametrize("grid", ["a.b", "..", "a%2Fb", "%00", "a b", "<script>", "x" * 101, "é"])
def test_only_a_grids_name_becomes_a_file(app: Flask, tmp_path: Path, grid: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert put_list(app, grid, sample_list()).status_code in (400, 404)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_older_list_is_refused_and_one_of_the_same_minute_replaces(app: Flask) -> None:
    put_list(app, "belle", listing(NOW, [vm("a"), vm("b")]))
    older = put_list(app, "belle", listing(NOW - 60, [vm("c")]))
    assert (older.status_code, older.json["error"]["code"]) == (409, "older_list")
    assert str(NOW) in older.json["error"]["message"]
    assert put_list(app, "belle", listing(NOW, [vm("a")])).status_code == 204
    assert kept(app)["vms"] == 1


def test_a_clock_that_ran_ahead_does_not_shut_its_grid_out(app: Flask) -> None:
    ahead = NOW + 86400
    put_list(app, "belle", listing(ahead, [vm("a")]))
    assert put_list(app, "belle", listing(NOW, [vm("a")])).status_code == 204
    assert kept(app)["taken_at"] == NOW


def test_a_kind_that_could_not_be_asked_for_stays_as_it_is(app: Flask) -> None:
    put_list(app, "belle", sample_list(NOW - 60))
    put_list(app, "belle", listing(NOW, None, [job("1.0")]))
    assert kept(app) == {"taken_at": NOW, "vms": 12, "jobs": 1}
    client = app.test_client()
    assert client.get("/api/vms").json["grids"][0]["taken_at"] == NOW - 60
    assert client.get("/api/jobs").json["grids"][0]["taken_at"] == NOW


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    write_sample(tmp_path)
    (tmp_path / "inventory").write_text("a file stands where the folder should be")
    app = create_app(
        Settings(state_dir=tmp_path, inventory_token_file=write_token(tmp_path)), poll=False, clock=clock
    )
    answer = put_list(app, "belle", sample_list())
    assert answer.status_code == 503
    assert str(tmp_path / "inventory") in answer.json["error"]["message"]
    assert answer.headers["Retry-After"] == "60"


def test_nobody_else_can_read_the_lists(app: Flask, tmp_path: Path) -> None:
    """Users and reasons are not for every account of the machine."""
    put_list(app, "belle", sample_list())
    assert stat.S_IMODE((tmp_path / "inventory").stat().st_mode) == 0o700
