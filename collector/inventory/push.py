"""Bring the inventory to the status page by one HTTP(S) request, beside Carbon's delivery.

Only the latest list matters, so nothing is kept: what is not taken now is sent anew by the next run.
"""

from __future__ import annotations

import gzip
import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from cloud_monitor.system.text import one_line
from collector.delivery.carbon import Timeouts

_RETRY_AFTER_S = 0.5
_ANSWER_BYTES_MAX = 4096
_ANSWER_LENGTH_MAX = 200
_USER_AGENT = "cloud-monitor-collector"
_HINTS = {
    401: "the secret in COLLECTOR_INVENTORY_TOKEN_FILE is not the page's",
    403: "the secret in COLLECTOR_INVENTORY_TOKEN_FILE is not the page's",
    404: "the page takes no inventory: is WEBAPP_INVENTORY_TOKEN_FILE set there, and the address its own?",
}


class PushFailed(Exception):
    """The status page did not take the inventory: its address, what went wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Page:
    """Where the inventory of a grid goes."""

    url: str
    grid: str
    token_file: Path
    ca_file: Path | None = None

    @property
    def address(self) -> str:
        return f"{self.url.rstrip('/')}/api/inventory/{self.grid}"

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read the secret."""
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        return parts.scheme == "https" or host in ("localhost", "::1") or host.startswith("127.")


class _Answer(NamedTuple):
    status: int
    reason: str
    location: str
    text: str


def push_inventory(page: Page, body: bytes, timeouts: Timeouts) -> None:
    """Have the page take `body`, or raise PushFailed."""
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = _ask(page, "PUT", headers, gzip.compress(body, 6, mtime=0), timeouts)
    if answer.status != 204:
        raise PushFailed(_describe(page, answer))


def check_page(page: Page, timeouts: Timeouts) -> None:
    """Whether the page would take an inventory with this secret: PushFailed where not."""
    answer = _ask(page, "GET", {}, None, timeouts)
    if answer.status not in (200, 204):
        raise PushFailed(_describe(page, answer))


@dataclass(slots=True)
class Push:
    """A push under way; its thread is left behind where the page holds it past the deadline."""

    page: Page
    deadline_s: float
    problem: str | None = field(init=False)
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        self.problem = f"{self.page.address}: no answer by the end of the run: the list was not delivered"

    def start(self, make_body: Callable[[], bytes], timeouts: Timeouts) -> Push:
        self._thread = threading.Thread(target=self._run, args=(make_body, timeouts), daemon=True)
        self._thread.start()
        return self

    def _run(self, make_body: Callable[[], bytes], timeouts: Timeouts) -> None:
        try:
            push_inventory(self.page, make_body(), timeouts)
        except PushFailed as error:
            self.problem = str(error)
        else:
            self.problem = None

    def finish(self) -> str | None:
        """What went wrong, or None; returns by the deadline (monotonic)."""
        assert self._thread is not None
        self._thread.join(max(0.0, self.deadline_s - time.monotonic()))
        return self.problem


def read_token(file: Path) -> str:
    """The first line of the file; PushFailed where it is no secret that fits into a header."""
    name = f"COLLECTOR_INVENTORY_TOKEN_FILE={file}"
    try:
        with file.open("rb") as lines:
            token = lines.readline(4096).strip()
    except OSError as error:
        raise PushFailed(f"{name}: {error.strerror}: the inventory cannot be sent") from None
    if not token or not all(33 <= byte <= 126 for byte in token):
        raise PushFailed(f"{name}: its first line is not a secret of visible ASCII characters")
    return token.decode("ascii")


def _ask(page: Page, method: str, headers: dict[str, str], body: bytes | None, timeouts: Timeouts) -> _Answer:
    headers = {
        "Authorization": f"Bearer {read_token(page.token_file)}",
        "User-Agent": _USER_AGENT,
        "Connection": "close",
        **headers,
    }
    connection, stage = _connection(page, timeouts), "connecting"
    try:
        _connect(connection, timeouts.connect_s)
        stage = "sending"
        connection.sock.settimeout(timeouts.write_s)
        with suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it has read everything
            connection.request(method, urlsplit(page.address).path, body, headers)
        stage = "waiting for its answer"
        response = connection.getresponse()
        text = response.read(_ANSWER_BYTES_MAX).decode("utf-8", "replace")
        return _Answer(response.status, response.reason, response.headers.get("Location", ""), text)
    except TimeoutError:
        raise PushFailed(f"{page.address}: no answer while {stage}") from None
    except ConnectionRefusedError:
        raise PushFailed(f"{page.address}: connection refused: nothing listens there") from None
    except ssl.SSLCertVerificationError as error:
        raise PushFailed(
            f"{page.address}: its certificate is not trusted: {error.verify_message} "
            "(COLLECTOR_INVENTORY_CA_FILE names those to trust)"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        problem = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PushFailed(f"{page.address}: {problem or type(error).__name__} ({stage})") from None
    finally:
        connection.close()


def _connection(page: Page, timeouts: Timeouts) -> http.client.HTTPConnection:
    """http.client follows no redirect and asks no proxy: the secret goes to the configured address alone."""
    parts = urlsplit(page.url)
    host, port, timeout_s = parts.hostname or "", parts.port, timeouts.connect_s
    if parts.scheme != "https":
        return http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        context = ssl.create_default_context(cafile=str(page.ca_file) if page.ca_file else None)
    except OSError as error:
        raise PushFailed(f"COLLECTOR_INVENTORY_CA_FILE={page.ca_file}: {error.strerror or error}") from None
    return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)


def _connect(connection: http.client.HTTPConnection, patience_s: float) -> None:
    """A page that is being restarted refuses for a moment."""
    until_s = time.monotonic() + patience_s
    while True:
        try:
            return connection.connect()
        except ConnectionRefusedError:
            if time.monotonic() + _RETRY_AFTER_S > until_s:
                raise
            time.sleep(_RETRY_AFTER_S)


def _describe(page: Page, answer: _Answer) -> str:
    text = f"{page.address}: HTTP {answer.status} {one_line(answer.reason)}".rstrip()
    if answer.location:
        return f"{text} to {one_line(answer.location)}: give the address itself in COLLECTOR_INVENTORY_URL"
    said = one_line(_message_of(answer.text), _ANSWER_LENGTH_MAX)
    return ": ".join(filter(None, (text, said, _HINTS.get(answer.status))))


def _message_of(text: str) -> str:
    """What the page says of an error, as it does in JSON; a proxy's HTML says nothing."""
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return "" if text.lstrip().startswith("<") else text
