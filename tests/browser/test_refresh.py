"""The page keeps itself up to date and what its reader has set up; old figures never look fresh."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Response, expect

from tests.browser import scene
from tests.browser.deployment import REFRESH_S, Deployment, run_app
from tests.browser.opening import open_page
from tests.browser.places import cell_of, grid_of, job_cell, shown_paths
from tests.services.proxy import Proxy, run_proxy
from tests.services.support import wait_until

SLOW_MS = 120_000  # the next poll and the refresh after it, on a busy machine


@pytest.fixture(scope="module")
def proxied(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Proxy]]:
    """An app of this module's own over the same Graphite, so that polls can be made to fail."""
    folder = tmp_path_factory.mktemp("failing")
    with run_proxy(deployment.graphite.url) as proxy:
        settings = {"WEBAPP_STALE_AFTER_S": "120", "WEBAPP_POLL_TIMEOUT_S": "5"}
        with run_app(folder, proxy.url, **settings) as url:
            yield url, proxy


def next_refresh(page: Page) -> Response:
    with page.expect_response(re.compile(r"\?part=cells"), timeout=SLOW_MS) as caught:
        pass
    return caught.value


def test_new_values_arrive_in_place(page: Page, deployment: Deployment) -> None:
    path = "grids.zz-patched.jobs.all.idle"
    deployment.send((path, 5.0))
    deployment.wait_for(path)
    open_page(page, deployment.url)
    cell = job_cell(page, "zz-patched", "all", "Idle")
    expect(cell).to_have_text("5")
    cell.evaluate("cell => { cell.dataset.same = 'yes'; }")
    deployment.send((path, 8.0))
    expect(cell).to_have_text("8", timeout=SLOW_MS)
    expect(cell).to_have_attribute("data-same", "yes")  # the cell was patched, not replaced


def test_a_refresh_is_small_json(status: Page, deployment: Deployment) -> None:
    assert next_refresh(status).headers["content-type"].startswith("application/json")
    whole = status.request.get(deployment.url)
    cells = status.request.get(f"{deployment.url}/?part=cells")
    assert len(cells.body()) < len(whole.body()) / 2


def deployment_etag(page: Page, deployment: Deployment) -> str:
    return page.request.get(f"{deployment.url}/?part=cells").headers["etag"]


def test_an_unchanged_page_is_answered_by_304(page: Page, deployment: Deployment) -> None:
    """Between two polls: asked twice in a row, the second answer is empty."""

    def is_304() -> bool:
        etag = deployment_etag(page, deployment)
        headers = {"If-None-Match": etag}
        return page.request.get(f"{deployment.url}/?part=cells", headers=headers).status == 304

    wait_until(is_304, "a 304 between two polls")


def test_new_rows_arrive_and_the_reader_keeps_everything(status: Page, deployment: Deployment) -> None:
    """Scroll, filter, sorting, focus, the fold switch and the plot survive a body with other rows."""
    status.set_viewport_size({"width": 1300, "height": 420})
    status.locator("#filter").fill("belle")
    grid_of(status, "belle").locator("table.clouds thead tr:last-child th", has_text="Running").click()
    job_cell(status, "belle", "all", "Held").click()
    expect(status.locator("#plot-legend tr")).to_have_count(1)
    for _ in range(2):  # into the plot and out again: what stays is the focus
        cell_of(status, "belle", "cern", "large", "Idle").click()
    expect(cell_of(status, "belle", "cern", "large", "Idle")).to_be_focused()
    expect(status.locator("#plot-legend tr")).to_have_count(1)
    status.evaluate("() => scrollTo(0, 90)")
    before = status.evaluate("() => scrollY")
    name = f"new-{int(time.time())}"
    deployment.send(
        (f"grids.belle.clouds.{name}.vms.large.running", 500.0), (f"grids.belle.clouds.{name}.enabled", 1.0)
    )
    expect(grid_of(status, "belle").locator(f'tbody[data-cloud="{name}"]')).to_be_visible(timeout=SLOW_MS)
    assert status.evaluate("() => scrollY") == before
    expect(status.locator("#filter")).to_have_value("belle")
    expect(grid_of(status, "atlas")).to_be_hidden()
    first = grid_of(status, "belle").locator("tbody[data-cloud]").first
    expect(first).to_have_attribute("data-cloud", name)  # sorted in, the largest first
    expect(cell_of(status, "belle", "cern", "large", "Idle")).to_be_focused()
    assert shown_paths(status) == ["grids.belle.jobs.all.held"]
    expect(job_cell(status, "belle", "all", "Held")).to_have_attribute("aria-selected", "true")
    deployment.send((f"grids.belle.clouds.{name}.vms.large.running", 0.0))


def test_countdown_runs_and_pause_holds(status: Page) -> None:
    expect(status.locator("#countdown")).to_have_text(re.compile(r"^\d+$"))
    next_refresh(status)
    status.keyboard.press("p")
    expect(status.locator("#pause")).to_have_attribute("aria-pressed", "true")
    expect(status.locator("#countdown")).to_have_text("–")
    expect(status.locator("#body[aria-busy]")).to_have_count(0)  # a refresh under way may end
    asked: list[str] = []
    status.on("request", lambda request: asked.append(request.url))
    status.wait_for_timeout(REFRESH_S * 2000 + 500)
    assert not asked
    with status.expect_response(re.compile(r"\?part=cells")):
        status.keyboard.press("r")  # by hand it still works
    status.locator("#pause").click()
    next_refresh(status)


def test_offline_is_told_and_recovers(status: Page) -> None:
    status.context.set_offline(True)
    expect(status.locator("#banner")).to_contain_text("This browser is offline")
    status.context.set_offline(False)
    expect(status.locator("#banner")).to_have_text("", timeout=SLOW_MS)


def test_a_server_that_does_not_answer_is_told(status: Page) -> None:
    status.route(re.compile(r"part=cells"), lambda route: route.abort())
    expect(status.locator("#banner")).to_contain_text("gives no new figures", timeout=SLOW_MS)
    status.unroute(re.compile(r"part=cells"))
    expect(status.locator("#banner")).to_have_text("", timeout=SLOW_MS)


def test_a_page_that_lost_a_script_loads_itself_anew(page: Page, deployment: Deployment) -> None:
    """As by a connection that broke: no script would be at work, nor tell how old the figures are."""
    page.clock.install()
    page.route(re.compile(r"/js/sort\.js"), lambda route: route.abort())
    page.goto(deployment.url)
    assert page.locator("html").get_attribute("data-ready") is None
    page.unroute(re.compile(r"/js/sort\.js"))
    page.route(deployment.url + "/", lambda route: route.abort())  # and now it is being restarted
    with page.expect_event("requestfailed"):
        page.clock.run_for(11_000)
    page.unroute(deployment.url + "/")
    page.clock.run_for(11_000)
    expect(page.locator("html[data-ready]")).to_have_count(1)


def test_figures_that_grow_old_on_the_screen_no_longer_look_fresh(page: Page, deployment: Deployment) -> None:
    """The server is gone and the page stays open: after the limit every value is marked by itself."""
    page.clock.install()
    open_page(page, deployment.url)
    cell = cell_of(page, "belle", "victoria", "large", "Running")
    assert cell.evaluate("cell => getComputedStyle(cell).fontStyle") == "normal"
    page.route(re.compile(r"part=cells"), lambda route: route.abort())
    page.clock.run_for(200_000)
    expect(page.locator("html")).to_have_attribute("data-aged", "")
    assert cell.evaluate("cell => getComputedStyle(cell).fontStyle") == "italic"
    beat = grid_of(page, "belle").locator(".hb").first
    assert beat.evaluate("beat => getComputedStyle(beat).borderTopStyle") == "dashed"
    expect(page.locator("#age")).to_have_text(re.compile(r"Data [3-9] min old"))
    expect(page.locator("#age")).to_have_class(re.compile("old"))


def test_a_clock_that_is_off_does_not_age_the_figures(page: Page, deployment: Deployment) -> None:
    page.clock.install(time=time.time() + 7200)
    open_page(page, deployment.url)
    page.clock.run_for((REFRESH_S + 2) * 1000)
    expect(page.locator("#age")).to_have_text(re.compile(r"Data \d+ s old"))
    assert page.locator("html").get_attribute("data-aged") is None


@pytest.mark.parametrize("mode", ["500", "html"])
def test_a_failing_poll_is_told_on_the_page(page: Page, proxied: tuple[str, Proxy], mode: str) -> None:
    url, proxy = proxied
    open_page(page, url)
    running = cell_of(page, "belle", "victoria", "large", "Running").inner_text()
    recoveries = page.locator("#events-list li.poll_recovered")
    before = recoveries.count()
    proxy.mode = "500" if mode == "500" else "html"
    try:
        expect(page.locator("#banner")).to_contain_text("poll of Graphite failed", timeout=SLOW_MS)
        assert cell_of(page, "belle", "victoria", "large", "Running").inner_text() == running
        expect(page.locator("#events-list li.poll_failed")).to_have_count(before + 1, timeout=SLOW_MS)
    finally:
        proxy.mode = "pass"
    expect(page.locator("#banner")).to_have_text("", timeout=SLOW_MS)
    expect(recoveries).to_have_count(before + 1, timeout=SLOW_MS)
    expect(recoveries.first).to_contain_text("poll answered")


def test_a_grid_that_goes_quiet_is_marked_with_its_age(page: Page, deployment: Deployment) -> None:
    at = scene.minute_of(time.time()) - 240
    deployment.send(("grids.zz-silent.jobs.all.idle", 12.0), ("grids.zz-silent.heartbeat.condor", 1.0), at=at)
    deployment.wait_for("grids.zz-silent.jobs.all.idle")
    open_page(page, deployment.url)
    grid = grid_of(page, "zz-silent")
    expect(grid.locator("h2 .mark")).to_have_class("mark stale")
    expect(grid.locator(".cause")).to_have_text(re.compile(r"no data for \d min"))
    expect(grid.locator(".hb.stale")).to_have_text(re.compile(r"HTCondor lost, \d min"))
    expect(job_cell(page, "zz-silent", "all", "Idle")).to_have_class("s")
