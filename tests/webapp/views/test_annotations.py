"""Annotations over the API, on the grid's page, from the poll and from alerts."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.services.programs import run_program
from tests.webapp.alerting import HOSTILE, sample_alerts
from tests.webapp.sample import NOW, clock, sample_values, write_sample
from webapp import create_app
from webapp.alerts.annotate import note_alerts
from webapp.alerts.model import Known, Silence, StepResult
from webapp.annotations.model import Annotation
from webapp.annotations.store import find_annotations
from webapp.graphite.notes import Notes
from webapp.graphite.series import JoinedSeries
from webapp.model.build import build_snapshot
from webapp.model.snapshot_view import PollOutcome
from webapp.model.tree import Snapshot, Value
from webapp.poll.notes import note_poll
from webapp.settings import Settings
from webapp.views.plot import write_json, write_separated

TOKEN = "anna-s-token-0123456789"
PROOF = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    write_sample(tmp_path)
    (tmp_path / "tokens").write_text(f"anna {TOKEN}\n")
    settings = Settings(state_dir=tmp_path, token_file=tmp_path / "tokens", hidden_grids="secret")
    return create_app(settings, poll=False, clock=clock)


def post(app: Flask, body: object, headers: dict[str, str] = PROOF) -> Any:
    return app.test_client().post("/api/annotations", json=body, headers=headers)


def listed(app: Flask, query: str = "") -> list[dict[str, Any]]:
    answer = app.test_client().get(f"/api/annotations{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json["annotations"]
    return found


def test_what_is_noted_is_listed_with_who_noted_it(app: Flask) -> None:
    assert listed(app) == []
    answer = post(app, {"text": "1.4", "tags": ["deploy"], "place": "belle"})
    assert answer.status_code == 201
    expected = {
        "at": NOW + 20.0, "until": NOW + 20.0, "kind": "note", "text": "1.4", "grid": "belle",
        "place": "belle", "by": "anna", "tags": ["deploy"], "label": "deploy",
    }  # fmt: skip
    assert answer.json == expected
    assert listed(app) == [expected]
    assert listed(app, "?grid=atlas") == []
    assert listed(app, "?until=-1h") == []
    assert listed(app, "?grid=belle&from=-1min&limit=1") == [expected]


def test_only_with_a_proof(app: Flask) -> None:
    assert post(app, {"text": "x"}, {}).status_code == 401
    assert post(app, {"text": "x"}, {**PROOF, "Origin": "https://evil.example"}).status_code == 403
    assert listed(app) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": ""},
        {"text": "x" * 501},
        {"text": "x", "tags": ["two words"]},
        {"text": "x", "tags": ["t"] * 11},
        {"text": "x", "at": 20.0, "until": 10.0},
        {"text": "x", "until": 10.0},
        {"text": "x", "at": NOW + 2 * 366 * 86400},
        {"text": "x", "at": "now"},
        {"text": "x", "kind": "alert"},
    ],
)
def test_what_is_not_understood_is_refused(app: Flask, body: object) -> None:
    assert post(app, body).status_code == 400
    assert listed(app, "?from=-3650d") == []


def test_hostile_texts_are_text_and_hidden_grids_stay_hidden(app: Flask) -> None:
    post(app, {"text": HOSTILE, "place": "belle"})
    post(app, {"text": "of a secret grid", "place": "secret/cern"})
    page = app.test_client().get("/grids/belle").text
    answer = app.test_client().get("/api/annotations").text
    for text in (page, answer):
        assert "onerror=alert(1)" in text
        assert "<img" not in text
        assert "secret" not in text


def test_the_grids_page_lists_what_happened_by_time(app: Flask) -> None:
    for place, text in (("belle/cern", "first"), ("", "second"), ("atlas", "elsewhere")):
        post(app, {"text": text, "place": place, "tags": ["deploy"]})
    page = app.test_client().get("/grids/belle").text
    assert page.index("What happened<") < page.index("second by anna") < page.index("first by anna")
    assert "elsewhere" not in page
    assert "<b>deploy</b>" in page
    assert "first by anna" not in app.test_client().get("/grids/atlas").text


def test_an_export_has_them_in_the_row_that_they_began_in() -> None:
    table = JoinedSeries(60, [NOW, NOW + 60, NOW + 120], [])
    happened = [
        Annotation(NOW + at, NOW + at, "note", text)
        for at, text in ((60.0, "=cmd()"), (119.0, 'with "quotes"'), (180.0, "last"))
    ]
    nothing = Notes([], [])
    rows = "".join(write_separated(",", [], nothing, table, UTC, happened)).splitlines()
    assert rows[0] == "timestamp,time,annotations"
    assert [row.split(",", 2)[2] for row in rows[1:]] == [
        "",
        '"note: =cmd(); note: with ""quotes"""',
        "note: last",
    ]
    without = "".join(write_separated(",", [], nothing, table, UTC)).splitlines()
    assert without[0] == "timestamp,time"
    answer = json.loads("".join(write_json([], nothing, table, UTC, happened)))
    assert [one["text"] for one in answer["annotations"]] == ["=cmd()", 'with "quotes"', "last"]
    assert "annotations" not in json.loads("".join(write_json([], nothing, table, UTC)))


def polled(at: float, **changes: float) -> Snapshot:
    values = sample_values(at)
    paths = {f"grids.belle.clouds.cern.{name}": float(value) for name, value in changes.items()}
    return build_snapshot(
        at, [replace_value(value, paths[value.path]) if value.path in paths else value for value in values]
    )


def replace_value(value: Value, number: float) -> Value:
    return value._replace(value=number)


def test_a_poll_notes_what_has_changed_since_the_one_before(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    before, after = polled(NOW), polled(NOW + 60, enabled=0, quota=80)
    for _ in range(2):  # another process that saw the same notes nothing twice
        note_poll(settings, before, after, PollOutcome(finished_at=NOW + 61))
    found = find_annotations(tmp_path, NOW, NOW + 120)
    assert {(one.kind, one.place, one.at) for one in found} == {
        ("cloud_disabled", "belle/cern", NOW + 60),
        ("quota", "belle/cern", NOW + 60),
    }
    assert len(found) == 2


def test_a_folder_that_cannot_be_written_keeps_no_poll_from_counting(tmp_path: Path) -> None:
    (tmp_path / "annotations.sqlite").mkdir()
    note_poll(
        Settings(state_dir=tmp_path),
        polled(NOW),
        polled(NOW + 60, quota=80),
        PollOutcome(finished_at=NOW + 61),
    )
    assert find_annotations(tmp_path, NOW, NOW + 120) == ()


def test_alerts_and_windows_begin_and_are_over(tmp_path: Path) -> None:
    settings, alerts = Settings(state_dir=tmp_path), sample_alerts(NOW)
    window = Silence("*", "atlas", NOW - 50, NOW + 50, "maintenance", "storage")
    for _ in range(2):
        note_alerts(settings, StepResult(Known(alerts, 5), ()), [window], NOW)
    found = {one.text: one for one in find_annotations(tmp_path, NOW - 3600, NOW)}
    assert set(found) == {"HTCondor does not answer", f"12 VMs in error {HOSTILE}", "storage"}
    lost = found["HTCondor does not answer"]
    assert (lost.at, lost.until, lost.grid, lost.tags) == (NOW - 600, None, "belle", ("heartbeat_lost",))
    assert (found["storage"].at, found["storage"].until) == (NOW - 50, NOW + 50)

    keys = list(alerts)
    over = replace(alerts[keys[0]], clear_since=NOW + 30)
    rest = {key: one for key, one in alerts.items() if key not in keys[:2]}
    note_alerts(settings, StepResult(Known(rest, 5), (), ended=(over,)), [], NOW + 330)
    found = {one.text: one for one in find_annotations(tmp_path, NOW - 3600, NOW)}
    assert found["HTCondor does not answer"].until == NOW + 30
    assert found[f"12 VMs in error {HOSTILE}"].until is None


def run_annotate(state_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "WEBAPP_STATE_DIR": str(state_dir)}
    return run_program("webapp", "annotate", *arguments, environment=environment)


def test_the_command_notes_a_deploy(tmp_path: Path) -> None:
    before = time.time()
    done = run_annotate(
        tmp_path, "1.4", "--tag", "deploy", "--place", "belle", "--by", "ci", "--ago", "5m", "--json"
    )
    assert done.returncode == 0, done.stderr
    (found,) = find_annotations(tmp_path, 0, time.time())
    assert (found.text, found.tags, found.by, found.grid) == ("1.4", ("deploy",), "ci", "belle")
    assert before - 301 <= found.at == json.loads(done.stdout)["at"] <= time.time() - 299


@pytest.mark.parametrize(
    "arguments", [(" ",), ("x" * 501,), ("x", "--tag", "two words"), ("x", "--ago", "soon")]
)
def test_the_command_refuses_what_it_does_not_understand(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run_annotate(tmp_path, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert find_annotations(tmp_path, 0, time.time()) == ()


def test_the_command_names_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = run_annotate(tmp_path / "none", "x")
    assert done.returncode == 2
    assert "WEBAPP_STATE_DIR" in done.stderr
