"""Alerts as an evaluation would have left them: a cause with symptoms, one of hostile texts, one pending."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import quote

from tests.webapp.sample import NOW
from webapp.alerts.changes import publish_count
from webapp.alerts.model import Alert, AlertKey, Known
from webapp.alerts.rules.rules import read_alert_settings
from webapp.alerts.store import HistoryEntry, open_store

HOSTILE = "</script><img src=x onerror=alert(1)>\"' & \x1b[2J"
HOSTILE_PLACE = f"atlas/{quote('<b>uvic</b>', safe='')}"
LOST = AlertKey("heartbeat_lost", "belle/condor")
HELD = AlertKey("jobs_held", "belle")
SLOTS = AlertKey("vms_unreg", "belle/cern")
ERRORS = AlertKey("vms_error", HOSTILE_PLACE)
LATE = AlertKey("vms_lost", "atlas/cern")


def sample_alerts(now: float) -> dict[AlertKey, Alert]:
    alerts = (
        Alert(LOST, 1, "firing", now - 600, "HTCondor does not answer", told_at=now - 400, told=("mail",)),
        Alert(HELD, 2, "firing", now - 500, "40 % of the jobs are held", 40.0, cause=LOST),
        Alert(SLOTS, 3, "pending", now - 100, "cern: 4 VMs unregistered", 4.0, cause=HELD),
        Alert(ERRORS, 4, "firing", now - 300, f"12 VMs in error {HOSTILE}", 12.0),
        Alert(LATE, 5, "pending", now - 60, "cern: 2 VMs lost", 2.0),
    )
    return {one.key: one for one in alerts}


def write_alerts(
    state_dir: Path, alerts_file: Path | None = None, now: float = NOW + 20.0
) -> dict[AlertKey, Alert]:
    """Put them where pages find them; how they are counted too."""
    state_dir.mkdir(parents=True, exist_ok=True)
    alerts = sample_alerts(now)
    with open_store(state_dir) as store:
        store.write_known(store.read_known(), Known(alerts, 5))
        for one in alerts.values():
            if one.state == "firing":
                store.note(HistoryEntry(one.since, "fired", "", *one.key, one.id, one.text))
        store.outbox.note_failed(0, "chat", f"HTTP 500 {HOSTILE}", now - 60, now)
        store.outbox.note_sent(0, "mail", now - 400)
        store.note_evaluated(now)
        publish_count(store, read_alert_settings(alerts_file), state_dir, now)
    return alerts


def now_alerts(state_dir: Path) -> dict[AlertKey, Alert]:
    return write_alerts(state_dir, now=time.time())
