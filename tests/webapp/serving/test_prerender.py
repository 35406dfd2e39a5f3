"""The status page is ready before anybody asks for it anew, and only where somebody asks for it at all."""

from __future__ import annotations

import time
from pathlib import Path

from werkzeug.test import EnvironBuilder

from tests.services.support import wait_until
from tests.webapp.sample import clock, write_sample
from webapp.app import POLLER, create_app
from webapp.poll import current
from webapp.serving import page_cache
from webapp.serving.page_cache import Prerenderer
from webapp.settings import Settings


def is_ready(app: object, query: str = "", prefix: str = "") -> bool:
    environ = EnvironBuilder(path="/", query_string=query).get_environ() | {"SCRIPT_NAME": prefix}
    pages, latest = app.extensions[page_cache.EXTENSION], app.extensions[current.EXTENSION]  # type: ignore[attr-defined]
    return pages.find_ready(environ, latest.view()) is not None


def test_a_new_minute_is_rendered_before_the_next_visitor(tmp_path: Path) -> None:
    now = time.time()
    write_sample(tmp_path, now)
    ahead_s = 0.0
    settings = Settings(graphite_url="http://127.0.0.1:9", state_dir=tmp_path)
    app = create_app(settings, clock=lambda: now + ahead_s)
    try:
        app.test_client().get("/?part=cells")
        app.test_client().get("/", environ_overrides={"SCRIPT_NAME": "/below"})
        assert is_ready(app, "part=cells")
        ahead_s = 60.0
        wait_until(lambda: is_ready(app, "part=cells"), "the cells of the new minute")
        wait_until(lambda: is_ready(app, prefix="/below"), "the page of the new minute")
        assert not is_ready(app)  # nobody has asked for it
    finally:
        app.extensions[POLLER].finish()


def test_an_address_counts_for_a_few_minutes(tmp_path: Path) -> None:
    write_sample(tmp_path)
    app = create_app(Settings(state_dir=tmp_path), poll=False, clock=clock)
    asked: list[str] = []
    now = 0.0

    def note(environ, start_response):  # type: ignore[no-untyped-def]
        asked.append(f"{environ['SCRIPT_NAME']}{environ['PATH_INFO']}?{environ['QUERY_STRING']}")
        return app.wsgi_app(environ, start_response)

    prerenderer = Prerenderer(note, clock=lambda: now)
    for query in ("", "part=cells", "part=body", "x=1"):
        prerenderer.note(EnvironBuilder(path="/", query_string=query).get_environ())
    prerenderer.note(EnvironBuilder(path="/fleet").get_environ())
    prerenderer.render()
    assert asked == ["/?", "/?part=cells"]
    now = 100.0
    prerenderer.note(EnvironBuilder(path="/").get_environ())
    now = 200.0
    prerenderer.render()
    assert asked[2:] == ["/?"]
    for number in range(100):
        prerenderer.note(EnvironBuilder(path="/").get_environ() | {"SCRIPT_NAME": f"/{number}"})
    asked.clear()
    prerenderer.render()
    assert len(asked) <= 8
