"""The pages and the API of alerts: what they show, what a visitor may change, and that a page stays ready."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from cloud_monitor.metrics.paths import build_path
from tests.webapp.alerting import HOSTILE, LOST, write_alerts
from tests.webapp.sample import NOW, write_sample
from webapp import create_app
from webapp.alerts.changes import SILENCES_MAX, publish_count
from webapp.alerts.model import Known, Silence
from webapp.alerts.rules.rules import read_alert_settings
from webapp.alerts.store import open_store, read_alerts
from webapp.model.snapshot_view import AlertCount, PollOutcome
from webapp.model.tree import Value
from webapp.poll.state_files import Polled, write_alert_count, write_outcome, write_polled
from webapp.settings import Settings

TOKEN = "anna-s-token-0123456789"
PROOF = {"Authorization": f"Bearer {TOKEN}"}


@dataclass
class Deployment:
    app: Flask
    state_dir: Path
    now: list[float] = field(default_factory=lambda: [NOW + 20.0])

    def get(self, path: str, **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.app.test_client().get(path, headers=sent)

    def text(self, path: str) -> str:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return str(answer.text)

    def alerts(self) -> dict[str, Any]:
        """By rule, of causes."""
        return {one["rule"]: one for one in self.get("/api/alerts").json["alerts"]}

    def post(self, path: str, body: object, headers: dict[str, str] = PROOF) -> Any:
        return self.app.test_client().post(f"/api/{path}", json=body, headers=headers)


@pytest.fixture
def watched(tmp_path: Path) -> Deployment:
    write_sample(tmp_path)
    (tmp_path / "tokens").write_text(f"anna {TOKEN}\n")
    (tmp_path / "alerts.toml").write_text(
        '[channels]\nmail = "json://x"\n[[window]]\nat = "Mon 02:00-04:00"\nplace = "atlas"\n'
    )
    file = tmp_path / "alerts.toml"
    write_alerts(tmp_path, file)
    now = [NOW + 20.0]
    settings = Settings(
        state_dir=tmp_path,
        alerts_file=file,
        token_file=tmp_path / "tokens",
        grid_names={"belle": "Belle II"},
    )
    return Deployment(create_app(settings, poll=False, clock=lambda: now[0]), tmp_path, now)


def id_of(watched: Deployment, rule: str) -> str:
    return str(watched.alerts()[rule]["id"])


def test_without_any_file_and_before_any_evaluation_the_pages_are_there(tmp_path: Path) -> None:
    app = create_app(Settings(state_dir=tmp_path), poll=False)
    page = app.test_client().get("/alerts")
    assert page.status_code == 200
    for text in ("Nothing is wrong", "have not been evaluated yet", "names no channel"):
        assert text in page.text
    assert app.test_client().get("/api/alerts").json["evaluated_at"] is None
    assert app.test_client().get("/alerts/0-1").status_code == 404
    assert app.test_client().get("/api/alerts/0-1").status_code == 404


def test_causes_come_with_all_that_they_explain_below_them(watched: Deployment) -> None:
    alerts = watched.alerts()
    assert [(one["rule"], one["care"]) for one in alerts.values()] == [
        ("heartbeat_lost", "firing"),
        ("vms_error", "firing"),
        ("vms_lost", "pending"),
    ]
    assert [one["rule"] for one in alerts["heartbeat_lost"]["symptoms"]] == ["jobs_held", "vms_unreg"]
    assert alerts["heartbeat_lost"]["targets"] == ["grids.belle.heartbeat.condor"]
    page = watched.text("/alerts")
    assert page.index(">Firing") < page.index("HTCondor does not answer") < page.index("2 symptoms")
    assert page.index("2 symptoms") < page.index("40 % of the jobs are held") < page.index(">Pending")
    for text in ("Belle II / condor", "Mon 02:00-04:00 UTC", "1 failures in a row"):
        assert text in page


def test_hostile_texts_are_text_on_every_page(watched: Deployment) -> None:
    number = id_of(watched, "vms_error")
    watched.post(f"alerts/{number}/acknowledge", {"note": HOSTILE})
    watched.post("silences", {"place": HOSTILE, "comment": HOSTILE})
    for path in ("/alerts", f"/alerts/{number}", "/api/alerts", f"/api/alerts/{number}", "/api/silences"):
        text = watched.text(path)
        assert "onerror=alert(1)" in text, path
        assert "<img" not in text, path
        assert "<b>uvic" not in text, path


def test_the_count_is_in_the_head_of_every_page_and_changes_at_once(watched: Deployment) -> None:
    for path in ("/", "/grids/belle", "/fleet", "/alerts", "/plot", "/users"):
        page = watched.text(path)
        assert "<title>(2) " in page, path
        assert '<b id="alert-count" class="count critical">2<' in page, path
    assert watched.get("/?part=cells").json["alerts"] == {"firing": 2, "worst": "critical"}
    before = watched.get("/").headers["ETag"]
    assert watched.get("/", If_None_Match=before).status_code == 304
    watched.post(f"alerts/{id_of(watched, 'heartbeat_lost')}/acknowledge", {})
    changed = watched.get("/", If_None_Match=before)
    assert changed.status_code == 200
    assert "<title>(1) " in changed.text
    assert '<b id="alert-count" class="count warning">1<' in changed.text
    assert watched.get("/", If_None_Match=changed.headers["ETag"]).status_code == 304


def test_with_nothing_that_fires_no_count_is_shown(watched: Deployment) -> None:
    for rule in ("heartbeat_lost", "vms_error"):
        watched.post(f"alerts/{id_of(watched, rule)}/acknowledge", {})
    page = watched.text("/")
    assert "<title>Cloud Monitor" in page
    assert 'id="alert-count" class="count " hidden' in page


@pytest.mark.parametrize(
    ("firing", "said"), [(0, "All is well in 1 grid."), (1, "1 alert fires"), (2, "2 alerts fire")]
)
def test_all_is_not_well_while_an_alert_fires(firing: int, said: str, tmp_path: Path) -> None:
    """A rule may go by what no grid's health is judged by."""
    beat = build_path("heartbeat", grid="g", service="condor")
    write_polled(tmp_path, Polled(NOW, [Value(beat, 1.0, int(NOW))]))
    write_outcome(tmp_path, PollOutcome(attempted_at=NOW, finished_at=NOW, succeeded_at=NOW))
    write_alert_count(tmp_path, AlertCount(firing, "critical" if firing else ""))
    page = create_app(Settings(state_dir=tmp_path), poll=False, clock=lambda: NOW).test_client().get("/").text
    assert said in page
    assert ("All is well" in page) == (not firing)


def test_a_page_that_has_not_changed_is_not_sent_again(watched: Deployment) -> None:
    number = id_of(watched, "heartbeat_lost")
    for path in ("/alerts", f"/alerts/{number}", "/alerts?part=cells"):
        first = watched.get(path)
        etag = first.headers["ETag"]
        assert watched.get(path, If_None_Match=etag).status_code == 304, path
        watched.post("silences", {"place": "atlas", "comment": path})
        assert watched.get(path, If_None_Match=etag).status_code == 200, path


def test_an_acknowledgement_is_kept_with_its_name_and_ends_by_itself(
    watched: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cloud_monitor.audit")
    number = id_of(watched, "heartbeat_lost")
    answer = watched.post(f"alerts/{number}/acknowledge", {"for_s": 3600, "note": "on it"})
    assert answer.json == {"id": number, "until": NOW + 20 + 3600}
    assert f"anna (by token, from 127.0.0.1) acknowledged {number}" in caplog.text
    known = read_alerts(watched.state_dir).known.alerts[LOST]
    assert (known.acked_by, known.acked_until, known.note) == ("anna", NOW + 3620, "on it")
    assert watched.alerts()["heartbeat_lost"]["care"] == "acknowledged"
    page = watched.text("/alerts")
    assert page.index(">Acknowledged") < page.index("anna takes care for 1 h: on it")
    history = watched.get(f"/api/alerts/{number}").json["history"]
    assert [(one["what"], one["by"]) for one in history] == [("acknowledged", "anna"), ("fired", "")]
    watched.now[0] += 3601
    assert watched.alerts()["heartbeat_lost"]["care"] == "firing"


def test_an_acknowledgement_is_taken_back(watched: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cloud_monitor.audit")
    number = id_of(watched, "heartbeat_lost")
    path, client = f"/api/alerts/{number}/acknowledge", watched.app.test_client()
    assert client.delete(path, headers=PROOF).json["error"]["code"] == "change_refused"
    watched.post(f"alerts/{number}/acknowledge", {})
    assert client.delete(path).status_code == 401
    assert "data-acknowledged" in watched.text("/alerts")
    assert (answer := client.delete(path, headers=PROOF)).status_code == 204, answer.text
    assert watched.alerts()["heartbeat_lost"]["care"] == "firing"
    assert "data-acknowledged" not in watched.text("/alerts")
    (last, *_) = watched.get(f"/api/alerts/{number}").json["history"]
    assert (last["what"], last["by"], last["text"]) == ("acknowledgement taken back", "anna", "of anna")
    assert f"took back the acknowledgement {number} of anna" in caplog.text
    assert client.delete("/api/alerts/0-1/acknowledge", headers=PROOF).status_code == 404


def test_a_silence_covers_a_place_until_it_is_ended(
    watched: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cloud_monitor.audit")
    made = watched.post("silences", {"place": "belle", "for_s": 600, "comment": "disks"})
    assert (made.status_code, made.json["covers"]) == (201, 3)
    assert watched.alerts()["heartbeat_lost"]["care"] == "silenced"
    assert watched.alerts()["vms_error"]["care"] == "firing"
    page = watched.text("/alerts")
    assert 'data-silence="1"' in page
    assert "disks" in page
    (silence,) = watched.get("/api/silences").json["silences"]
    assert (silence["by"], silence["ends_at"]) == ("anna", NOW + 620)
    ended = watched.app.test_client().delete("/api/silences/1", headers=PROOF)
    assert (ended.status_code, ended.data) == (204, b"")
    assert watched.alerts()["heartbeat_lost"]["care"] == "firing"
    assert watched.app.test_client().delete("/api/silences/1", headers=PROOF).status_code == 404
    told = [record.getMessage().split(") ", 1)[1] for record in caplog.records]
    assert told == ["silenced belle * for 10 min (number 1)", "ended silence 1 (belle *)"]


def test_what_is_silenced_in_alertmanager_is_shown_as_silenced_and_not_counted(tmp_path: Path) -> None:
    write_sample(tmp_path)
    (file := tmp_path / "alerts.toml").write_text('alertmanager_urls = ["http://127.0.0.1:9"]\n')
    write_alerts(tmp_path, file)
    matcher = ["rule", "heartbeat_lost", False, True]
    silence = {"starts_at": NOW, "ends_at": NOW + 600, "by": "eva", "comment": "", "matchers": [matcher]}
    with open_store(tmp_path) as store:
        store.write_foreign_silences([silence])
        publish_count(store, read_alert_settings(file), tmp_path, NOW + 20)
    now = [NOW + 20.0]
    page = Deployment(
        create_app(Settings(state_dir=tmp_path, alerts_file=file), poll=False, clock=lambda: now[0]), tmp_path
    )
    assert page.alerts()["heartbeat_lost"]["care"] == "silenced"
    assert "<title>(1) " in page.text("/alerts")
    assert page.text("/alerts").index(">Silenced") < page.text("/alerts").index("HTCondor does not answer")
    now[0] += 600
    assert page.alerts()["heartbeat_lost"]["care"] == "firing"


def test_nobody_changes_anything_without_a_proof(watched: Deployment) -> None:
    number = id_of(watched, "heartbeat_lost")
    for headers in ({}, {"Authorization": "Bearer another-token-123456"}):
        for path, body in ((f"alerts/{number}/acknowledge", {}), ("silences", {"place": "*"})):
            assert watched.post(path, body, headers).status_code == 401, path
    other = {**PROOF, "Sec-Fetch-Site": "cross-site"}
    assert watched.post("silences", {"place": "*"}, other).status_code == 403
    watched.post("silences", {"place": "atlas"})
    assert watched.app.test_client().delete("/api/silences/1").status_code == 401
    state = read_alerts(watched.state_dir)
    assert [one.place for one in state.silences] == ["atlas"]
    assert not any(one.acked_by for one in state.known.alerts.values())


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("silences", {}, "place: Field required"),
        ("silences", {"place": "x", "until": 3}, "until: Extra inputs"),
        ("silences", {"place": "x", "for_s": "600"}, "for_s"),
        ("silences", {"place": "x", "for_s": 31 * 86400}, "for_s"),
        ("silences", {"place": "x", "rule": "nonesuch"}, "there is no rule 'nonesuch'"),
        ("silences", {"place": "x" * 501}, "place"),
        ("silences", {"place": "\ud800"}, "unicode string"),
        ("alerts/{}/acknowledge", {"for_s": -1}, "for_s"),
        ("alerts/{}/acknowledge", {"note": "x" * 501}, "note"),
    ],
)
def test_a_change_that_is_not_understood_is_refused_by_name(
    watched: Deployment, path: str, body: object, told: str
) -> None:
    answer = watched.post(path.format(id_of(watched, "heartbeat_lost")), body)
    assert answer.status_code == 400
    assert told in answer.json["error"]["message"]


def test_an_alert_that_is_not_there_cannot_be_acknowledged(watched: Deployment) -> None:
    answer = watched.post("alerts/0-1/acknowledge", {})
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_there")


def test_there_is_an_end_to_silences(watched: Deployment) -> None:
    with open_store(watched.state_dir) as store:
        for number in range(SILENCES_MAX):
            store.add_silence(Silence("*", f"place{number}", NOW, NOW + 9e9, "robot"))
    answer = watched.post("silences", {"place": "belle"})
    assert answer.status_code == 400
    assert str(SILENCES_MAX) in answer.json["error"]["message"]


def test_one_alert_has_its_plot_its_symptoms_and_its_history(watched: Deployment) -> None:
    page = watched.text(f"/alerts/{id_of(watched, 'heartbeat_lost')}")
    assert 'data-plot-targets="grids.belle.heartbeat.condor"' in page
    for text in ("Belle II / condor", "2 symptoms", "History", "fired", "mail"):
        assert text in page
    symptom = watched.alerts()["heartbeat_lost"]["symptoms"][0]
    page = watched.text(f"/alerts/{symptom['id']}")
    assert "Explained by" in page
    assert 'data-plot-targets="grids.belle.jobs.all.held grids.belle.jobs.all.total"' in page


def test_one_that_is_over_is_still_known_by_its_history(watched: Deployment) -> None:
    number = id_of(watched, "heartbeat_lost")
    with open_store(watched.state_dir) as store:
        store.write_known(store.read_known(), Known({}, 5))
    page = watched.text(f"/alerts/{number}")
    assert "over" in page
    assert "HTCondor does not answer" in page
    assert 'data-act="ack"' not in page
    answer = watched.get(f"/api/alerts/{number}").json
    assert answer["alert"] is None
    assert answer["history"][0]["what"] == "fired"


def test_a_state_that_cannot_be_written_is_told(watched: Deployment) -> None:
    file = watched.state_dir / "alerts.sqlite"
    file.unlink()
    file.mkdir()
    answer = watched.post("silences", {"place": "belle"})
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "cannot_keep")
