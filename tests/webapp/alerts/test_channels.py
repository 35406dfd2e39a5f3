"""Every channel that the docs name, by the real sender to servers that speak the vendors' protocols."""

from __future__ import annotations

import email
import time
from pathlib import Path

import pytest

from tests.services.receivers import http_receiver, mailbox
from tests.services.vendors import ADDRESSES, Call, run_vendors
from webapp.alerts.rules.rules import parse_alert_settings
from webapp.alerts.sending.channel import deliver
from webapp.alerts.sending.outbox import OutMessage
from webapp.alerts.sending.sender import start_sender
from webapp.alerts.store import open_store, read_alerts

TITLE = "[CRITICAL] atlas: no data for 6 min"
BODY = "<script>&amp; \u202e: atlas is silent.\nhttps://monitor.example.org/alerts/ab12-3\nid: ab12-3-x-1"
KEY = "ab12-3"


def test_every_channel_tells_the_beginning_and_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_vendors(tmp_path) as vendors, mailbox() as box, http_receiver() as receiver:
        for name, value in vendors.environment.items():
            monkeypatch.setenv(name, value)
        addresses = {
            **ADDRESSES,
            "mail": f"mailto://127.0.0.1:{box.port}?from=monitor@example.org&to=ops@example.org&mode=insecure",
            "webhook": f"json://{receiver.host}/hook",
            "ntfy": f"ntfy://{receiver.host}/alerts?priority=5",
        }
        for (
            name,
            address,
        ) in addresses.items():  # a busy machine takes longer than the usual 4 s
            addresses[name] = f"{address}{'&' if '?' in address else '?'}cto=60&rto=60"
        settings = parse_alert_settings({"channels": addresses})
        for number, kind in enumerate(("firing", "resolved"), 1):
            messages = [OutMessage(f"{KEY}-{kind}-1", kind, name, KEY, TITLE, BODY) for name in addresses]
            with open_store(tmp_path) as store:
                store.outbox.queue(messages, time.time())
            assert start_sender(tmp_path, settings).wait(120) == 0
            state = read_alerts(tmp_path)
            failed = {one.name: one.error for one in state.channels if one.failures}
            assert (failed, vendors.refused, state.waiting) == ({}, [], 0)
            assert len(box.got) == number
            assert sorted(receiver.paths) == sorted(number * ["/", "/hook"])  # ntfy takes all at its root
    told = [Call(one.vendor, one.what, "") for one in vendors.calls]
    expected = {
        Call("slack", "posted", ""): 2, Call("teams", "posted", ""): 4, Call("sms", "sent", ""): 2,
        Call("pushover", "sent", ""): 2, Call("pagerduty", f"trigger {KEY}", ""): 1,
        Call("pagerduty", f"resolve {KEY}", ""): 1, Call("opsgenie", f"create {KEY}", ""): 1,
        Call("opsgenie", f"close {KEY}", ""): 1,
    }  # fmt: skip
    assert {one: told.count(one) for one in told} == expected
    for one in vendors.calls:
        assert "atlas" in one.text or "resolve" in one.what, one
        assert one.vendor != "slack" or "&lt;script&gt;" in one.text  # nor is <!channel> a call to all


@pytest.mark.parametrize("wanted", ["", "&format=html"])
def test_a_mail_keeps_its_lines_and_runs_no_markup(wanted: str) -> None:
    with mailbox() as box:
        address = f"mailto://127.0.0.1:{box.port}?from=monitor@example.org&to=ops@example.org&mode=insecure"
        assert deliver(OutMessage("x", "firing", "mail", KEY, TITLE, BODY), address + wanted) == ""
        (got,) = box.got
    parts = {
        part.get_content_subtype(): bytes(part.get_payload(decode=True)).decode().rstrip("\r\n").splitlines()
        for part in email.message_from_string(got).walk()
        if part.get_content_maintype() == "text"
    }
    assert parts["plain"] == BODY.splitlines()
    assert list(parts) == (["plain", "html"] if wanted else ["plain"])
    assert "<script" not in "".join(parts.get("html", []))
