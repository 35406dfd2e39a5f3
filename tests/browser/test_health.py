"""What needs attention: a cause stands first, its symptoms are folded below it and are not counted."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Page, expect

from tests.browser import scene
from tests.browser.conftest import open_page
from tests.browser.deployment import Deployment
from tests.browser.places import find_serious, grid_of, pause

GRID = "zz-mute"
CLOUDS = tuple(f"c{number:02}" for number in range(12))
SLOW_MS = 20_000


def silence_the_scheduler(deployment: Deployment) -> None:
    """A grid's Cloud Scheduler does not answer, and its twelve clouds have been silent for four minutes."""
    old = scene.minute_of(time.time()) - 240
    deployment.send(*((f"grids.{GRID}.clouds.{cloud}.vms.small.running", 7.0) for cloud in CLOUDS), at=old)
    beats = {"cloud_monitor": 1.0, "cloud_scheduler": 0.0, "condor": 1.0}
    deployment.send(*((f"grids.{GRID}.heartbeat.{service}", value) for service, value in beats.items()))
    deployment.wait_for(f"grids.{GRID}.heartbeat.cloud_scheduler")
    deployment.wait_for(f"grids.{GRID}.clouds.{CLOUDS[-1]}.vms.small.running")


def test_a_silent_scheduler_is_one_cause_with_twelve_symptoms_below_it(
    page: Page, deployment: Deployment
) -> None:
    silence_the_scheduler(deployment)
    open_page(page, deployment.url)
    pause(page)
    lines = page.locator(".overview .attention > ul > li")
    mute = lines.filter(has=page.get_by_role("link", name=GRID, exact=True))
    expect(mute).to_have_count(1)
    expect(mute.locator(".reason").first).to_have_text("CS does not answer")
    expect(mute.locator(".mark").first).to_have_class("mark stale")  # as bad as what it explains
    symptoms = mute.locator("details li")
    expect(symptoms).to_have_count(12)
    expect(symptoms.first).to_be_hidden()
    mute.get_by_text("12 symptoms").click()
    expect(symptoms.first).to_have_text(re.compile(rf"{GRID} / c00 no data for \d min"))
    assert page.title() == f"({lines.count()}) Cloud Monitor"  # symptoms are not counted
    assert find_serious(page) == []
    grid = grid_of(page, GRID)
    expect(grid.locator(".cause")).to_have_text("CS does not answer")
    expect(grid.locator('tbody[data-cloud="c03"] .mark')).to_have_attribute("title", "CS does not answer")
    page.locator("#pause").click()  # on again: a new cloud has the whole body replaced
    deployment.send((f"grids.{GRID}.clouds.new.vms.small.running", 1.0))
    expect(grid.locator('tbody[data-cloud="new"]')).to_be_visible(timeout=SLOW_MS)
    expect(symptoms.first).to_be_visible()  # what was unfolded stays so


def test_a_clouds_page_tells_the_cause_above_it_and_since_when(page: Page, deployment: Deployment) -> None:
    silence_the_scheduler(deployment)
    event = page.locator("#events-list li.heartbeat_lost").filter(has_text=GRID)
    open_page(page, deployment.url)
    expect(event).to_have_text(re.compile(rf"{GRID} CS does not answer"), timeout=SLOW_MS)
    page.goto(f"{deployment.url}/grids/{GRID}/clouds/c03")
    line = page.locator(".attention > ul > li")
    expect(line).to_have_count(1)
    expect(line.locator(".reason").first).to_have_text("CS does not answer")
    expect(page.locator("h1 .mark")).to_have_class("mark stale")
