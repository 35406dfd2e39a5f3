"""Azure Scheduled Events: a spot machine is told some 30 s before it is taken away.

The address is fixed and answers only on Azure's machines, which their chassis says. An event comes to all
machines of a scale set or availability set and names those that it is for. Sources: Microsoft Learn, "Azure
Metadata Service: Scheduled Events for Linux VMs" and "Azure Instance Metadata Service".
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

log = logging.getLogger(__name__)

URL = "http://169.254.169.254/metadata/scheduledevents?api-version=2020-07-01"
NAME_PATH = "/metadata/instance/compute/name?api-version=2021-02-01&format=text"
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


def ending_event(document: dict[str, Any], name: str) -> str | None:
    """The kind of the first event that ends the machine of that name, or restarts it. One that names nobody
    is for all; where our name is not known ("") every event is taken for ours.
    """
    for event in document.get("Events", []):
        others = [other.casefold() for other in event.get("Resources") or []]
        ours = not name or not others or name.casefold() in others
        if ours and event.get("EventType") in ENDING:
            return str(event["EventType"])
    return None


def watch_evictions(url: str, leave: Callable[[str], None], poll_s: float = POLL_S) -> threading.Thread:
    return watch(ScheduledEvents(url), leave, poll_s)


class ScheduledEvents:
    def __init__(self, url: str) -> None:
        self._url = url
        self._session = open_session()
        self._session.headers["Metadata"] = "true"
        self._name = ""

    def __call__(self) -> str | None:
        """What is announced; None while nothing is. Raises RequestException, ValueError or AttributeError."""
        self._name = self._name or query_name(self._session, self._url)
        answer = self._session.get(self._url, timeout=TIMEOUT_S)
        answer.raise_for_status()
        kind = ending_event(answer.json(), self._name)
        return None if kind is None else f"Azure announces {kind}"


def watch(
    ask: Callable[[], str | None], leave: Callable[[str], None], poll_s: float = POLL_S
) -> threading.Thread:
    """Ask in a thread until something is announced, then call `leave` with it, once."""

    def poll() -> None:
        pause = threading.Event()
        failed = False
        while True:
            try:
                announced = ask()
                failed = False
            except (requests.RequestException, ValueError, AttributeError, LookupError, TypeError) as error:
                if not failed:
                    log.warning("announcements of this machine's end: %s", error)
                failed, announced = True, None
            if announced is not None:
                leave(announced)
                return
            pause.wait(poll_s)

    thread = threading.Thread(target=poll, name="evictions", daemon=True)
    thread.start()
    return thread


def open_session() -> requests.Session:
    """Past any proxy: the service is the machine's own, and answers nobody else."""
    session = requests.Session()
    session.trust_env = False
    return session


def query_name(session: requests.Session, url: str) -> str:
    """This machine's name as events have it, from the same service; "" while it does not say."""
    try:
        answer = session.get(urljoin(url, NAME_PATH), timeout=TIMEOUT_S)
    except requests.RequestException:
        return ""
    return answer.text.strip() if answer.ok else ""
