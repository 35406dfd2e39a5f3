"""The status app as a process, before a real Graphite that holds the scene, with a proxy between them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.browser import lists, scene
from tests.services import ask
from tests.services.graphite import Graphite, run_graphite
from tests.services.proxy import Proxy, run_proxy
from tests.services.serving import serve_app
from tests.services.support import free_port, stop_process, wait_until
from tests.webapp.sample import write_sample
from webapp import create_app
from webapp.settings import Settings

REFRESH_S = 2


@dataclass(frozen=True, slots=True)
class Deployment:
    """`url` is the page's, without a slash at its end."""

    url: str
    graphite: Graphite
    proxy: Proxy

    def status(self) -> dict[str, Any]:
        """/api/status, as the page's figures can be compared with."""
        answer: dict[str, Any] = ask.get(f"{self.url}/api/status").json()
        return answer

    def wait_for(self, path: str) -> None:
        """Until a poll has brought the path."""
        wait_until(lambda: path in self.status()["values"], f"{path} in a snapshot")

    def send(self, *points: tuple[str, float], at: int | None = None) -> None:
        """Send values of this minute, or of the epoch second `at`."""
        minute = scene.minute_of(time.time()) if at is None else at
        scene.send_points(self.graphite.carbon, [scene.Point(path, minute, value) for path, value in points])


@contextmanager
def run_app(state_dir: Path, graphite_url: str, **settings: str) -> Iterator[str]:
    """`python -m webapp` on a free port; yields its address once it answers."""
    port = free_port()
    variables = {
        "WEBAPP_GRAPHITE_URL": graphite_url,
        "WEBAPP_STATE_DIR": str(state_dir),
        "WEBAPP_PORT": str(port),
        "WEBAPP_POLL_EVERY_S": "3",
        "WEBAPP_POLL_AFTER_STEP_S": "0.2",
        "WEBAPP_POLL_WINDOW_S": "900",  # what a test sends as old is seen, at whatever second of the minute
        "WEBAPP_REFRESH_EVERY_S": str(REFRESH_S),
        "WEBAPP_GRID_NAMES": json.dumps({"belle": "Belle II", "atlas": "ATLAS"}),
        "WEBAPP_LINKS": json.dumps([{"name": "Grafana", "url": "https://grafana.example.org/"}]),
        **settings,
    }
    state_dir.mkdir(parents=True, exist_ok=True)
    with open(state_dir / "webapp.log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "webapp"], env=os.environ | variables, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return ask.get(f"{url}/health").status_code == 200
        except requests.ConnectionError:
            return False

    try:
        wait_until(answers, "the status app", process=process, log=state_dir / "webapp.log")
        yield url
    finally:
        stop_process(process)


@contextmanager
def run_deployment(
    folder: Path, history_s: int = scene.HISTORY_S, extra_points: Iterable[scene.Point] = (), **settings: str
) -> Iterator[Deployment]:
    """Graphite with the scene, and the app before it; both are sent new figures each minute."""
    with run_graphite(folder / "graphite", retentions=scene.RETENTIONS) as graphite:
        begun = scene.minute_of(time.time())
        scene.send_points(graphite.carbon, scene.scene_points(begun, history_s))
        scene.send_points(graphite.carbon, extra_points)
        wait_until(lambda: _is_complete(graphite), "the scene in Graphite")
        stopping = threading.Event()
        token = folder / "inventory-token"
        token.write_text(f"{lists.TOKEN}\n")
        settings = {"WEBAPP_INVENTORY_TOKEN_FILE": str(token), **settings}
        with run_proxy(graphite.url) as proxy, run_app(folder / "state", proxy.url, **settings) as url:
            start = scene.minute_of(time.time())
            for minute in range(
                begun + scene.STEP_S, start + 1, scene.STEP_S
            ):  # a day's history takes a while
                scene.send_points(graphite.carbon, scene.newest_points(minute))
            _send_lists(url, start, *(start - before_s for before_s in lists.LISTED_BEFORE_S), start)
            collectors = threading.Thread(target=_keep_sending, args=(graphite, url, start, stopping))
            collectors.start()
            try:
                yield Deployment(url, graphite, proxy)
            finally:
                stopping.set()
                collectors.join()


def _is_complete(graphite: Graphite) -> bool:
    """Whether Carbon has made a file of every path: until then globs do not find it."""
    paths = (path for grid in scene.CLOUDS for path, _ in scene.grid_values(grid))
    return all((graphite.whisper_dir / f"{path.replace('.', '/')}.wsp").exists() for path in paths)


def _send_lists(url: str, start: int, *minutes: int) -> None:
    for grid in lists.GRIDS:
        for minute in minutes:
            lists.send_list(url, grid, lists.list_of(grid, minute, start))


def _keep_sending(graphite: Graphite, url: str, start: int, stopping: threading.Event) -> None:
    sent = start
    while not stopping.wait(0.5):
        now = time.time()
        if scene.minute_of(now) > sent:
            sent = scene.minute_of(now)
            scene.send_points(graphite.carbon, scene.newest_points(now))
            _send_lists(url, start, sent)


@contextmanager
def serve_to_ann(folder: Path, queue_url: str, token: str) -> Iterator[str]:
    """The address of a page in this process, without a store, on which ann may ask things of that queue."""
    write_sample(folder, time.time())
    (folder / "tokens").write_text(f"ann {token}\n")
    with run_proxy() as proxy:
        proxy.mode = "empty"
        settings = Settings(
            state_dir=folder,
            token_file=folder / "tokens",
            graphite_url=proxy.url,
            fleet_database_url=queue_url,
            wishes_database_url=queue_url,
        )
        with serve_app(create_app(settings, poll=False)) as address:
            yield address
