"""Announcements that this machine is taken away: Azure's scheduled events, some 30 s before, and EC2's spot
notices, two minutes before.

The addresses are fixed and answer only on the machines of their cloud, which their firmware says. An event
of Azure comes to all machines of a scale set or availability set and names those that it is for. EC2 wants
a token (IMDSv2) and answers 404 while there is no notice. Sources: Microsoft Learn, "Azure Metadata Service:
Scheduled Events for Linux VMs" and "Azure Instance Metadata Service"; Amazon EC2 User Guide, "Spot Instance
interruption notices" and "Use the Instance Metadata Service".
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

AZURE_URL = "http://169.254.169.254/metadata/scheduledevents?api-version=2020-07-01"
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
        return AZURE_URL if chassis.read_text().strip() == AZURE_CHASSIS else None
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


EC2_URL = "http://169.254.169.254/"
TOKEN_PATH, NOTICE_PATH = "/latest/api/token", "/latest/meta-data/spot/instance-action"
EC2_MAKER = "Amazon EC2"
TOKEN_S = 21_600  # the most there is


def spot_notice_url(setting: str, maker: Path = Path("/sys/class/dmi/id/sys_vendor")) -> str | None:
    """Where to ask; None where nobody would answer."""
    if setting != "auto":
        return None if setting == "off" else setting
    try:
        return EC2_URL if maker.read_text().strip() == EC2_MAKER else None
    except OSError:
        return None


class SpotNotices:
    def __init__(self, url: str) -> None:
        self._url = url
        self._session = open_session()
        self._token = ""

    def __call__(self) -> str | None:
        """What is announced; None while nothing is. Raises RequestException or ValueError."""
        if not self._token:
            asked = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_S)}
            given = self._session.put(urljoin(self._url, TOKEN_PATH), headers=asked, timeout=TIMEOUT_S)
            given.raise_for_status()
            self._token = given.text
        shown = {"X-aws-ec2-metadata-token": self._token}
        answer = self._session.get(urljoin(self._url, NOTICE_PATH), headers=shown, timeout=TIMEOUT_S)
        if answer.status_code == requests.codes.not_found:
            return None
        if answer.status_code == requests.codes.unauthorized:
            self._token = ""  # its time is over
        answer.raise_for_status()
        return f"EC2 announces {answer.json()['action']}"
