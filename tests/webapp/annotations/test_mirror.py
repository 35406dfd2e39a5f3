"""Annotations reach a real Graphite's events once; one that is away or says no is asked again later."""

from __future__ import annotations

import time
from pathlib import Path

from tests.services import ask
from tests.services.graphite import Graphite
from tests.services.support import free_port
from webapp.annotations.mirror import mirror
from webapp.annotations.model import ALERT, NOTE, WINDOW, Annotation, at_once
from webapp.annotations.store import Keeping, open_annotations

KEEPING = Keeping(86400.0 * 9, 100)


def test_events_have_text_time_and_tags(graphite: Graphite, tmp_path: Path) -> None:
    now = int(time.time())
    place = f"grid{now}"
    with open_annotations(tmp_path) as store:
        store.add(
            [
                at_once(now - 60, "quota", "quota of cern 50 → 80 <b>", place, "cern"),
                Annotation(now - 30, now - 30, NOTE, "1.4", place, "anna", ("deploy",)),
                at_once(now - 3 * 86400, "restart", "long ago", place),
            ],
            KEEPING,
            now,
        )
    away = f"http://127.0.0.1:{free_port()}"
    assert mirror(tmp_path, away) == 0
    assert mirror(tmp_path, f"{graphite.url}/nowhere") == 0
    assert mirror(tmp_path, graphite.url) == 2
    assert mirror(tmp_path, graphite.url) == 0
    found = ask.get(f"{graphite.url}/events/get_data?tags=cloud-monitor grid-{place}&set=intersection").json()
    assert sorted((one["when"], one["what"], sorted(one["tags"]), one["data"]) for one in found) == [
        (now - 60, "quota of cern 50 → 80 <b>", sorted(["cloud-monitor", "quota", f"grid-{place}"]), ""),
        (now - 30, "1.4", sorted(["cloud-monitor", "note", "deploy", f"grid-{place}"]), "anna"),
    ]


def test_what_took_a_time_ends_by_an_event_of_its_own_and_only_then(
    graphite: Graphite, tmp_path: Path
) -> None:
    now = int(time.time())
    place = f"ends{now}"
    alert = Annotation(now - 600, None, ALERT, "no data", place, tags=("grid_silent",), key="a")
    window = Annotation(now - 60, now + 3600, WINDOW, "disks", place, key="w")
    with open_annotations(tmp_path) as store:
        store.add([alert, window, at_once(now - 30, "restart", "schedd restarted", place)], KEEPING, now)
    assert mirror(tmp_path, graphite.url) == 3
    assert mirror(tmp_path, graphite.url) == 0
    with open_annotations(tmp_path) as store:
        store.sync_open(ALERT, [], {"a": now - 20.0}, now)
    assert mirror(tmp_path, f"http://127.0.0.1:{free_port()}") == 0
    assert mirror(tmp_path, graphite.url) == 1
    assert mirror(tmp_path, graphite.url) == 0
    found = ask.get(f"{graphite.url}/events/get_data?tags=grid-{place} over&set=intersection").json()
    assert [(one["when"], one["what"]) for one in found] == [(now - 20, "over: no data")]
    assert "grid_silent" in found[0]["tags"]
