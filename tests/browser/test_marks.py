"""What happened, on a plot: read by pointing and by keyboard, switched off and on, and on a phone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.deployment import Deployment, run_app
from tests.browser.opening import open_page
from tests.browser.places import find_serious
from tests.services import ask
from tests.services.support import wait_until

TOKEN = "anna-s-token-0123456789"
JOBS = "grids.belle.jobs.all.running"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def annotated(deployment: Deployment, tmp_path: Path) -> Iterator[str]:
    """A page of its own, where a deploy, a time of work, a hostile text and what is elsewhere are noted."""
    (tmp_path / "tokens").write_text(f"anna {TOKEN}\n")
    settings = {"WEBAPP_TOKEN_FILE": str(tmp_path / "tokens")}
    with run_app(tmp_path / "state", deployment.graphite.url, **settings) as url:
        now = time.time()
        note(url, text="version 1.4", tags=["deploy"], place="belle", at=now - 1500)
        note(url, text="disks", place="belle/cern", at=now - 900, until=now - 600)
        note(url, text=HOSTILE, at=now - 880)
        note(url, text="of another grid", place="atlas", at=now - 1200)
        note(url, text="long ago", at=now - 7 * 86400)
        wait_until(lambda: JOBS in ask.get(f"{url}/api/status").json()["values"], "a snapshot")
        yield url


def note(url: str, **body: object) -> None:
    answer = ask.post(f"{url}/api/annotations", json=body, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 201, answer.text


def test_marks_are_read_by_pointing_and_by_keyboard(page: Page, annotated: str) -> None:
    open_page(page, f"{annotated}/plot?target={JOBS}&from=-1h&until=now")
    marks = page.locator("#plot-marks .annotation")
    expect(marks).to_have_count(2)  # two are so near that they are one
    expect(marks.first.locator(".annotation-text")).to_have_css("width", "1px")
    marks.first.focus()
    expect(marks.first.locator(".annotation-text")).to_contain_text("deploy: version 1.4 (anna)")
    assert marks.first.locator(".annotation-text").bounding_box()["width"] > 100  # type: ignore[index]
    page.keyboard.press("ArrowRight")
    expect(marks.last).to_be_focused()
    both = marks.last.locator(".annotation-text span")
    expect(both).to_have_count(2)
    expect(both.last).to_contain_text(HOSTILE)
    expect(page.locator("img")).to_have_count(0)
    expect(page.locator("#plot-marks .span.note")).to_have_count(1)
    box = marks.first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 1, box["y"] + 4)
    expect(marks.first.locator(".annotation-text")).to_be_in_viewport()
    assert find_serious(page) == []


def test_marks_lie_where_their_times_are_at_any_size(page: Page, annotated: str) -> None:
    open_page(page, f"{annotated}/plot?target={JOBS}&from=-1h&until=now")
    marks = page.locator("#plot-marks .annotation")
    expect(marks).to_have_count(2)
    for width in (1500, 900):
        page.set_viewport_size({"width": width, "height": 900})
        wait_until(lambda: abs(share_of_first(page) - (3600 - 1500) / 3600) < 0.03, "the mark in its place")


def share_of_first(page: Page) -> float:
    """Where the first mark is, as a share of the plotting area's width."""
    found = page.evaluate(
        """() => {
          const area = document.querySelector("#plot-chart .u-over").getBoundingClientRect();
          const mark = document.querySelector("#plot-marks .annotation").getBoundingClientRect();
          return (mark.left - area.left) / area.width;
        }"""
    )
    return float(found)


def test_marks_are_switched_off_and_stay_off(page: Page, annotated: str) -> None:
    address = f"{annotated}/plot?target={JOBS}&from=-1h&until=now"
    open_page(page, address)
    marks = page.locator("#plot-marks .annotation")
    expect(marks).to_have_count(2)
    page.locator("h1").evaluate("() => document.activeElement.blur()")
    page.keyboard.press("m")
    expect(marks).to_have_count(0)
    expect(page.locator("#plot-marks-on")).to_have_attribute("aria-pressed", "false")
    open_page(page, address)
    expect(page.locator("#plot-legend tr")).to_have_count(1)
    expect(marks).to_have_count(0)
    page.locator("#plot-marks-on").click()
    expect(marks).to_have_count(2)


def test_a_saved_picture_has_the_marks_that_are_shown(page: Page, annotated: str) -> None:
    open_page(page, f"{annotated}/plot?target={JOBS}&from=-1h&until=now")
    expect(page.locator("#plot-marks .annotation")).to_have_count(2)
    drawing = save(page, "#plot-svg").read_text()
    assert drawing.count('class="mark"') == 2
    assert "deploy: version 1.4 (anna)" in drawing
    assert "note: &lt;img src=x onerror=alert(1)&gt;" in drawing
    height_with = png_height(save(page, "#plot-png"))
    page.locator("#plot-marks-on").click()
    expect(page.locator("#plot-marks .annotation")).to_have_count(0)
    assert 'class="mark"' not in save(page, "#plot-svg").read_text()
    assert png_height(save(page, "#plot-png")) < height_with


def save(page: Page, button: str) -> Path:
    with page.expect_download() as found:
        page.locator(button).click()
    return Path(found.value.path())


def png_height(file: Path) -> int:
    return int.from_bytes(file.read_bytes()[20:24], "big")


def test_the_grids_page_lists_them_and_a_phone_reads_them(browser: Browser, annotated: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    open_page(page, f"{annotated}/grids/belle?target={JOBS}&from=-1h&until=now")
    lines = page.locator(".happened li")
    expect(lines.first).to_contain_text(HOSTILE)
    expect(lines.nth(1)).to_contain_text("disks (5 min) by anna")
    expect(page.locator(".happened")).not_to_contain_text("of another grid")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 360
    marks = page.locator("#plot-marks .annotation")
    expect(marks).to_have_count(2)
    marks.first.focus()
    text = marks.first.locator(".annotation-text").bounding_box()
    assert text is not None
    assert text["x"] >= 0
    assert text["x"] + text["width"] <= 360
    context.close()
