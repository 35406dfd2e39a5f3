"""Plots in a real browser: what a click shows, ranges, zoom, comparison, addresses, pictures, exports."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser import scene
from tests.browser.deployment import Deployment, run_app
from tests.browser.opening import open_page
from tests.browser.places import (
    cell_of,
    find_serious,
    grid_of,
    job_cell,
    number,
    read_json,
    shown_paths,
    total_cell,
)

RUNNING = "grids.belle.clouds.victoria.vms.large.running"
JOBS = "grids.belle.jobs.all.running"


COUNT_WARNING_PIXELS = """() => {
  const text = getComputedStyle(document.documentElement).getPropertyValue("--warn").trim();
  const canvas = document.querySelector("#plot-chart canvas");
  const paint = document.createElement("canvas").getContext("2d");
  paint.fillStyle = text;
  paint.fillRect(0, 0, 1, 1);
  const [red, green, blue] = paint.getImageData(0, 0, 1, 1).data;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) {
    const away = [red, green, blue].map((part, index) => Math.abs(data[at + index] - part));
    if (Math.max(...away) < 10 && data[at + 3] > 60) count += 1;
  }
  return count;
}"""


@pytest.fixture
def running(status: Page) -> Locator:
    return cell_of(status, "belle", "victoria", "large", "Running")


def plot_of(page: Page, *targets: str, more: str = "") -> str:
    return "/plot?" + "&".join(f"target={target}" for target in targets) + more


def drawn(page: Page) -> None:
    """Wait until a plot is on the screen and nothing more is asked."""
    expect(page.locator("#plot-chart canvas")).to_be_visible()
    expect(page.locator("#plot")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator("#plot-status")).to_have_text(re.compile(r"points$"))


def query_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def test_a_click_plots_the_last_hour_and_another_takes_it_away(status: Page, running: Locator) -> None:
    running.click()
    drawn(status)
    assert shown_paths(status) == [RUNNING]
    assert query_of(status) == {"target": [RUNNING], "from": ["-1h"], "until": ["now"]}
    expect(running).to_have_attribute("aria-selected", "true")
    running.click()
    expect(status.locator("#plot")).to_be_hidden()
    assert urlsplit(status.url).query == ""
    assert running.get_attribute("aria-selected") is None


def test_enter_plots_and_escape_closes(status: Page) -> None:
    status.keyboard.press("j")
    status.keyboard.press("Enter")
    drawn(status)
    status.keyboard.press("Escape")
    expect(status.locator("#plot")).to_be_hidden()


def test_several_traces_with_two_units_have_two_axes_and_a_legend(
    status: Page, running: Locator, deployment: Deployment
) -> None:
    running.click()
    job_cell(status, "belle", "all", "Running").click()
    drawn(status)
    assert shown_paths(status) == [RUNNING, JOBS]
    expect(status.locator("#plot-chart .u-axis")).to_have_count(3)  # time, VMs, jobs
    lines = status.locator("#plot-legend tr")
    expect(lines.nth(0)).to_contain_text("belle / victoria: running VMs, large vms")
    expect(lines.nth(1)).to_contain_text("belle: running jobs jobs")
    series = read_json(status, f"{deployment.url}/api/series?target={JOBS}&from=-1h")["series"][0]
    known = [value for value in series["values"] if value is not None]
    now, least, most, mean = (number(text) for text in lines.nth(1).locator("td").all_text_contents()[:4])
    assert least == min(known)
    assert most == max(known)
    assert mean == pytest.approx(sum(known) / len(known), rel=0.01)
    assert now in known[-3:]
    colour = lines.nth(1).locator(".swatch path").get_attribute("stroke")
    lines.nth(0).get_by_role("button").click()
    expect(lines).to_have_count(1)
    expect(lines.locator(".swatch path")).to_have_attribute("stroke", str(colour))  # a trace keeps its colour
    assert shown_paths(status) == [JOBS]


def test_totals_and_heartbeats_can_be_plotted(status: Page) -> None:
    total_cell(status, "belle", "Running").click()
    status.locator(".total", has_text="Idle").nth(1).click()
    grid_of(status, "belle").locator(".hb").first.click()
    drawn(status)
    assert shown_paths(status) == [
        "grids.belle.clouds.*.vms.*.running", "grids.*.jobs.all.idle", "grids.belle.heartbeat.cloud_monitor",
    ]  # fmt: skip
    sums = [number(text) for text in status.locator("#plot-legend tr td:nth-child(2)").all_text_contents()]
    assert sums[0] == pytest.approx(number(total_cell(status, "belle", "Running").inner_text()), rel=0.05)


def test_a_quota_is_plotted_with_whether_the_cloud_is_enabled(status: Page) -> None:
    cell_of(status, "belle", "victoria", "large", "Quota").click()
    drawn(status)
    at = "grids.belle.clouds.victoria"
    assert shown_paths(status) == [f"{at}.quota", f"{at}.enabled"]


def test_quick_ranges_are_those_of_the_first_cloud_monitor(status: Page, running: Locator) -> None:
    running.click()
    offered = status.locator("#plot-quick option").evaluate_all("all => all.map(one => one.value)")
    ending_now = (
        *("-7d", "-30d", "-60d", "-90d", "-6mon", "-1y", "-2y", "-5y"),
        *("-5min", "-15min", "-30min", "-1h", "-3h", "-6h", "-12h", "-24h"),
    )
    pairs = ["-2d|-1d", "-3d|-2d", "-8d|-7d", "-14d|-7d", "-2mon|-1mon", "-2y|-1y"]
    assert set(offered) >= {f"{one}|now" for one in ending_now} | set(pairs)
    status.locator("#plot-quick").select_option("-2d|-1d")
    drawn(status)
    assert query_of(status)["from"] == ["-2d"]
    assert query_of(status)["until"] == ["-1d"]
    status.go_back()
    expect(status.locator("#plot-from")).to_have_value("-1h")
    drawn(status)


def test_free_ranges_absolute_and_relative(status: Page, running: Locator) -> None:
    running.click()
    drawn(status)
    status.locator("#plot-from").fill("-20 minutes")
    status.locator("#plot-from").press("Enter")
    drawn(status)
    expect(status.locator("#plot-status")).to_contain_text(re.compile(r"\b(19|20|21) points"))
    at = time.gmtime(scene.minute_of(time.time()) - 1800)
    status.locator("#plot-from").fill(time.strftime("%Y-%m-%d %H:%M", at))
    status.get_by_role("button", name="Show").click()
    drawn(status)
    assert query_of(status)["from"] == [str(int(time.mktime(at)) - time.timezone)]
    status.locator("#plot-from").fill("tomorrow or so")
    status.get_by_role("button", name="Show").click()
    expect(status.locator("#plot-status.error")).to_contain_text("-3h, now or 2026-01-31 08:00")


def test_times_are_read_as_exports_read_them(browser: Browser, deployment: Deployment) -> None:
    table = json.loads((Path(__file__).parents[1] / "data/times.json").read_text())
    context = browser.new_context(timezone_id=table["zone"])
    page = open_page(context.new_page(), deployment.url)
    found = page.evaluate(
        """async ({cases, now}) => {
            const main = document.querySelector('script[type=module]').src;
            const { parseTime, shiftDays } = await import(main.replace('main', 'ranges'));
            const dayBefore = (text) => parseTime(text, now) - shiftDays(parseTime(text, now), -1);
            const days = ['2024-11-03T12:00', '2024-11-04T12:00', '2024-03-10T12:00'].map(dayBefore);
            return [cases.map(([text]) => [text, parseTime(text, now)]), days];
        }""",
        table,
    )
    assert found[0] == table["cases"]
    assert found[1] == [25 * 3600, 24 * 3600, 23 * 3600]  # the same time yesterday, where clocks change
    context.close()


def test_dragging_zooms_and_fetches_and_back_comes_out(page: Page, deployment: Deployment) -> None:
    open_page(page, deployment.url + plot_of(page, JOBS, more="&from=-8d&until=now"))
    drawn(page)
    coarse = int(re.search(r"per (\d+) s", page.locator("#plot-status").inner_text())[1])  # type: ignore[index]
    assert coarse > 60
    box = page.locator("#plot-chart .u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.995, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.95, box["y"] + 60, steps=4)
    with page.expect_response(re.compile("/api/series")):
        page.mouse.up()
    drawn(page)
    fine = int(re.search(r"per (\d+) s", page.locator("#plot-status").inner_text())[1])  # type: ignore[index]
    assert fine < coarse
    zoomed = query_of(page)
    assert 0.03 * 8 * 86400 < int(zoomed["until"][0]) - int(zoomed["from"][0]) < 0.06 * 8 * 86400
    page.locator("#plot-out").click()
    expect(page.locator("#plot-from")).to_have_value("-8d")
    drawn(page)
    page.keyboard.press("z")  # nothing to go back to: it widens
    expect(page.locator("#plot-from")).not_to_have_value("-8d")


def test_comparison_with_yesterday_and_last_week(status: Page) -> None:
    job_cell(status, "belle", "all", "Running").click()
    drawn(status)
    for value, days in (("1d", 1), ("7d", 7)):
        status.locator("#plot-compare").select_option(value)
        expect(status.locator("#plot-legend tr")).to_have_count(2)
        drawn(status)
        expect(status.locator("#plot-legend tr").nth(1)).to_contain_text(f"{days} d earlier")
        assert query_of(status)["compare"] == [value]
    earlier = number(status.locator("#plot-legend tr:nth-child(2) td").first.inner_text())
    expected = {
        scene.wave(JOBS, scene.JOBS["belle"][0], at)
        for back in range(-2, 6)
        for at in [scene.minute_of(time.time()) - 7 * scene.DAY_S - back * 60]
    }
    assert earlier in expected


def test_gaps_stay_gaps(status: Page, deployment: Deployment) -> None:
    job_cell(status, "belle", "all", "Running").click()
    drawn(status)
    pieces = status.evaluate(
        """async () => {
            const main = document.querySelector('script[type=module]').src;
            const { shownPlot } = await import(main.replace('main', 'plotpanel'));
            const { drawSvg } = await import(main.replace('main', 'picture'));
            const lines = [...drawSvg(shownPlot()).querySelectorAll('path[fill=none]')];
            const gaps = shownPlot().drawn[0].values.filter(value => value === null).length;
            return [lines[0].getAttribute('d').split('M').length - 1, gaps];
        }"""
    )
    assert pieces[0] == 2
    assert pieces[1] >= 9


def test_an_address_shows_someone_else_the_same(status: Page, running: Locator, browser: Browser) -> None:
    running.click()
    job_cell(status, "belle", "sim", "Idle").click()
    status.locator("#plot-quick").select_option("-3h|now")
    status.locator("#plot-compare").select_option("1d")
    drawn(status)
    status.locator("#plot-link").click()
    expect(status.locator("#plot-status")).to_contain_text("clipboard")
    copied = status.evaluate("() => navigator.clipboard.readText()")
    assert copied == status.url
    context = browser.new_context(timezone_id="America/Vancouver")
    other = open_page(context.new_page(), str(copied))
    drawn(other)
    assert shown_paths(other) == shown_paths(status)
    expect(other.locator("#plot-from")).to_have_value("-3h")
    expect(other.locator("#plot-compare")).to_have_value("1d")
    expect(cell_of(other, "belle", "victoria", "large", "Running")).to_have_attribute("aria-selected", "true")
    with other.expect_navigation():
        other.locator("#plot-page").click()
    drawn(other)
    assert shown_paths(other) == shown_paths(status)
    context.close()


def test_live_plots_follow_and_others_stand_still(status: Page) -> None:
    job_cell(status, "belle", "all", "Idle").click()
    drawn(status)
    expect(status.locator("#plot-live")).to_have_attribute("aria-pressed", "true")
    with status.expect_response(re.compile("/api/series")):
        pass  # the page's refresh brings it
    status.locator("#plot-live").click()
    expect(status.locator("#plot-live")).to_have_attribute("aria-pressed", "false")
    drawn(status)
    asked: list[str] = []
    status.on("request", lambda request: asked.append(request.url))
    with status.expect_response(re.compile("part=cells")):
        pass
    with status.expect_response(re.compile("part=cells")):
        pass
    assert not [url for url in asked if "/api/series" in url]
    assert query_of(status)["live"] == ["0"]


def test_spans_in_which_a_sum_lacked_a_schedd_are_hatched(page: Page, deployment: Deployment) -> None:
    """The hatching is told from the same plot of another grid by its colour."""
    grid, asked, answered = scene.SHORT
    text = f"{answered} of {asked} schedds of {grid} answered"
    coloured = {}
    for name in (grid, "belle"):
        open_page(page, deployment.url + plot_of(page, f"grids.{name}.jobs.all.running"))
        drawn(page)
        coloured[name] = page.evaluate(COUNT_WARNING_PIXELS)
        expect(page.locator("#plot-legend .incomplete")).to_have_count(1 if name == grid else 0)
        if name == grid:
            expect(page.locator("#plot-legend .incomplete")).to_have_text(text)
            with page.expect_download() as download:
                page.locator("#plot-svg").click()
            assert f"hatched: {text}" in download.value.path().read_text()
    assert coloured[grid] > 200
    assert coloured["belle"] == 0


def test_pictures_as_png_and_svg(status: Page, running: Locator) -> None:
    running.click()
    drawn(status)
    with status.expect_download() as download:
        status.locator("#plot-png").click()
    png = download.value.path().read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(png[16:20], "big") > 600
    with status.expect_download() as download:
        status.locator("#plot-svg").click()
    svg = download.value.path().read_text()
    assert svg.startswith("<svg")
    assert "belle / victoria: running VMs, large (vms)" in svg


def test_exports_are_scriptable_addresses_with_the_same_values(status: Page, running: Locator) -> None:
    running.click()
    job_cell(status, "belle", "all", "Running").click()
    drawn(status)
    address = status.locator("#plot-csv").get_attribute("href")
    assert address is not None
    query = parse_qs(urlsplit(address).query)
    assert query["target"] == [RUNNING, JOBS]
    assert query["tz"] == ["UTC"]
    origin = status.url.split("/?")[0]
    text = status.request.get(origin + address).text()
    rows = list(
        csv.reader(io.StringIO("\n".join(line for line in text.splitlines() if not line.startswith("#"))))
    )
    assert any(RUNNING in name for name in rows[0])
    assert 55 < len(rows) < 65
    assert "\t" in status.request.get(origin + str(status.locator("#plot-tsv").get_attribute("href"))).text()
    exported = read_json(status, origin + str(status.locator("#plot-json").get_attribute("href")))
    assert RUNNING in str(exported)


def test_traces_can_be_added_by_path_and_wrong_ones_are_explained(page: Page, deployment: Deployment) -> None:
    open_page(page, f"{deployment.url}/plot")
    page.locator("#plot-add").fill("grids.atlas.sysinfo.cpu")
    page.locator("#plot-add").press("Enter")
    drawn(page)
    assert shown_paths(page) == ["grids.atlas.sysinfo.cpu"]
    page.locator("#plot-add").fill("sumSeries(grids.*.secret)")
    page.locator("#plot-add").press("Enter")
    expect(page.locator("#plot-status.error")).to_contain_text("is not a metric path")


def test_the_legend_shows_the_values_under_the_pointer(status: Page) -> None:
    job_cell(status, "atlas", "all", "Idle").click()
    drawn(status)
    box = status.locator("#plot-chart .u-over").bounding_box()
    assert box is not None
    status.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(status.locator("#legend-at")).to_have_text(re.compile(r"^\d\d:\d\d$"))
    status.mouse.move(box["x"] + 10, box["y"] - 300)
    expect(status.locator("#legend-at")).to_have_text("Now")


def test_a_failing_graphite_is_told_and_the_page_stays(page: Page, deployment: Deployment) -> None:
    open_page(page, deployment.url)
    page.route(
        "**/api/series*",
        lambda route: route.fulfill(status=502, json={"error": {"message": "Graphite is down"}}),
    )
    job_cell(page, "atlas", "all", "Idle").click()
    expect(page.locator("#plot-status.error")).to_have_text("Graphite is down")
    expect(grid_of(page, "atlas")).to_be_visible()


def test_the_plot_page_is_accessible(page: Page, deployment: Deployment) -> None:
    open_page(page, deployment.url + plot_of(page, JOBS))
    drawn(page)
    assert find_serious(page) == []


def test_plots_and_exports_work_below_a_prefix(page: Page, deployment: Deployment, tmp_path: Path) -> None:
    """Behind a proxy that serves the page under /monitor, and takes that off before it passes requests on."""
    trust = {"WEBAPP_TRUSTED_PROXIES": "1", "WEBAPP_TRUSTED_HEADERS": "for,proto,prefix"}
    with run_app(tmp_path, deployment.proxy.url, **trust) as url:
        page.set_extra_http_headers({"X-Forwarded-Prefix": "/monitor"})
        page.route(
            "**/monitor/**", lambda route: route.continue_(url=route.request.url.replace("/monitor", ""))
        )
        open_page(page, f"{url}/monitor/")
        job_cell(page, "belle", "all", "Running").click()
        drawn(page)
        address = str(page.locator("#plot-csv").get_attribute("href"))
        assert address.startswith("/monitor/export?")
        grid_of(page, "belle").locator("h2 a").click()
        expect(page).to_have_url(re.compile("/monitor/grids/belle"))


def test_pages_ask_for_no_more_traces_than_an_operator_allows(
    page: Page, deployment: Deployment, tmp_path: Path
) -> None:
    targets = [f"grids.belle.jobs.all.{status}" for status in ("running", "idle", "held")]
    with run_app(tmp_path, deployment.proxy.url, WEBAPP_SERIES_MAX="2") as url:
        open_page(page, f"{url}/grids/belle")
        expect(page.locator(".spark", has_text="Running jobs").locator("svg path")).to_have_count(2)
        open_page(page, url + plot_of(page, *targets))
        drawn(page)
        expect(page.locator("#plot-legend tr")).to_have_count(2)
