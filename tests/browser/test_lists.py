"""VMs and jobs one by one: lists, filters, order, single pages; all of it keeps itself up to date."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import lists, scene
from tests.browser.deployment import Deployment
from tests.browser.opening import open_page
from tests.browser.places import find_serious, pause

SLOW_MS = 120_000  # a refresh on a busy machine
LOOKS = (
    ("/grids/belle/vms", "light"),
    ("/grids/belle/vms?status=error", "dark"),
    ("/grids/belle/jobs?status=held", "light"),
    ("/grids/belle/jobs?status=held", "dark"),
    ("/grids/quiet/vms", "light"),
)
HOSTILE = "<img src=x onerror=alert(1)>"


def vm(host: str, status: str = "running", **more: Any) -> dict[str, Any]:
    return {"host": host, "status": status, "cloud": "cern", "registered": True, **more}


def send(deployment: Deployment, grid: str, vms: Any = (), jobs: Any = (), at: int | None = None) -> None:
    """A list of a grid of the test's own."""
    taken_at = scene.minute_of(time.time()) if at is None else at
    lists.send_list(deployment.url, grid, {"version": 1, "taken_at": taken_at, "vms": vms, "jobs": jobs})


def row_names(page: Page) -> list[str]:
    return page.locator("table.listed tbody th").all_inner_texts()


@pytest.mark.parametrize(("path", "scheme"), LOOKS)
def test_lists_are_accessible(browser: Browser, deployment: Deployment, path: str, scheme: str) -> None:
    context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
    page = open_page(context.new_page(), deployment.url + path)
    pause(page)
    page.wait_for_timeout(700)  # colours fade in
    expect(page.locator("h1")).to_have_count(1)
    assert find_serious(page) == []
    context.close()


def test_from_a_grid_to_its_vms_in_error_to_one_of_them_and_its_cloud(
    page: Page, deployment: Deployment
) -> None:
    open_page(page, f"{deployment.url}/grids/belle")
    page.locator("nav.lists").get_by_role("link", name="VMs in error").click()
    expect(page).to_have_url(re.compile(r"/grids/belle/vms\?status=error$"))
    count = scene.ERRORS["belle", "victoria"]
    expect(page.locator("table.listed tbody tr")).to_have_count(count)
    expect(page.locator("table.listed tbody tr").first.locator("td").first).to_have_text("error")
    page.locator("table.listed tbody th a").first.click()
    expect(page.locator("h1")).to_contain_text(".victoria.example")
    history = page.locator('table:has(caption:text-is("Status history"))')
    expect(history.locator("tbody td:nth-child(2)")).to_have_text(["Error", "Starting"])
    assert find_serious(page) == []
    page.locator(".trail").get_by_role("link", name="victoria").click()
    expect(page.locator("h1")).to_contain_text("victoria")


def test_filters_are_a_form_and_an_address(page: Page, deployment: Deployment) -> None:
    open_page(page, f"{deployment.url}/grids/belle/vms")
    total = len(list(lists.vms_of("belle", 0, 0)))
    expect(page.locator(".pages span")).to_have_text(f"1–{total + 1} of {total + 1}")  # and one that is gone
    page.get_by_label("Cloud", exact=True).select_option("arbutus")
    expect(page).to_have_url(re.compile(r"/vms\?cloud=arbutus$"))
    page.get_by_label("Status", exact=True).select_option("lost")
    expect(page).to_have_url(re.compile(r"\?cloud=arbutus&status=lost$|\?status=lost&cloud=arbutus$"))
    expect(page.locator("table.listed tbody tr")).to_have_count(scene.LOST["belle", "arbutus"])
    page.keyboard.press("/")
    expect(page.locator("#finder-text")).to_be_focused()
    page.keyboard.type("021")
    page.keyboard.press("Enter")
    expect(page.locator("table.listed tbody tr")).to_have_count(1)
    expect(page.locator("#finder-text")).to_have_value("021")
    page.get_by_role("link", name="Show all").click()
    expect(page).to_have_url(re.compile(r"/vms\??$"))
    page.locator(".chips").get_by_role("link", name="idle").click()
    expect(page.locator("table.listed tbody td:first-of-type").first).to_have_text("running, idle")


def test_a_click_on_a_heading_sorts_the_whole_list(page: Page, deployment: Deployment) -> None:
    open_page(page, f"{deployment.url}/grids/belle/jobs?status=running")
    everything = f"{deployment.url}/api/jobs?grid=belle&status=running&sort=-since"
    newest = page.request.get(everything).json()["jobs"][0]["since"]
    heading = page.locator("table.listed thead th", has_text="For")
    heading.locator("a").click()
    expect(page).to_have_url(re.compile(r"sort=since$"))
    expect(heading).to_have_attribute("aria-sort", "ascending")
    oldest_first = row_names(page)
    heading.locator("a").focus()
    page.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "descending")
    assert row_names(page)[0] != oldest_first[0]
    title = page.locator("table.listed tbody tr").first.locator("td.since").first.get_attribute("title")
    assert title == time.strftime("%-d %b %Y %H:%M:%S UTC", time.gmtime(newest))
    heading.locator("a").click()
    expect(page).to_have_url(re.compile(r"/jobs\?status=running$"))


def test_a_cut_list_says_so_and_comes_in_parts(page: Page, deployment: Deployment) -> None:
    open_page(page, f"{deployment.url}/grids/belle/jobs")
    expect(page.locator(".list-note")).to_contain_text(
        re.compile(r"^1.000 of 1.367 jobs are listed \(in all: 37 held, 420 running, 910 idle\)\.$")
    )
    first = row_names(page)
    page.locator(".pages").get_by_role("link", name="Next").click()
    expect(page).to_have_url(re.compile(r"page=2$"))
    assert not set(first) & set(row_names(page))


def test_keyboard_walks_over_rows_and_enter_opens_one(page: Page, deployment: Deployment) -> None:
    open_page(page, f"{deployment.url}/grids/belle/vms?status=lost&sort=key")
    page.keyboard.press("j")
    page.keyboard.press("j")
    name = page.evaluate("() => document.activeElement.closest('tr').querySelector('th').textContent")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text(str(name))
    page.keyboard.press("?")
    expect(page.locator("#help-dialog")).to_contain_text("open the page of its row")


def test_new_lists_arrive_in_place_and_the_history_grows(page: Page, deployment: Deployment) -> None:
    minute = scene.minute_of(time.time())
    send(deployment, "zz-lists", [vm("one", "starting"), vm("two", busy_slots=1, slots=8)], at=minute - 180)
    path = f"{deployment.url}/grids/zz-lists/vms"
    open_page(page, f"{path}?sort=key")
    page.locator("body").evaluate("body => { body.dataset.same = 'yes'; }")
    cells = page.locator("table.listed tbody tr").nth(1).locator("td")
    expect(cells.nth(2)).to_have_text("cern")
    one = open_page(page.context.new_page(), f"{path}/one")
    history = one.locator('table:has(caption:text-is("Status history")) tbody td:nth-child(2)')
    expect(history).to_have_text(["Starting"])

    send(deployment, "zz-lists", [vm("one"), vm("two", busy_slots=5, slots=8)], at=minute - 120)
    expect(page.locator("table.listed tbody tr").first.locator("td").first).to_have_text(
        "running", timeout=SLOW_MS
    )
    expect(page.get_by_text("5 of 8")).to_be_visible()
    expect(history).to_have_text(["Running", "Starting"], timeout=SLOW_MS)

    send(deployment, "zz-lists", [vm("two"), vm("three")], at=minute - 60)  # other rows: a new body
    expect(page.locator("table.listed tbody th")).to_have_text(["three", "two", "one"], timeout=SLOW_MS)
    gone = page.locator("table.listed tbody tr").last.locator("td").first
    expect(gone).to_have_text(re.compile(r"^gone for \d min, was running$"))
    expect(history).to_have_text(["Gone", "Running", "Starting"], timeout=SLOW_MS)
    expect(one.locator("h1 .mark")).to_have_class("mark stale")
    assert page.locator("body").get_attribute("data-same") == "yes"  # no visit, the page itself
    one.close()


def test_what_is_typed_and_chosen_stays_while_the_list_changes(page: Page, deployment: Deployment) -> None:
    minute = scene.minute_of(time.time())
    send(deployment, "zz-typing", [vm("one")], at=minute - 120)
    open_page(page, f"{deployment.url}/grids/zz-typing/vms")
    page.locator("#finder-text").fill("half a wo")
    send(deployment, "zz-typing", [vm("one"), vm("two")], at=minute - 60)
    expect(page.locator("table.listed tbody tr")).to_have_count(2, timeout=SLOW_MS)
    expect(page.locator("#finder-text")).to_have_value("half a wo")
    expect(page.locator("#finder-text")).to_be_focused()


def test_an_old_list_looks_old(page: Page, deployment: Deployment) -> None:
    send(deployment, "zz-oldlist", [vm("one")], at=scene.minute_of(time.time()) - 600)
    open_page(page, f"{deployment.url}/grids/zz-oldlist/vms")
    expect(page.locator("h1 .mark")).to_have_class("mark stale")
    expect(page.locator(".list-age")).to_have_text(re.compile(r"^As of 1[01] min ago$"))
    cell = page.locator("table.listed tbody td").first
    assert cell.evaluate("cell => getComputedStyle(cell).fontStyle") == "italic"


def test_a_held_job_says_why_and_where_it_was(page: Page, deployment: Deployment) -> None:
    open_page(page, f"{deployment.url}/grids/belle/jobs?status=held&text=memory+limit")
    expect(page.locator("table.listed tbody td", has_text="gone over memory limit").first).to_be_visible()
    page.locator("table.listed tbody th a").first.click()
    expect(page.locator('table:has(caption:text-is("Facts"))')).to_contain_text("34 JobOutOfResources")
    host = page.locator('table:has(caption:text-is("Hosts of this job")) tbody th a').first
    name = host.inner_text()
    host.click()
    expect(page.locator("h1")).to_contain_text(name)
    jobs = page.locator('table:has(caption:text-is("Jobs on this VM"))')
    expect(jobs.locator("tbody tr", has_text="held").first).to_be_visible()
    assert find_serious(page) == []


def test_a_clouds_page_lists_its_vms_and_jobs(page: Page, deployment: Deployment) -> None:
    open_page(page, f"{deployment.url}/grids/belle/clouds/victoria")
    vms = page.locator('table:has(caption:text-is("VMs"))')
    expect(vms.locator("tbody tr").first.locator("td").first).to_have_text("error")
    expect(page.locator('table:has(caption:text-matches("^Jobs, 100 of"))')).to_have_count(1)
    started = vms.locator("thead th", has_text="Started")
    started.click()  # here the browser sorts: ages by how long they are
    ages = vms.locator("tbody tr").evaluate_all(
        "(rows, column) => rows.map(row => row.cells[column].title)",
        started.evaluate("heading => heading.cellIndex"),
    )
    times = [time.mktime(time.strptime(age, "%d %b %Y %H:%M:%S UTC")) for age in ages if age]
    assert len(times) > 10
    assert times == sorted(times)


def test_lists_work_without_javascript(browser: Browser, deployment: Deployment) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{deployment.url}/grids/belle/vms")
    page.get_by_label("Status", exact=True).select_option("error")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("table.listed tbody tr")).to_have_count(scene.ERRORS["belle", "victoria"])
    page.locator("table.listed thead th a").first.click()
    expect(page.locator("table.listed thead th").first).to_have_attribute("aria-sort", "ascending")
    page.locator("table.listed tbody th a").first.click()
    expect(page.locator('table:has(caption:text-is("Status history"))')).to_be_visible()
    context.close()


def test_lists_fit_a_phone(browser: Browser, deployment: Deployment) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    for path in ("/grids/belle/vms", "/grids/belle/jobs?status=held", "/grids/belle/clouds/cern"):
        open_page(page, deployment.url + path)
        overflow = page.evaluate(
            "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow == 0, path
    open_page(page, f"{deployment.url}/grids/belle/vms")
    link = page.locator("table.listed tbody th a").first
    name = link.inner_text()
    link.tap()
    expect(page.locator("h1")).to_contain_text(name)
    context.close()


def test_hostile_text_is_shown_and_never_run(page: Page, deployment: Deployment) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a text ran as a script: {dialog.message}"))
    held = {"id": "1.0", "status": "held", "hold_code": 1, "hold_reason": HOSTILE, "user": HOSTILE}
    send(deployment, "zz-hostile", [vm(HOSTILE, name=HOSTILE)], [{**held, "host": HOSTILE}])
    for kind in ("vms", "jobs"):
        open_page(page, f"{deployment.url}/grids/zz-hostile/{kind}")
        expect(page.locator("table.listed")).to_contain_text(HOSTILE)
        page.locator("table.listed tbody th a").click()
        expect(page.locator("#body")).to_contain_text(HOSTILE)
        assert page.locator("#body img").count() == 0


def test_a_grid_without_lists_says_how_to_get_them(page: Page, deployment: Deployment) -> None:
    open_page(page, f"{deployment.url}/grids/quiet/vms")
    expect(page.locator(".empty-page")).to_contain_text("COLLECTOR_INVENTORY_URL")
