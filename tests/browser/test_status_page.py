"""The status page in a real browser: what it shows, and everything about it but refresh and plots."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import scene
from tests.browser.deployment import Deployment
from tests.browser.opening import open_page
from tests.browser.places import cell_of, find_serious, grid_of, job_cell, number, pause, total_cell


def test_every_figure_is_the_one_that_graphite_has(status: Page, deployment: Deployment) -> None:
    """Each cell, by the path that a click on it would plot, against /api/status."""
    values = wait_for_same_values(status, deployment)
    pause(status)
    shown = status.evaluate(
        """async () => {
            const main = document.querySelector('script[type=module]').src;
            const { pathsOf } = await import(main.replace('main', 'paths'));
            const cells = [...document.querySelectorAll('#body table.figures td')];
            return cells.map(cell => [pathsOf(cell)[0] ?? '', cell.textContent.trim()]);
        }"""
    )
    single = [(path, text) for path, text in shown if path and "*" not in path and text not in ("", "–")]
    assert len(single) > 200
    assert len({path for path, _ in single}) == len(single)
    wrong = [
        (path, text, values.get(path))
        for path, text in single
        if path not in values or abs(number(text) - values[path]["value"]) > 0.05 * abs(values[path]["value"])
    ]
    assert not wrong[:5]
    exact = [path for path, text in single if number(text) == values[path]["value"]]
    assert len(exact) > 0.9 * len(single)


def wait_for_same_values(page: Page, deployment: Deployment) -> dict[str, Any]:
    """The interface's values when the page shows them too: the same before and after a refresh of it."""
    before: dict[str, Any] = {}
    while (values := deployment.status()["values"]) != before:
        before = values
        with page.expect_response(re.compile(r"\?part=cells")):
            pass
    return before


def test_totals_are_the_sums_of_what_is_shown(status: Page, deployment: Deployment) -> None:
    pause(status)
    status.locator("#show-all").check()
    for heading in ("Running", "Error", "Idle", "Lost"):
        column = [
            number(text)
            for cloud, types in scene.CLOUDS["belle"].items()
            for vmtype in types
            if (text := cell_of(status, "belle", cloud, vmtype, heading).inner_text()) != "–"
        ]
        assert number(total_cell(status, "belle", heading).inner_text()) == sum(column)
    over_all = status.locator('.total:has(b[data-path="grids.*.clouds.*.vms.*.running"]) b').inner_text()
    grids = [number(total_cell(status, grid, "Running").inner_text()) for grid in ("belle", "atlas")]
    assert number(over_all) >= sum(grids)


def test_there_are_as_many_slot_columns_as_slots(status: Page) -> None:
    def slots(grid: str) -> list[str]:
        return [
            text.strip()
            for text in grid_of(status, grid).locator("table.clouds thead th.slot").all_text_contents()
        ]

    assert slots("belle") == [str(number) for number in range(1, 17)]
    assert slots("atlas") == [str(number) for number in range(1, 9)]


def test_marks_say_which_child_is_the_cause(status: Page) -> None:
    grid = grid_of(status, "atlas")
    expect(grid.locator("h2 .mark")).to_have_class("mark bad")
    expect(grid.locator(".cause")).to_have_text(re.compile(r"^munich: \d+ VMs in error$"))
    expect(grid.locator('tbody[data-cloud="munich"] .mark')).to_have_class("mark bad")
    expect(grid.locator('tbody[data-cloud="ecdf"] .mark')).to_have_class("mark ok")
    causes = status.locator(".overview .attention > ul > li > div > .mark")
    levels = causes.evaluate_all("marks => marks.map(mark => mark.className)")
    order = ["mark stale", "mark bad", "mark warn"]
    assert levels == sorted(levels, key=order.index)
    assert "mark bad" in levels


def test_the_tab_tells_how_many_alerts_fire(status: Page) -> None:
    firing = status.locator("#alert-count").evaluate(
        "count => count.hidden ? 0 : parseInt(count.textContent)"
    )
    assert status.title() == (f"({firing}) " if firing else "") + "Cloud Monitor"


def test_zero_missing_and_stale_differ_by_more_than_colour(page: Page, deployment: Deployment) -> None:
    for name, age_s in (("fresh", 0), ("old", 180)):  # a poll looks 300 s back, and may be late
        at = scene.minute_of(time.time()) - age_s
        deployment.send((f"grids.zz-aging.clouds.{name}.vms.small.running", 7.0), at=at)
    deployment.send(
        ("grids.zz-aging.clouds.fresh.vms.small.error", 0.0), ("grids.zz-aging.heartbeat.condor", 1.0),
        ("grids.zz-aging.clouds.old.enabled", 1.0),
    )  # fmt: skip
    deployment.wait_for("grids.zz-aging.clouds.old.enabled")
    open_page(page, deployment.url)
    expect(cell_of(page, "zz-aging", "fresh", "small", "Running")).to_have_text("7")
    zero = cell_of(page, "zz-aging", "fresh", "small", "Error")
    expect(zero).to_have_class("z")
    assert zero.evaluate("c => getComputedStyle(c).fontWeight") == "400"
    missing = cell_of(page, "zz-aging", "fresh", "small", "Starting")
    expect(missing).to_have_text("–")
    stale = cell_of(page, "zz-aging", "old", "small", "Running")
    expect(stale).to_have_class("s")
    expect(stale).to_have_attribute("title", re.compile(r"^[3-9] min old$"))
    looks = stale.evaluate("c => [getComputedStyle(c).fontStyle, getComputedStyle(c, '::after').content]")
    assert looks[0] == "italic"
    assert "stale" in looks[1]


def test_heartbeats_carry_their_age_and_show_when_they_are_lost(status: Page) -> None:
    expect(grid_of(status, "belle").locator(".hb").first).to_have_text(
        re.compile(r"^Monitor \d+ s$|^Monitor \d min$")
    )
    expect(grid_of(status, "belle").locator(".hb.ok")).to_have_count(3)


def test_a_service_that_is_down_is_named(page: Page, deployment: Deployment) -> None:
    deployment.send(("grids.zz-down.heartbeat.condor", 0.0), ("grids.zz-down.heartbeat.cloud_monitor", 1.0))
    deployment.wait_for("grids.zz-down.heartbeat.condor")
    open_page(page, deployment.url)
    grid = grid_of(page, "zz-down")
    expect(grid.locator(".hb.bad")).to_have_text("HTCondor down")
    expect(grid.locator(".cause")).to_have_text("HTCondor does not answer")


def test_clouds_without_vms_fold_away_until_asked_for(status: Page) -> None:
    beaver = grid_of(status, "belle").locator('tbody[data-cloud="beaver"]')
    expect(beaver).to_be_hidden()
    status.keyboard.press("a")
    expect(beaver).to_be_visible()
    expect(beaver.locator(".off")).to_have_text("off")
    status.reload()
    expect(beaver).to_be_visible()  # remembered
    status.locator("#show-all").uncheck()
    expect(beaver).to_be_hidden()


def test_filter_by_grid_cloud_and_type(status: Page) -> None:
    status.keyboard.press("/")
    expect(status.locator("#filter")).to_be_focused()
    status.keyboard.type("victoria")
    expect(grid_of(status, "belle").locator('tbody[data-cloud="victoria"]')).to_be_visible()
    expect(grid_of(status, "belle").locator('tbody[data-cloud="cern"]')).to_be_hidden()
    expect(grid_of(status, "atlas")).to_be_hidden()
    expect(status.locator("#filter-count")).to_have_text("1 cloud")
    status.locator("#filter").fill("atlas himem")
    expect(grid_of(status, "atlas").locator('tbody[data-cloud="cern"]')).to_be_visible()
    expect(grid_of(status, "atlas").locator('tbody[data-cloud="ecdf"]')).to_be_hidden()
    status.locator("#filter").fill("otter")  # folded away, but asked for by name
    expect(grid_of(status, "atlas").locator('tbody[data-cloud="otter"]')).to_be_visible()
    status.locator("#filter").press("Escape")
    expect(grid_of(status, "belle")).to_be_visible()
    expect(status.locator("#filter")).to_have_value("")


def test_sorting_by_a_column_and_back(status: Page) -> None:
    pause(status)
    # Another test may have added a cloud, which is told apart once its figures are old.
    clouds = grid_of(status, "belle").locator('tbody[data-cloud]:not(.folds, [data-cloud^="new-"])')
    heading = grid_of(status, "belle").locator("table.clouds thead tr:last-child th", has_text="Running")

    def names() -> list[str]:
        return [str(name) for name in clouds.evaluate_all("all => all.map(one => one.dataset.cloud)")]

    assert names() == ["arbutus", "cern", "victoria"]
    heading.click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    assert names() == ["cern", "victoria", "arbutus"]
    heading.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "ascending")
    assert names() == ["arbutus", "victoria", "cern"]
    heading.click()
    assert names() == ["arbutus", "cern", "victoria"]
    assert heading.get_attribute("aria-sort") is None


def test_keyboard_walks_over_the_values(status: Page) -> None:
    def at() -> str:
        found = status.evaluate("() => document.activeElement.closest('tr')?.dataset.t ?? ''")
        return str(found)

    status.keyboard.press("j")
    assert at() == "himem"  # the first row of the first grid
    status.keyboard.press("j")
    assert at() == "mcore"
    status.keyboard.press("k")
    assert at() == "himem"
    before = status.evaluate("() => document.activeElement.cellIndex")
    status.keyboard.press("l")
    assert status.evaluate("() => document.activeElement.cellIndex") == before + 1
    status.keyboard.press("ArrowLeft")
    assert status.evaluate("() => document.activeElement.cellIndex") == before
    status.keyboard.press("?")
    expect(status.locator("#help-dialog")).to_be_visible()
    status.keyboard.press("Escape")
    expect(status.locator("#help-dialog")).to_be_hidden()


def test_light_and_dark_are_remembered(status: Page) -> None:
    def ground() -> str:
        return str(status.evaluate("() => getComputedStyle(document.documentElement).backgroundColor"))

    light = ground()
    status.keyboard.press("t")
    assert ground() != light
    expect(status.locator("html")).to_have_attribute("data-theme", "dark")
    status.reload()
    assert ground() != light
    status.locator("#theme").click()
    assert ground() == light


def test_the_systems_dark_look_is_taken_over(browser: Browser, deployment: Deployment) -> None:
    context = browser.new_context(color_scheme="dark")
    page = open_page(context.new_page(), deployment.url)
    assert page.evaluate("() => getComputedStyle(document.body.parentElement).colorScheme") == "dark"
    context.close()


def test_wall_screen_is_an_address(status: Page, deployment: Deployment) -> None:
    status.keyboard.press("w")
    expect(status).to_have_url(re.compile(r"\?wall=1$"))
    expect(status.locator("#filter")).to_be_hidden()
    expect(status.locator(".bar nav")).to_be_hidden()
    expect(grid_of(status, "belle")).to_be_visible()
    status.reload()
    expect(status.locator("#filter")).to_be_hidden()
    status.locator("#leave-wall").click()
    expect(status.locator("#filter")).to_be_visible()
    assert status.url.rstrip("/") == deployment.url


def test_usable_on_a_phone(browser: Browser, deployment: Deployment) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = open_page(context.new_page(), deployment.url)
    overflow = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow == 0  # wide tables scroll in their own places
    cell = cell_of(page, "atlas", "munich", "mcore", "Error")
    cell.scroll_into_view_if_needed()
    name = grid_of(page, "atlas").locator('tbody[data-cloud="munich"] th.name')
    box = name.bounding_box()
    assert box is not None
    assert box["x"] >= 0  # the cloud's name stays in sight while the row is scrolled sideways
    cell.tap()
    expect(page.locator("#plot")).to_be_visible()
    expect(page.locator("#plot-legend tr")).to_have_count(1)
    context.close()


def test_the_tables_are_complete_without_javascript(browser: Browser, deployment: Deployment) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(deployment.url)
    running = cell_of(page, "belle", "victoria", "large", "Running").inner_text()
    assert (
        number(running)
        == deployment.status()["values"]["grids.belle.clouds.victoria.vms.large.running"]["value"]
    )
    expect(job_cell(page, "atlas", "all", "Idle")).to_be_visible()
    expect(page.locator("#plot")).to_be_hidden()
    expect(page.locator(".tools")).to_be_hidden()
    assert 'http-equiv="refresh"' in page.content()
    page.locator('section#grid-belle tbody[data-cloud="victoria"] a').click()
    expect(page.locator("h1")).to_contain_text("victoria")
    context.close()


def test_names_are_shown_as_they_are_and_never_run(status: Page) -> None:
    status.on("dialog", lambda dialog: pytest.fail(f"a name ran as a script: {dialog.message}"))
    expect(grid_of(status, "hostile").locator("th.name a", has_text=scene.HOSTILE)).to_have_count(1)
    assert status.locator("section#grid-hostile script").count() == 0


def test_no_inline_code_or_style_is_served_or_allowed(status: Page, deployment: Deployment) -> None:
    answer = status.request.get(deployment.url)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    html = answer.text()
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=", html)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, deployment: Deployment, scheme: str) -> None:
    context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
    page = open_page(context.new_page(), deployment.url)
    cell_of(page, "belle", "victoria", "large", "Running").click()
    expect(page.locator("#plot-legend tr")).to_have_count(1)
    pause(page)
    page.wait_for_timeout(700)  # colours fade in
    assert find_serious(page) == []
    context.close()


def test_links_to_other_tools_and_names_of_grids_are_settings(status: Page) -> None:
    expect(status.locator(".bar nav .tool")).to_have_attribute("href", "https://grafana.example.org/")
    expect(grid_of(status, "belle").locator("h2")).to_contain_text("Belle II")


def test_events_are_listed_newest_first_and_filtered(page: Page, deployment: Deployment) -> None:
    open_page(page, deployment.url)
    lines = page.locator("#events-list li.event")
    expect(lines.first).to_be_visible()
    times = [float(at) for at in lines.locator("time").evaluate_all("all => all.map(one => one.dataset.at)")]
    assert times == sorted(times, reverse=True)
    page.locator("#events-filter").fill("nothing is called this")
    expect(lines.first).to_be_hidden()
    page.locator("#events-filter").fill("quiet")
    expect(page.locator("#events-list li.event:visible").first).to_contain_text("quiet")
