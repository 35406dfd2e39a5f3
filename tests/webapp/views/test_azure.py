"""Azure's common alert schema comes in: begun, over, once, and only with a secret of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.webapp.alerting import HOSTILE
from tests.webapp.sample import NOW, clock, write_sample
from webapp import create_app
from webapp.alerts.azure import OPEN_MAX, AzureAlert, see_azure, take_in
from webapp.alerts.rules.rules import parse_alert_settings
from webapp.alerts.store import open_store, read_history
from webapp.settings import Settings

SECRET, OLD = "azure-s-secret-0123456789", "azure-s-old-secret-0123"
ID = "/subscriptions/1234/providers/Microsoft.AlertsManagement/alerts/b9569717-bc32-442f-add5-83a997729330"


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    write_sample(tmp_path)
    (tmp_path / "azure").write_text(f"{OLD}\n{SECRET}\n")
    return create_app(
        Settings(state_dir=tmp_path, azure_secret_file=tmp_path / "azure"), poll=False, clock=clock
    )


def body(condition: str = "Fired", **essentials: Any) -> dict[str, Any]:
    """As Azure's documentation has it."""
    given = {
        "alertId": ID, "alertRule": "high-chunk-count", "severity": "Sev1", "signalType": "Metric",
        "monitorCondition": condition, "monitoringService": "Platform",
        "alertTargetIDs": ["/subscriptions/1234/resourcegroups/pipelines/providers/microsoft.insights/ai"],
        "configurationItems": ["ai"], "originAlertId": "1234_5678",
        "firedDateTime": "2025-10-09T08:50:00.1234567Z",
        "description": "more than 35 active chunks", "essentialsVersion": "1.0", "alertContextVersion": "1.0",
        **essentials,
    }  # fmt: skip
    if condition == "Resolved":
        given.setdefault("resolvedDateTime", "2025-10-09T08:53:00.0000000Z")
    return {"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": given, "alertContext": {}}}


def post(app: Flask, told: object, secret: str = SECRET) -> Any:
    return app.test_client().post(f"/api/alerts/azure?secret={secret}", json=told)


def seen(app: Flask, tmp_path: Path) -> list[tuple[str, str, float | None]]:
    with open_store(tmp_path) as store:
        found = see_azure(store.read_azure(), parse_alert_settings({}).rules, NOW + 20.0)
        return [(one.key.rule, one.text, one.began) for one in found]


def test_it_holds_from_when_it_fired_until_it_is_resolved(app: Flask, tmp_path: Path) -> None:
    began = 1_759_999_800.0  # 2025-10-09 08:50 UTC
    for _ in range(3):  # Azure sends again what was not answered in time
        assert post(app, body()).status_code == 204
    assert seen(app, tmp_path) == [
        ("azure_critical", "Sev1 high-chunk-count: ai: more than 35 active chunks", began)
    ]
    assert post(app, body("Resolved"), OLD).status_code == 204
    assert seen(app, tmp_path) == []
    assert post(app, body()).status_code == 204  # one that was held up on its way begins nothing
    assert seen(app, tmp_path) == []
    assert [one.what for one in read_history(tmp_path)] == ["azure: resolved", "azure: fired"]


def test_severities_have_rules_of_their_own_and_ids_places_of_their_own(app: Flask, tmp_path: Path) -> None:
    for number, severity in enumerate(("Sev0", "Sev2", "Sev4", "", "nonsense")):
        assert post(app, body(alertId=f"id{number}", severity=severity)).status_code == 204
    assert [rule for rule, _, _ in seen(app, tmp_path)] == ["azure_critical"] + ["azure_warning"] * 4
    with open_store(tmp_path) as store:
        assert len({one.place for one in store.read_azure()}) == 5


@pytest.mark.parametrize("secret", ["", "x", SECRET[:-1], f"{SECRET}x", f"{OLD}%0A{SECRET}", "%00", "%ff"])
def test_another_secret_is_refused(app: Flask, tmp_path: Path, secret: str) -> None:
    answer = post(app, body(), secret)
    assert (answer.status_code, answer.json["error"]["code"]) == (401, "token_refused")
    assert app.test_client().post("/api/alerts/azure", json=body()).status_code == 401
    bearer = {"Authorization": f"Bearer {SECRET}"}
    assert app.test_client().post("/api/alerts/azure", json=body(), headers=bearer).status_code == 401
    assert seen(app, tmp_path) == []


def test_a_secret_is_good_for_this_path_alone(app: Flask) -> None:
    for headers in ({}, {"Authorization": f"Bearer {SECRET}"}):
        answer = app.test_client().post(
            f"/api/silences?secret={SECRET}", json={"place": "*"}, headers=headers
        )
        assert answer.status_code == 403


def test_without_secrets_nothing_is_taken(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "azure").write_text("short\n")
    answer = post(app, body(), "short")
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "token_unreadable")
    off = create_app(Settings(state_dir=tmp_path), poll=False, clock=clock)
    assert post(off, body()).status_code == 403


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"schemaId": "AzureMonitorMetricAlert", "data": {}},
        {**body(), "data": None},
        {**body(), "data": []},
        body("Acknowledged"),
        body(alertId=""),
        body(alertRule=None),
        body(alertId=["x"]),
    ],
)
def test_what_is_not_the_schema_is_refused(app: Flask, tmp_path: Path, told: object) -> None:
    answer = post(app, told)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "body_refused")
    assert seen(app, tmp_path) == []


def test_hostile_and_long_texts_are_bounded(app: Flask, tmp_path: Path) -> None:
    told = body(
        alertRule=HOSTILE * 9,
        description="x" * 50_000,
        configurationItems=[HOSTILE] * 50,
        firedDateTime="soon",
    )
    assert post(app, told).status_code == 204
    ((_, text, began),) = seen(app, tmp_path)
    assert len(text) <= 300
    assert began == NOW + 20.0
    assert post(app, body(description="x" * 70_000)).status_code == 413


def test_there_is_an_end_to_what_is_open() -> None:
    known = [AzureAlert(f"id{number}", "r", "t", False, NOW) for number in range(OPEN_MAX)]
    with pytest.raises(ValueError, match=str(OPEN_MAX)):
        take_in(known, AzureAlert("another", "r", "t", False, NOW), NOW)
    week = 7 * 86400.0
    assert len(take_in(known, AzureAlert("another", "r", "t", False, NOW + week), NOW + week)) == 1
