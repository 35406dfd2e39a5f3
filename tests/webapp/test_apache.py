"""The page under a real Apache by the shipped file: five processes, one poll, no visitor needed."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote_plus

import pytest

from tests.services import ask
from tests.services.apache import CONF, Apache, need_apache, open_folder, run_apache, unshare_command
from tests.services.proxy import Passed, Proxy, run_proxy
from tests.services.support import free_port, listens, stop_process, wait_until
from tests.services.victoriametrics import VictoriaMetrics
from tests.webapp.listings import TOKEN, job, listing, vm, write_token
from tests.webapp.sample import sample_values
from webapp.poll.plan import poll_targets
from webapp.poll.state_files import read_outcome

CHECKOUT = Path(__file__).resolve().parent.parent.parent
BATCH = len(poll_targets()) + 1
MOD_WSGI = "mod_wsgi==6.1.1"  # needs Apache's headers, so that requirements-dev.txt cannot pin it


def poll_times(passed: list[Passed]) -> list[float]:
    """When polls began, by the first of their requests."""
    return [one.at for one in passed if poll_targets()[0] in unquote_plus(one.path + one.body)]


def test_the_file_is_as_promised() -> None:
    text = CONF.read_text()
    for directive in (
        "Define CLOUD_MONITOR_USER ", "Define CLOUD_MONITOR_GROUP ", "Define CLOUD_MONITOR_PATH ",
        "Listen 5000", "<VirtualHost *:5000>",
        "processes=5 threads=5 display-name='%{GROUP}' inactivity-timeout=120",
        "user=${CLOUD_MONITOR_USER} group=${CLOUD_MONITOR_GROUP}", "WSGIProcessGroup cloud_monitor",
        "process-group=cloud_monitor application-group=%{GLOBAL}", "WSGIScriptAlias / ",
        "Require all granted", "WSGIPassAuthorization On",
        "LogLevel warn", "ErrorLog ", "CustomLog ",
    ):  # fmt: skip
        assert directive in text, directive


@pytest.fixture(scope="module")
def store(victoriametrics: VictoriaMetrics) -> VictoriaMetrics:
    """With the sample, and points to come too: a store without one of the last minutes is a failure."""
    for minute in range(15):
        values = sample_values(time.time() + 60 * minute)
        victoriametrics.send((value.path, value.value or 0.0, value.timestamp or 0) for value in values)
    wait_until(lambda: victoriametrics.render("grids.belle.jobs.all.idle"), "the sample in the store")
    return victoriametrics


@pytest.fixture(scope="module")
def proxy(store: VictoriaMetrics) -> Iterator[Proxy]:
    """Before VictoriaMetrics, which answers at once also on a busy machine: here it counts how often."""
    with run_proxy(store.url) as service:
        yield service


@pytest.fixture
def own_proxy(store: VictoriaMetrics) -> Iterator[Proxy]:
    """For who counts the polls of an Apache of his own: the one of all tests polls on meanwhile."""
    with run_proxy(store.url) as service:
        yield service


@pytest.fixture(scope="module")
def apache(proxy: Proxy) -> Iterator[Apache]:
    with open_folder() as folder:
        token = write_token(folder)
        token.chmod(0o644)
        environment = {"WEBAPP_GRAPHITE_URL": proxy.url, "WEBAPP_INVENTORY_TOKEN_FILE": str(token)}
        yield from serve(folder, environment)


def serve(folder: Path, environment: dict[str, str]) -> Iterator[Apache]:
    with run_apache(folder, environment) as service:
        health = f"{service.url}/health"
        try:
            wait_until(lambda: ask.get(health).status_code == 200, "data")
        except AssertionError:
            pytest.fail(f"{ask.get(health).text}\n{service.error_log()}")
        yield service


def polls(proxy: Proxy) -> int:
    """Polls so far. The first of all asks for one thing more."""
    return len(proxy.passed) // BATCH


def test_a_newcomer_sees_every_page(apache: Apache) -> None:
    home = ask.get(f"{apache.url}/")
    assert home.status_code == 200
    assert "belle" in home.text
    grid = f"{apache.url}/grids/belle"
    wait_until(
        lambda: [ask.get(grid).status_code for _ in range(10)] == [200] * 10,
        "the data in every process",
    )
    for asset in set(re.findall(r'(?:src|href)="(/static/[^"]+)"', home.text)):
        answer = ask.get(f"{apache.url}{asset}")
        assert answer.status_code == 200, asset
        assert "max-age=31536000" in answer.headers["Cache-Control"]
        assert "immutable" in answer.headers["Cache-Control"]


def test_lists_come_in_and_are_read_by_all_processes_at_once(apache: Apache) -> None:
    """Eight grids send while readers ask whichever process answers them; no list is lost, none is half."""
    names = [f"grid{number}" for number in range(8)]
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Encoding": "gzip"}
    headers["Content-Type"] = "application/json"
    statuses: list[int] = []
    faults: list[str] = []
    sending = threading.Event()
    first = int(time.time()) // 60 * 60 - 600

    def send(grid: str) -> None:
        for minute in range(10):
            vms = [vm(f"vm{number}", slots=minute) for number in range(50 + minute)]
            body = gzip.compress(json.dumps(listing(first + 60 * minute, vms, [job("1.0")])).encode())
            answer = ask.put(f"{apache.url}/api/inventory/{grid}", body, headers=headers)
            statuses.append(answer.status_code)

    def read() -> None:
        while not sending.is_set():
            for grid in ask.get(f"{apache.url}/api/vms?limit=5000").json()["grids"]:
                minute = (grid["taken_at"] - first) // 60
                if grid["listed"] != 50 + minute:
                    faults.append(str(grid))

    readers = [threading.Thread(target=read) for _ in range(4)]
    senders = [threading.Thread(target=send, args=(grid,)) for grid in names]
    for thread in (*readers, *senders):
        thread.start()
    for thread in senders:
        thread.join()
    sending.set()
    for thread in readers:
        thread.join()
    assert Counter(statuses) == {204: 80}
    assert faults == []
    found = ask.get(f"{apache.url}/api/vms?limit=5000").json()
    assert [(grid["grid"], grid["listed"]) for grid in found["grids"]] == [(name, 59) for name in names]
    assert ask.get(f"{apache.url}/api/inventory/grid0").status_code == 401


def test_all_processes_run_as_the_account_and_share_one_poll(apache: Apache, proxy: Proxy) -> None:
    wait_until(lambda: len(apache.daemons()) == 5, "five processes, also when one is being replaced")
    began = time.time()
    statuses: list[int] = []

    def visit() -> None:
        with ask.new_session() as session:
            while time.time() < began + 5 or len(statuses) <= 50:
                statuses.append(session.get(f"{apache.url}/", timeout=300).status_code)

    before = len(proxy.passed)
    visitors = [threading.Thread(target=visit) for _ in range(10)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert set(statuses) == {200}
    # The rest of a poll that had begun before does not count; a busy machine may begin one late.
    assert len(poll_times(proxy.passed[before:])) <= 1 + (time.time() - began + 30) / 60


def test_figures_are_summed_over_the_processes(apache: Apache) -> None:
    def processes() -> str:
        text = ask.get(f"{apache.url}/metrics").text
        return next(line for line in text.splitlines() if line.startswith("cloud_monitor_processes "))

    wait_until(lambda: processes() == "cloud_monitor_processes 5.0", "five processes in /metrics")
    count = 'cloud_monitor_http_requests_total{route="/api/status",status="200"} '
    for _ in range(25):
        assert ask.get(f"{apache.url}/api/status").status_code == 200

    def counted() -> float:
        text = ask.get(f"{apache.url}/metrics").text
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(count))

    wait_until(lambda: counted() == 25, "25 requests in the sum of all processes")


def test_no_shared_log_line_is_an_error(apache: Apache) -> None:
    assert ask.get(f"{apache.url}/").status_code == 200
    assert "Traceback" not in apache.error_log()
    assert (apache.root / "cloud_monitor_access.log").read_text().count("GET / ") > 0


@pytest.mark.apache
def test_exactly_the_shipped_file_on_its_own_port() -> None:
    """In a network of its own, where port 5000 is free, Apache serves with the file as it is."""
    source = (
        "from tests.services import apache; "
        "apache.free_port = lambda: apache.SHIPPED_PORT\n"
        "import subprocess; subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)\n"
        "from tests.services import ask\n"
        "nobody = {'WEBAPP_GRAPHITE_URL': 'http://127.0.0.1:1'}\n"
        "with apache.open_folder() as root, apache.run_apache(root, nobody) as running:\n"
        "    same = (root / 'cloud_monitor.conf').read_text() == apache.CONF.read_text()\n"
        "    print(same, running.url, ask.get(running.url).status_code)\n"
    )
    if shutil.which("ip") is None:
        pytest.skip("the program ip is not there to bring the loopback interface up")
    command = [*unshare_command(), sys.executable, "-c", source]
    ran = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False)
    assert ran.stdout.split() == ["True", "http://127.0.0.1:5000", "200"], ran.stderr


def test_the_environments_packages_come_before_the_systems(proxy: Proxy) -> None:
    """As with Debian's python3-requests, which certbot brings along; here none of them can be imported."""
    with open_folder() as folder:
        system = folder / "dist-packages"
        for name in ("requests", "urllib3", "flask", "pydantic", "sqlalchemy", "webapp", "cloud_monitor"):
            (system / name).mkdir(parents=True)
            (system / name / "__init__.py").write_text(f"raise ImportError('the system has {name}')\n")
        daemon = "WSGIDaemonProcess cloud_monitor "
        conf = CONF.read_text().replace(daemon, f"{daemon}python-path={system} processes=2 ")
        conf = conf.replace("processes=5 ", "")
        with run_apache(folder, {"WEBAPP_GRAPHITE_URL": proxy.url}, conf) as apache:
            wait_until(lambda: ask.get(f"{apache.url}/health").status_code == 200, "data")
            answer = ask.get(f"{apache.url}/api/series?target=grids.belle.jobs.all.idle")
            assert answer.status_code == 200, answer.text


def visit_all(apache: Apache) -> None:
    """Give every process something to do: mod_wsgi counts inactivity from a process's last request."""
    visitors = [threading.Thread(target=ask.get, args=(f"{apache.url}/health",)) for _ in range(100)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()


def test_one_poll_a_step_without_any_visitor_across_restarts(own_proxy: Proxy) -> None:
    """Shorter times: steps of 4 s, processes restarted after 10 s without a request."""
    conf = CONF.read_text().replace("inactivity-timeout=120", "inactivity-timeout=10")
    variables = {
        "WEBAPP_GRAPHITE_URL": own_proxy.url,
        "WEBAPP_POLL_EVERY_S": "4",
        "WEBAPP_POLL_AFTER_STEP_S": "1",
    }
    with open_folder() as folder, run_apache(folder, variables, conf) as apache:
        wait_until(lambda: len(apache.daemons()) == 5, "five processes")
        started = set(apache.daemons())
        wait_until(lambda: (apache.root / "state/snapshot.json").exists(), "the first poll")
        visit_all(apache)
        before, attempts = len(own_proxy.passed), set[float]()

        def noted(has_happened: Callable[[], object]) -> object:
            attempts.add(read_outcome(apache.root / "state").attempted_at)
            return has_happened()

        wait_until(
            lambda: noted(lambda: started - set(apache.daemons())), "a restart by the inactivity time-out"
        )
        restarted = len(own_proxy.passed)
        wait_until(
            lambda: noted(lambda: len(own_proxy.passed) >= restarted + 3 * BATCH),
            "three more polls, without a visitor",
        )
        passed = own_proxy.passed[before:]
        attempts.add(read_outcome(apache.root / "state").attempted_at)
    # On a busy machine a poll begins some time after it is noted: what counts is for which steps it was.
    steps = [(at - 1) // 4 for at in sorted(attempts)]
    assert len(steps) >= 3
    assert sorted(set(steps)) == steps, "a step was polled twice"
    # the first was made before, and the last may be on its way
    assert 0 <= len(attempts) - len(poll_times(passed)) <= 2, "a poll was not noted"


@pytest.mark.soak
def test_ten_minutes_without_any_visitor(own_proxy: Proxy) -> None:
    """Exactly the shipped times: one poll a minute, while the inactivity time-out restarts the processes."""
    with open_folder() as folder, run_apache(folder, {"WEBAPP_GRAPHITE_URL": own_proxy.url}) as apache:
        wait_until(lambda: len(apache.daemons()) == 5, "five processes")
        started = set(apache.daemons())
        visit_all(apache)
        time.sleep(60 - (time.time() - 15) % 60)
        before = len(own_proxy.passed)
        time.sleep(600)
        passed = own_proxy.passed[before:]
        assert started - set(apache.daemons()), "the inactivity time-out restarted none of the processes"
    requests_of_step = Counter(int((one.at - 20) // 60) for one in passed)
    assert requests_of_step == {min(requests_of_step) + number: BATCH for number in range(10)}


def install_mod_wsgi(folder: Path) -> Path:
    """PyPI's mod_wsgi built for Debian's own Python, as apache/README.md says; its mod_wsgi-express."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = Path("/usr/bin") / version
    if (
        shutil.which("apxs") is None
        or not Path(f"/usr/include/{version}/Python.h").exists()
        or not python.exists()
    ):
        pytest.skip("mod_wsgi cannot be built here: apt-get install apache2-dev python3-dev")
    environment = folder / "env"
    subprocess.run([python, "-m", "venv", "--without-pip", environment], check=True, timeout=300)
    pip = [sys.executable, "-m", "pip", "--python", environment / "bin/python"]
    # A wheel in pip's cache may have been built for another Python of the same version.
    subprocess.run([*pip, "install", "--quiet", "--no-cache-dir", MOD_WSGI], check=True, timeout=300)
    return environment / "bin/mod_wsgi-express"


def test_pypis_mod_wsgi_serves_the_page_too() -> None:
    need_apache()
    port = free_port()
    account = ["--user", "www-data", "--group", "www-data"] if os.geteuid() == 0 else []
    with open_folder() as folder:
        state = folder / "state"
        for closed in (folder / "server", state):
            closed.mkdir()
            closed.chmod(0o777)
        command = [
            install_mod_wsgi(folder), "start-server", CHECKOUT / "wsgi/cloud_monitor.wsgi",
            "--port", str(port),
            "--server-root", folder / "server", "--log-to-terminal", *account,
        ]  # fmt: skip
        variables = {"WEBAPP_STATE_DIR": str(state), "WEBAPP_GRAPHITE_URL": "http://127.0.0.1:1"}
        server = subprocess.Popen(command, env={**os.environ, **variables}, stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: listens(port), "mod_wsgi-express", process=server)
            assert ask.get(f"http://127.0.0.1:{port}/").status_code == 200
        finally:
            stop_process(server)
