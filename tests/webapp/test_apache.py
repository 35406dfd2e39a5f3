"""The page under a real Apache by the shipped file: five processes, one poll, no visitor needed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.services.apache import CONF, Apache, run_apache, unshare_command
from tests.services.proxy import Proxy, run_proxy
from tests.services.support import wait_until
from tests.services.victoriametrics import VictoriaMetrics
from tests.webapp.sample import sample_values
from webapp.poll_targets import poll_targets

CHECKOUT = Path(__file__).resolve().parent.parent.parent
BATCH = len(poll_targets())


def test_the_file_is_as_promised() -> None:
    text = CONF.read_text()
    for directive in (
        "Define CLOUD_MONITOR_USER ", "Define CLOUD_MONITOR_GROUP ", "Define CLOUD_MONITOR_PATH ",
        "Listen 5000", "<VirtualHost *:5000>",
        "processes=5 threads=5 display-name='%{GROUP}' inactivity-timeout=120",
        "user=${CLOUD_MONITOR_USER} group=${CLOUD_MONITOR_GROUP}", "WSGIProcessGroup cloud_monitor",
        "process-group=cloud_monitor application-group=%{GLOBAL}", "WSGIScriptAlias / ",
        "Require all granted",
        "LogLevel warn", "ErrorLog ", "CustomLog ",
    ):  # fmt: skip
        assert directive in text, directive


@pytest.fixture(scope="module")
def proxy(victoriametrics: VictoriaMetrics) -> Iterator[Proxy]:
    """Before VictoriaMetrics, which answers at once also on a busy machine: here it counts how often."""
    points = [value for value in sample_values(time.time()) if value.value is not None and value.timestamp]
    victoriametrics.send((value.path, value.value or 0.0, value.timestamp or 0) for value in points)
    wait_until(lambda: victoriametrics.render("grids.belle.jobs.all.idle"), "the sample in the store", 40)
    with run_proxy(victoriametrics.url) as service:
        yield service


@pytest.fixture(scope="module")
def apache(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apache]:
    with run_apache(tmp_path_factory.mktemp("apache"), {"WEBAPP_GRAPHITE_URL": proxy.url}) as service:
        health = f"{service.url}/health"
        try:
            wait_until(lambda: requests.get(health, timeout=60).status_code == 200, "data", 90)
        except AssertionError:
            pytest.fail(f"{requests.get(health, timeout=60).text}\n{service.error_log()}")
        yield service


def polls(proxy: Proxy) -> int:
    """Polls so far. The first of all asks for one thing more; nothing else uses the proxy here."""
    return len(proxy.passed) // BATCH


def test_a_newcomer_sees_every_page(apache: Apache) -> None:
    home = requests.get(f"{apache.url}/", timeout=60)
    assert home.status_code == 200
    assert "belle" in home.text
    grid = f"{apache.url}/grids/belle"
    wait_until(
        lambda: [requests.get(grid, timeout=60).status_code for _ in range(10)] == [200] * 10,
        "the data in every process",
    )
    for asset in set(re.findall(r'(?:src|href)="(/static/[^"]+)"', home.text)):
        answer = requests.get(f"{apache.url}{asset}", timeout=60)
        if "/vendor/" not in asset:  # those come from npm
            assert answer.status_code == 200, asset
            assert "max-age=31536000" in answer.headers["Cache-Control"]
            assert "immutable" in answer.headers["Cache-Control"]


def test_all_processes_run_as_the_account_and_share_one_poll(apache: Apache, proxy: Proxy) -> None:
    assert len(apache.daemons()) == 5
    deadline = time.time() + 5
    statuses: list[int] = []

    def visit() -> None:
        with requests.Session() as session:
            while time.time() < deadline:
                statuses.append(session.get(f"{apache.url}/", timeout=60).status_code)

    before = len(proxy.passed)
    first = time.time() % 60
    visitors = [threading.Thread(target=visit) for _ in range(10)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert set(statuses) == {200}
    assert len(statuses) > 50
    due = 1 if first <= 20 < first + (time.time() - deadline + 5) + 1 else 0
    assert len(proxy.passed) - before <= due * BATCH


def test_figures_are_summed_over_the_processes(apache: Apache) -> None:
    def processes() -> str:
        text = requests.get(f"{apache.url}/metrics", timeout=60).text
        return next(line for line in text.splitlines() if line.startswith("cloud_monitor_processes "))

    wait_until(lambda: processes() == "cloud_monitor_processes 5.0", "five processes in /metrics")
    count = 'cloud_monitor_http_requests_total{route="/api/status",status="200"} '
    for _ in range(25):
        assert requests.get(f"{apache.url}/api/status", timeout=60).status_code == 200

    def counted() -> float:
        text = requests.get(f"{apache.url}/metrics", timeout=60).text
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(count))

    wait_until(lambda: counted() == 25, "25 requests in the sum of all processes")


def test_no_shared_log_line_is_an_error(apache: Apache) -> None:
    assert "Traceback" not in apache.error_log()
    assert (apache.root / "cloud_monitor_access.log").read_text().count("GET / ") > 0


def test_exactly_the_shipped_file_on_its_own_port(tmp_path: Path) -> None:
    """In a network of its own, where port 5000 is free, Apache serves with the file as it is."""
    source = (
        "import sys; from pathlib import Path; from tests.services import apache; "
        "apache.free_port = lambda: apache.SHIPPED_PORT\n"
        "import requests, subprocess; subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)\n"
        "root, nobody = Path(sys.argv[1]), {'WEBAPP_GRAPHITE_URL': 'http://127.0.0.1:1'}\n"
        "with apache.run_apache(root, nobody) as running:\n"
        "    same = (root / 'cloud_monitor.conf').read_text() == apache.CONF.read_text()\n"
        "    print(same, running.url, requests.get(running.url, timeout=60).status_code)\n"
    )
    if shutil.which("ip") is None:
        pytest.skip("the program ip is not there to bring the loopback interface up")
    command = [*unshare_command(), sys.executable, "-c", source, str(tmp_path / "apache")]
    ran = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=110, check=False)
    assert ran.stdout.split() == ["True", "http://127.0.0.1:5000", "200"], ran.stderr


def visit_all(apache: Apache) -> None:
    """Give every process something to do: mod_wsgi counts inactivity from a process's last request."""
    visitors = [
        threading.Thread(target=requests.get, args=(f"{apache.url}/health",), kwargs={"timeout": 60})
        for _ in range(100)
    ]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()


def test_one_poll_a_step_without_any_visitor_across_restarts(proxy: Proxy, tmp_path: Path) -> None:
    """Shorter times: steps of 4 s, processes restarted after 10 s without requests; 24 s without any."""
    conf = CONF.read_text().replace("inactivity-timeout=120", "inactivity-timeout=10")
    variables = {
        "WEBAPP_GRAPHITE_URL": proxy.url,
        "WEBAPP_POLL_EVERY_S": "4",
        "WEBAPP_POLL_AFTER_STEP_S": "1",
    }
    with run_apache(tmp_path / "apache", variables, conf) as apache:
        wait_until(lambda: len(apache.daemons()) == 5, "five processes")
        started = set(apache.daemons())
        wait_until(lambda: (apache.root / "state/snapshot.json").exists(), "the first poll", 90)
        visit_all(apache)
        begin = time.time() // 4 * 4 + 5  # the next step, when its poll is still to come
        time.sleep(begin - time.time() - 0.5)
        before = len(proxy.passed)
        time.sleep(24)
        passed = proxy.passed[before:]
        assert started - set(apache.daemons()), "the inactivity time-out restarted none of the processes"
    steps = {int((one.at - 1) // 4) for one in passed}
    assert len(steps) in (6, 7)
    assert max(steps) - min(steps) + 1 == len(steps), "a step was left out"
    assert len(passed) == BATCH * len(steps), "a step was polled twice"


@pytest.mark.soak
def test_ten_minutes_without_any_visitor(proxy: Proxy, tmp_path: Path) -> None:
    """Exactly the shipped times: one poll a minute, while the inactivity time-out restarts the processes."""
    with run_apache(tmp_path / "apache", {"WEBAPP_GRAPHITE_URL": proxy.url}) as apache:
        wait_until(lambda: len(apache.daemons()) == 5, "five processes")
        started = set(apache.daemons())
        visit_all(apache)
        time.sleep(60 - (time.time() - 15) % 60)
        before = len(proxy.passed)
        time.sleep(600)
        passed = proxy.passed[before:]
        assert started - set(apache.daemons()), "the inactivity time-out restarted none of the processes"
    steps = [int((one.at - 20) // 60) for one in passed]
    assert {step: steps.count(step) for step in steps} == {min(steps) + number: BATCH for number in range(10)}


def test_pypis_mod_wsgi_serves_the_page_too(tmp_path: Path) -> None:
    """One page through the extra `mod_wsgi`, where it is installed."""
    express = Path(sys.executable).parent / "mod_wsgi-express"
    if not express.exists():
        pytest.skip("the extra mod_wsgi is not installed: apt-get install apache2-dev, pip install mod_wsgi")
    from tests.services.support import free_port, listens

    port = free_port()
    state = tmp_path / "state"
    account = ["--user", "www-data", "--group", "www-data"] if os.geteuid() == 0 else []
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/tmp") and folder.owner() == "root" and str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    (tmp_path / "server").mkdir()
    state.mkdir()
    for folder in (tmp_path / "server", state):
        folder.chmod(0o777)
    command = [
        str(express), "start-server", str(CHECKOUT / "wsgi/cloud_monitor.wsgi"), "--port", str(port),
        "--server-root", str(tmp_path / "server"), "--log-to-terminal", *account,
    ]  # fmt: skip
    environment = {**os.environ, "WEBAPP_STATE_DIR": str(state), "WEBAPP_GRAPHITE_URL": "http://127.0.0.1:1"}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: listens(port), "mod_wsgi-express", 30)
        assert requests.get(f"http://127.0.0.1:{port}/", timeout=60).status_code == 200
    finally:
        server.terminate()
        server.wait(15)
