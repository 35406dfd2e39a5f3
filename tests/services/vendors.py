"""The services that alerts are sent to, on loopback: a proxy that ends their TLS, and what each would answer.

Clients reach them by their own names, unpatched, by HTTPS_PROXY and REQUESTS_CA_BUNDLE. What a vendor would
refuse is refused: a missing field, a wrong address, a key that is not there.
"""

from __future__ import annotations

import base64
import datetime
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TEAMS = ("prod-1.westeurope.logic.azure.com", "abc.environment.api.powerplatform.com")


class Call(NamedTuple):
    """What a vendor took: its name, what happened there, and the text that people see."""

    vendor: str
    what: str
    text: str


class Request(NamedTuple):
    method: str
    path: str
    query: dict[str, list[str]]
    headers: Any
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = tuple[int, bytes, Call]


def _slack(request: Request) -> Answer:
    assert request.path.startswith("/services/T")
    attachments = request.json["attachments"]
    text = " ".join(one["title"] + one["text"] for one in attachments)
    return 200, b"ok", Call("slack", "posted", text)


def _teams(request: Request) -> Answer:
    assert request.query["sig"] == ["aBcDeF"]
    (attachment,) = request.json["attachments"]
    assert request.json["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["content"]["type"] == "AdaptiveCard"
    text = " ".join(block["text"] for block in attachment["content"]["body"] if "text" in block)
    return 202, b"", Call("teams", "posted", text)


def _twilio(request: Request) -> Answer:
    account = "AC" + 32 * "a"
    assert request.path == f"/2010-04-01/Accounts/{account}/Messages.json"
    user = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
    assert user == f"{account}:{32 * 'b'}"
    assert request.form["From"] == "+15551234567"
    assert request.form["To"] == "+15557654321"
    return 201, b'{"sid": "SM1", "status": "queued"}', Call("sms", "sent", request.form["Body"])


def _pagerduty(request: Request) -> Answer:
    assert request.path == "/v2/enqueue"
    told = request.json
    answer = json.dumps({"status": "success", "dedup_key": told["dedup_key"]}).encode()
    what = f"{told['event_action']} {told['dedup_key']}"
    if told["event_action"] == "resolve":
        return 202, answer, Call("pagerduty", what, "")
    assert {"summary", "source", "severity"} <= told["payload"].keys()
    assert told["payload"]["severity"] in ("critical", "error", "warning", "info")
    assert len(told["payload"]["summary"]) <= 1024
    return 202, answer, Call("pagerduty", what, told["payload"]["summary"])


def _opsgenie(request: Request) -> Answer:
    assert request.headers["Authorization"] == "GenieKey aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
    answer = b'{"result": "Request will be processed", "requestId": "43a29c5c"}'
    if request.path == "/v2/alerts":
        assert len(request.json["message"]) <= 130
        return 202, answer, Call("opsgenie", f"create {request.json['alias']}", request.json["message"])
    alias = request.path.removeprefix("/v2/alerts/").removesuffix("/close")
    assert request.path == f"/v2/alerts/{alias}/close"
    assert request.query["identifierType"] == ["alias"]
    return 202, answer, Call("opsgenie", f"close {alias}", request.json["note"])


def _pushover(request: Request) -> Answer:
    assert request.path == "/1/messages.json"
    form = request.form if request.body[:1] != b"{" else request.json
    assert form["token"] == 30 * "b"
    assert form["user"] == 30 * "a"
    return 200, b'{"status": 1}', Call("pushover", "sent", form["title"] + form["message"])


VENDORS: dict[str, Callable[[Request], Answer]] = {
    "hooks.slack.com": _slack, "api.twilio.com": _twilio, "events.pagerduty.com": _pagerduty,
    "api.opsgenie.com": _opsgenie, "api.pushover.net": _pushover, **dict.fromkeys(TEAMS, _teams),
}  # fmt: skip
ADDRESSES = {
    "slack": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/",
    "teams": f"https://{TEAMS[0]}:443/workflows/643e2a/triggers/manual/paths/invoke"
    "?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=aBcDeF",
    "teams_new": f"https://{TEAMS[1]}:443/powerautomate/automations/direct/workflows/643e2a5e/triggers/manual"
    "/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=aBcDeF",
    "sms": f"twilio://AC{32 * 'a'}:{32 * 'b'}@15551234567/15557654321",
    "pagerduty": "pagerduty://A1BRTD4JD1BRTD4JD1BRTD4JD1BRTD4JD@TIiajkdnlazkcOXrIdevi7FQ/collector/atlas",
    "opsgenie": "opsgenie://aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "pushover": f"pover://{30 * 'a'}@{30 * 'b'}",
}


class Vendors:
    """What they took and what they refused; `environment` leads a client to them."""

    def __init__(self, folder: Path) -> None:
        self.calls: list[Call] = []
        self.refused: list[str] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = _certificate(folder)
        self.context.load_cert_chain(certificate)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.listener = socket.create_server(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.environment = {
            "HTTPS_PROXY": proxy, "REQUESTS_CA_BUNDLE": str(certificate), "NO_PROXY": "127.0.0.1",
        }  # fmt: skip

    def proxy(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            head = b""
            while b"\r\n\r\n" not in head:
                if not (part := connection.recv(4096)):
                    return
                head += part
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            with (
                self.context.wrap_socket(connection, server_side=True) as tls,
                socket.create_connection(("127.0.0.1", self.server.server_port)) as inner,
            ):
                threading.Thread(target=_pump, args=(tls, inner), daemon=True).start()
                _pump(inner, tls)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)


def _handler(vendors: Vendors) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            request = Request(self.command, parts.path, parse_qs(parts.query), self.headers, body)
            host = self.headers["Host"].partition(":")[0]
            try:
                status, answer, call = VENDORS[host](request)
                vendors.calls.append(call)
            except (AssertionError, KeyError, ValueError, TypeError) as error:
                status, answer = 400, b"{}"
                vendors.refused.append(f"{host}{self.path}: {error!r} {body[:2000]!r}")
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_DELETE = do_PUT = do_POST

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _certificate(folder: Path) -> Path:
    """One file with a key and a certificate for all names, which is its own CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test vendors")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in VENDORS]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "vendors.pem"
    file.write_bytes(private + certificate.public_bytes(pem))
    return file


@contextmanager
def run_vendors(folder: Path) -> Iterator[Vendors]:
    vendors = Vendors(folder)
    threading.Thread(target=vendors.server.serve_forever, daemon=True).start()
    threading.Thread(target=vendors.proxy, daemon=True).start()
    try:
        yield vendors
    finally:
        vendors.listener.shutdown(socket.SHUT_RDWR)
        vendors.listener.close()
        vendors.server.shutdown()
        vendors.server.server_close()
