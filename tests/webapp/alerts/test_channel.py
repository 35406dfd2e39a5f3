"""What a message goes through on its way out: addresses, keys, and what the sender imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

from webapp.alerts.sending.channel import with_key

HEAVY = ("flask", "pydantic", "requests", "apprise", "jinja2", "waitress")


def test_the_sender_imports_little() -> None:
    """It runs beside the page within one limit of memory."""
    source = f"import sys, webapp.alerts.sending.send; print([one for one in {HEAVY} if one in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_of_apprise_only_the_plugin_of_the_address_is_imported() -> None:
    source = (
        "import sys; from webapp.alerts.sending.channel import deliver;"
        "from webapp.alerts.sending.outbox import OutMessage;"
        "print(bool(deliver(OutMessage('a', 'firing', 'c', 'x', 't', 'b'), 'json://127.0.0.1:1/')));"
        "print(sorted(one for one in sys.modules if one.startswith('apprise.plugins.c')))"
    )
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert ended.stdout.split("\n")[:2] == ["True", "['apprise.plugins.custom_json']"]


@pytest.mark.parametrize(
    ("address", "goes_to"),
    [
        ("pagerduty://key@api", "pagerduty://key@api?action=map&dedup=k-1"),
        ("pagerduty://key@api?region=eu", "pagerduty://key@api?region=eu&action=map&dedup=k-1"),
        ("opsgenie://key", "opsgenie://key?action=map&alias=k-1"),
        ("opsgenie://key?alias=own", "opsgenie://key?alias=own"),
        ("slack://a/b/c", "slack://a/b/c"),
    ],
)
def test_what_opens_and_closes_an_incident_has_one_key(address: str, goes_to: str) -> None:
    assert with_key(address, "k-1") == goes_to
