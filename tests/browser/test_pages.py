"""The pages about one thing: a grid, a cloud, a host, the fleet; held jobs, waiting, users."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import scene
from tests.browser.deployment import Deployment
from tests.browser.opening import open_page
from tests.browser.places import find_serious, number, shown_paths

PAGES = (
    "/grids/belle",
    "/grids/belle/clouds/cern",
    "/grids/belle/hosts/belle",
    "/grids/belle/hosts/sched-2",
    "/fleet",
    "/held",
    "/waiting",
    "/users",
    "/alerts",
    "/plot",
)


def table_of(page: Page, caption: str) -> dict[str, list[str]]:
    """The rows of a table: name -> texts of its cells."""
    rows = page.locator(f'table.figures:has(caption:text-is("{caption}")) tbody tr').first.locator("xpath=..")
    found = rows.locator("tr").evaluate_all(
        "all => all.map(row => [...row.cells].map(cell => cell.textContent.trim()))"
    )
    return {str(name): texts for name, *texts in found}


@pytest.mark.parametrize("path", PAGES)
def test_every_page_opens_without_fault_and_is_accessible(
    page: Page, deployment: Deployment, path: str
) -> None:
    open_page(page, deployment.url + path)
    expect(page.locator("h1")).to_have_count(1)
    assert find_serious(page) == []


def test_a_grid_in_detail(status: Page, deployment: Deployment) -> None:
    status.locator("section#grid-belle h2 a").click()
    expect(status.locator("h1")).to_contain_text("Belle II")
    values = deployment.status()["values"]
    assert "26 SystemPolicy: the administrator's SYSTEM_PERIODIC_HOLD" in table_of(status, "Held jobs")
    assert number(table_of(status, "Users")["alice"][0]) == values["grids.belle.users.alice.total"]["value"]
    assert number(table_of(status, "Schedd")["Duty cycle"][0]) == pytest.approx(0.31)
    assert set(table_of(status, "Slots")) == {"Dynamic", "Partitionable"}
    assert "worker-2" in table_of(status, "Hosts")
    expect(status.locator(".attention")).to_contain_text("3 VMs lost")


def test_small_plots_show_the_day_and_open_large(page: Page, deployment: Deployment) -> None:
    open_page(page, f"{deployment.url}/grids/belle")
    spark = page.locator(".spark", has_text="Running jobs")
    expect(spark.locator("svg path")).to_have_count(2)
    spark.click()
    expect(page.locator("#plot-legend tr")).to_have_count(1)
    assert shown_paths(page) == ["grids.belle.jobs.all.running"]


def test_a_cloud_in_detail(status: Page, deployment: Deployment) -> None:
    status.locator('section#grid-belle tbody[data-cloud="cern"] th.name a').click()
    expect(status.locator("h1")).to_contain_text("cern")
    expect(status.locator(".trail a")).to_have_text("Belle II")
    rows = table_of(status, "VMs by type")
    assert set(rows) == set(scene.CLOUDS["belle"]["cern"])
    values = deployment.status()["values"]
    assert number(rows["large"][0]) == values["grids.belle.clouds.cern.vms.large.total"]["value"]
    assert {"Quota, VMs", "Enabled", "MIPS", "KFLOPS"} <= set(table_of(status, "Cloud"))
    assert set(table_of(status, "VMs by the cloud's own count")) == {"Running", "Starting", "Error"}
    assert len(table_of(status, "Slots in use")["large"]) == 8


def test_a_head_node_in_detail(status: Page) -> None:
    status.get_by_role("link", name="sched-2").click()
    expect(status.locator("h1")).to_contain_text("sched-2")
    expect(status.locator(".hb")).to_have_text(re.compile("^HTCondor "))
    status.goto(status.url.replace("/sched-2", "/belle"))
    assert number(table_of(status, "File systems")["Var, %"][0]) > 30
    assert set(table_of(status, "Sources of the collector")) == {"condor_jobs", "cloudscheduler", "host"}


def test_the_fleet(page: Page, deployment: Deployment) -> None:
    open_page(page, f"{deployment.url}/fleet")
    values = deployment.status()["values"]
    work = table_of(page, "Work of Belle II")
    assert number(work["Chunks"][2]) == values["grids.belle.fleet.chunks.done"]["value"]
    assert len(table_of(page, "Hosts of Belle II")) == 3
    expect(page.locator(".spark").first).to_contain_text("Belle II: pending chunks")


def test_held_jobs_by_reason_and_how_they_changed_since_yesterday(page: Page, deployment: Deployment) -> None:
    open_page(page, f"{deployment.url}/held")
    change = page.locator('section[data-grid="atlas"] tbody tr td:last-child')
    expect(change.first).to_have_text(re.compile(r"^([+−]\d+|0)$"))
    shown = page.locator('section[data-grid="atlas"] tbody tr').first.evaluate(
        "row => [row.cells[1].textContent, row.cells[2].textContent, row.cells[2].title]"
    )
    before = number(re.match(r"([\d.]+) at this time yesterday", shown[2])[1])  # type: ignore[index]
    assert number(shown[0]) - before == number(shown[1].replace("−", "-").replace("+", ""))


def test_waiting_and_users_over_all_grids(page: Page, deployment: Deployment) -> None:
    values = deployment.status()["values"]
    open_page(page, f"{deployment.url}/waiting")
    expect(page.locator("section.grid")).to_have_count(2)
    row = page.locator('section[data-grid="atlas"] tr[data-t="mcore"] td')
    assert number(row.nth(0).inner_text()) == pytest.approx(
        values["grids.atlas.wait.mcore.p50_s"]["value"], rel=0.1
    )
    open_page(page, f"{deployment.url}/users")
    page.locator('section[data-grid="belle"] tr[data-t="bob"] td').nth(2).click()
    expect(page.locator("#plot-legend tr")).to_have_count(1)
    assert shown_paths(page) == ["grids.belle.users.bob.running"]


@pytest.mark.parametrize(
    "path", ["/grids/nowhere", "/grids/belle/clouds/nowhere", "/grids/belle/hosts/nowhere"]
)
def test_what_is_not_there_is_a_404(page: Page, deployment: Deployment, path: str) -> None:
    assert page.request.get(deployment.url + path).status == 404
