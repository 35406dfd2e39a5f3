"""Azure Scheduled Events: a spot machine is told some 30 s before it is taken away.

The address is fixed and answers only on Azure's machines, which their chassis says. Source: Microsoft Learn,
"Azure Metadata Service: Scheduled Events for Linux VMs".
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

log = logging.getLogger(__name__)

URL = "http://169.254.169.254/metadata/scheduledevents?api-version=2020-07-01"
AZURE_CHASSIS = "7783-7084-3265-9085-8269-3286-77"
ENDING = frozenset({"Preempt", "Terminate", "Reboot", "Redeploy"})
POLL_S = 5.0
TIMEOUT_S = 4.0


def scheduled_events_url(
    setting: str, chassis: Path = Path("/sys/class/dmi/id/chassis_asset_tag")
) -> str | None:
    """The URL to poll; None where there is none."""
    if setting != "auto":
        return None if setting == "off" else setting
    try:
        return URL if chassis.read_text().strip() == AZURE_CHASSIS else None
    except OSError:
        return None


def ending_event(document: dict[str, Any]) -> str | None:
    """The kind of the first event that ends this machine or restarts it."""
    for event in document.get("Events", []):
        if event.get("EventType") in ENDING:
            return str(event["EventType"])
    return None


def watch_evictions(url: str, leave: Callable[[str], None], poll_s: float = POLL_S) -> threading.Thread:
    """Poll in a thread until an event comes, then call `leave` with the reason, once."""

    def poll() -> None:
        pause = threading.Event()
        failed = False
        while True:
            try:
                answer = requests.get(url, headers={"Metadata": "true"}, timeout=TIMEOUT_S)
                answer.raise_for_status()
                kind = ending_event(answer.json())
                failed = False
            except (requests.RequestException, ValueError, AttributeError) as error:
                if not failed:
                    log.warning("scheduled events: %s", error)
                failed, kind = True, None
            if kind is not None:
                leave(f"Azure announces {kind}")
                return
            pause.wait(poll_s)

    thread = threading.Thread(target=poll, name="evictions", daemon=True)
    thread.start()
    return thread
