"""Who may change something, as it is served: a login at a real Apache, tokens at the page's own server."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.services import ask
from tests.services.apache import CONF, MODULES, Apache, open_folder, run_apache
from tests.services.pages import run_page
from tests.services.support import free_port, wait_until

TOKEN = "robot-s-token-0123456789"
SECRET = "azure-s-secret-0123456789"
_LOGIN = """
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authn_file_module {modules}/mod_authn_file.so
LoadModule auth_basic_module {modules}/mod_auth_basic.so
LoadModule authz_user_module {modules}/mod_authz_user.so
"""
_GUARD = """
    <Location />
        AuthType Basic
        AuthName "Cloud Monitor"
        AuthUserFile {root}/users
        Require valid-user
    </Location>
</VirtualHost>"""


@pytest.fixture(scope="module")
def apache() -> Iterator[Apache]:
    """The shipped file with the login of apache/README.md: anna may change something, ben may not."""
    with open_folder() as root:
        lines = [f"{name}:{hashed(f'{name}-secret')}" for name in ("anna", "ben")]
        (root / "users").write_text("\n".join(lines) + "\n")
        conf = CONF.read_text().replace("</VirtualHost>", _GUARD.format(root=root))
        (root / "azure").write_text(f"{SECRET}\n")
        environment = {
            "WEBAPP_REMOTE_USERS": "anna",
            "WEBAPP_AZURE_SECRET_FILE": str(root / "azure"),
            "WEBAPP_GRAPHITE_URL": f"http://127.0.0.1:{free_port()}",
        }
        with run_apache(root, environment, _LOGIN.format(modules=MODULES) + conf) as service:
            wait_until(lambda: post(service.url, "anna").status_code == 201, "the page")
            yield service


def hashed(password: str) -> str:
    command = ["openssl", "passwd", "-apr1", password]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def post(url: str, login: str, **headers: str) -> requests.Response:
    if login:
        word = base64.b64encode(f"{login}:{login}-secret".encode()).decode()
        headers["Authorization"] = f"Basic {word}"
    return ask.post(f"{url}/api/annotations", json={"text": "noted"}, headers=headers)


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_login_at_apache_counts_where_it_is_named(apache: Apache) -> None:
    answer = post(apache.url, "anna")
    assert (answer.status_code, answer.json()["by"]) == (201, "anna")
    assert code(post(apache.url, "ben")) == (403, "user_refused")
    assert post(apache.url, "").status_code == 401  # Apache's own: nobody comes so far
    wait_until(lambda: "anna (by login, from 127.0.0.1) annotated" in apache.error_log(), "the audit's line")


def test_a_login_does_not_count_for_what_another_site_asks(apache: Apache) -> None:
    assert code(post(apache.url, "anna", Origin="https://evil.example")) == (403, "other_site")
    assert code(post(apache.url, "anna", **{"Sec-Fetch-Site": "cross-site"})) == (403, "other_site")
    assert post(apache.url, "anna", Origin=apache.url).status_code == 201
    word = base64.b64encode(b"anna:anna-secret").decode()
    form = ask.post(
        f"{apache.url}/api/annotations", {"text": "noted"}, headers={"Authorization": f"Basic {word}"}
    )
    assert code(form) == (415, "type_refused")


def test_the_secret_of_azure_is_in_no_log(apache: Apache) -> None:
    word = base64.b64encode(b"ben:ben-secret").decode()
    headers = {"Authorization": f"Basic {word}"}
    for secret in (SECRET, f"{SECRET}-and-more"):
        answer = ask.post(f"{apache.url}/api/alerts/azure?secret={secret}", json={}, headers=headers)
        assert answer.status_code == (400 if secret == SECRET else 401), answer.text
        assert SECRET not in answer.text
    logs = apache.root / "cloud_monitor_access.log"
    wait_until(lambda: logs.read_text().count("POST /api/alerts/azure HTTP/1.1") == 2, "both in the log")
    assert "POST /api/annotations" in logs.read_text()
    assert SECRET not in logs.read_text() + apache.error_log()


def test_no_header_that_a_visitor_sends_is_a_login(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(f"robot {TOKEN}\n")
    settings = {"WEBAPP_REMOTE_USERS": "*", "WEBAPP_TOKEN_FILE": str(tmp_path / "tokens")}
    state = tmp_path / "state"
    with run_page(state, variables=settings) as page:
        url = page.url
        wait_until(lambda: ask.get(f"{url}/api/annotations").status_code == 200, "the page")
        for name in ("Remote-User", "REMOTE_USER", "X-Remote-User", "X-Forwarded-User", "Remote_User"):
            assert code(post(url, "", **{name: "anna"})) == (401, "proof_missing"), name
        answer = post(url, "", Authorization=f"Bearer {TOKEN}")
        assert (answer.status_code, answer.json()["by"]) == (201, "robot")
    assert (
        "robot (by token, from 127.0.0.1) annotated everything: noted" in (state / "webapp.log").read_text()
    )
    assert TOKEN not in (state / "webapp.log").read_text()
