"""The alert rules for Azure: their JSON as kept, and made by Azure's real client at a local Azure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.services.azure_arm import TOKEN, local_azure
from worker.__main__ import main

KEPT = Path(__file__).parents[1] / "data/azure"
GROUP = "/subscriptions/00000000-0000-0000-0000-000000000002/resourceGroups/fleet/providers"
COMPONENT = f"{GROUP}/microsoft.insights/components/cloud-monitor"
ACTIONS = f"{GROUP}/microsoft.insights/actionGroups/on-call"


def rules(*more: str, component: str = COMPONENT) -> Result:
    given = ["--component", component, "--action-group", ACTIONS, "--location", "westeurope"]
    return CliRunner().invoke(main, ["azure", "rules", *given, *more])


def test_the_json_is_as_it_was_kept() -> None:
    for name, more in (
        ("rules.json", ()),
        ("rules_with_group.json", ("--email", "ops@example.org", "--chunks", "50")),
    ):
        printed = rules(*more)
        assert printed.exit_code == 0, printed.output
        assert json.loads(printed.output) == json.loads((KEPT / name).read_text())
    assert rules("--dry-run").output == rules().output


def test_what_is_printed_is_what_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    with local_azure() as azure:
        for name, value in azure.identity.items():
            monkeypatch.setenv(name, value)
        more = ("--webhook", "https://monitor.example.org/api/alerts/azure", "--arm-url", azure.url)
        made = rules(*more, "--apply")
        assert made.exit_code == 0, made.output
        puts = [one for one in azure.asked if one[0] == "PUT"]
        printed = json.loads(rules(*more).output)
    assert [{"method": "PUT", "path": path, "body": body} for _, path, _, body in puts] == printed
    assert {authorization for _, _, authorization, _ in puts} == {f"Bearer {TOKEN}"}
    assert made.output.count("made /subscriptions/") == 3


def test_a_refusal_names_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    with local_azure() as azure:
        azure.status = 403
        for name, value in azure.identity.items():
            monkeypatch.setenv(name, value)
        refused = rules("--apply", "--arm-url", azure.url)
    assert refused.exit_code == 1
    assert "high-chunk-count: Azure refused it" in str(refused.exception)


@pytest.mark.parametrize("component", ["x", ACTIONS, COMPONENT + "/x"])
def test_an_id_that_is_none_is_refused(component: str) -> None:
    refused = rules(component=component)
    assert refused.exit_code == 1
    assert "is not /subscriptions/UUID" in str(refused.exception)


def test_a_token_goes_to_no_plain_address() -> None:
    assert rules("--apply", "--arm-url", "http://example.org").exit_code == 2
