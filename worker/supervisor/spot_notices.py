"""EC2's spot instances: one is told two minutes before it is taken away.

The address is fixed and answers only on EC2's machines, which their maker says. It wants a token (IMDSv2) and
answers 404 while there is no notice. Source: Amazon EC2 User Guide, "Spot Instance interruption notices" and
"Use the Instance Metadata Service".
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urljoin

import requests

from worker.supervisor.evictions import TIMEOUT_S, open_session

URL = "http://169.254.169.254/"
TOKEN_PATH, NOTICE_PATH = "/latest/api/token", "/latest/meta-data/spot/instance-action"
MAKER = "Amazon EC2"
TOKEN_S = 21_600  # the most there is


def spot_notice_url(setting: str, maker: Path = Path("/sys/class/dmi/id/sys_vendor")) -> str | None:
    """Where to ask; None where nobody would answer."""
    if setting != "auto":
        return None if setting == "off" else setting
    try:
        return URL if maker.read_text().strip() == MAKER else None
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
