"""The SMILES that the fleet read last, on /fleet: as they are, whatever images and answers are called."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.deployment import Deployment, run_app
from tests.browser.opening import open_page
from tests.browser.places import copied_text, find_serious, watch_copying
from tests.worker.queue.helpers import queue_at
from worker.queue import Queue, Result, Usage

HOSTILE = (
    "<script>alert(1)</script>.png",
    '"onmouseover=alert(1) x=".png',
    "{{7*7}}&amp;<b>.png",
)
LONG = "CC(C)C1=CC=C(C=C1)" * 20


@pytest.fixture(scope="module")
def queue_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('fleet') / 'queue.db'}"
    queue = queue_at(url)
    fill(queue)
    queue.close()
    return url


def fill(queue: Queue) -> None:
    """Three images with hostile names and answers, one with a long answer, one with an error."""
    names = [*HOSTILE, "long.png", "broken.png"]
    queue.add_directories(queue.add_batch("run", "/data"), [("d", names)], 5)
    claim = queue.claim("vm1-1", "vm1", "onnx", "decimer")
    assert claim is not None
    smiles = [*HOSTILE, LONG]
    results = [Result(number, text, ("C", "O"), (1.0, 0.5)) for number, text in enumerate(smiles)]
    queue.store(claim, [*results, Result(4, None, error="TruncatedImage: ends at byte 7")])


@pytest.fixture(scope="module")
def url(deployment: Deployment, queue_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("state")
    with run_app(folder, deployment.graphite.url, WEBAPP_FLEET_DATABASE_URL=queue_url) as url:
        yield url


def test_latest_results(page: Page, url: str, tmp_path: Path) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    open_page(page, f"{url}/fleet")
    rows = page.locator('table:has(caption:text-is("Latest results")) tbody tr')
    shown = {
        image.removeprefix("d/"): cells
        for image, *cells in rows.evaluate_all(
            "all => all.map(row => [...row.cells].slice(1).map(cell => cell.textContent.trim()))"
        )
    }
    for name in HOSTILE:
        assert shown[name] == [name, "75", "50", "", "run", "vm1", "vm1-1"]
    assert shown["long.png"][0] == LONG
    assert shown["broken.png"][:4] == ["", "–", "–", "TruncatedImage: ends at byte 7"]
    rows.locator("td").first.hover()
    assert dialogs == []
    assert page.locator("main img, main b:text('.png')").count() == 0


def test_a_long_answer_is_cut_by_its_column_and_whole_when_hovered_over(page: Page, url: str) -> None:
    open_page(page, f"{url}/fleet")
    cell = page.locator(f'td[title="{LONG}"]')
    assert cell.evaluate("cell => cell.scrollWidth > cell.clientWidth")
    assert cell.bounding_box()["width"] < 600  # type: ignore[index]
    assert find_serious(page) == []


def test_the_page_of_the_fleet_is_looked_at(page: Page, url: str, queue_url: str) -> None:
    """What the queue says shows by itself while the page is open, and a deadline is counted down."""
    queue = queue_at(queue_url)
    queue.add_directories(
        queue.add_batch("dated <b>", "/data", deadline=time.time() + 7200), [("e", ["a.png"])], 5
    )
    open_page(page, f"{url}/fleet")
    row = page.locator('section[aria-labelledby="batches-title"] tr', has_text="dated <b>")
    expect(row).to_contain_text("0 of 1")
    left = row.locator("[data-until]")
    expect(left).to_have_text(re.compile(r"^in 1 h 5\d min$"))
    claim = queue.claim("vm1-1", "vm1", "onnx", "decimer")
    assert claim is not None
    queue.store(claim, [Result(0, "CCO", ("C", "O"), (1.0, 0.9))])
    queue.finish(claim, Usage())
    queue.close()
    expect(row).to_contain_text("1 of 1")  # without asking for it
    expect(left).to_have_count(0)
    assert find_serious(page) == []


def test_folded_parts_stay_open_when_the_page_is_new(page: Page, url: str) -> None:
    open_page(page, f"{url}/fleet")
    operators = page.locator("details#operators")
    expect(operators).not_to_have_attribute("open", "")
    operators.locator("summary").click()
    expect(page.locator('table:has(caption:text-is("Active chunks"))')).to_be_visible()
    page.locator("#refresh").click()
    expect(page.locator("#body:not([aria-busy])")).to_be_attached()
    expect(operators).to_have_attribute("open", "")


def test_a_link_to_a_folded_part_opens_it(page: Page, url: str) -> None:
    operators = page.locator("details#operators")
    open_page(page, f"{url}/fleet#operators")
    expect(operators).to_have_attribute("open", "")
    expect(operators.locator("summary")).to_be_in_viewport()
    leading = (
        "const link = document.createElement('a'); link.href = '#operators'; link.textContent = 'there';"
    )
    page.evaluate(f"() => {{ {leading} document.querySelector('main').prepend(link); }}")
    operators.locator("summary").click()
    expect(operators).not_to_have_attribute("open", "")
    page.get_by_role("link", name="there").click()
    expect(operators).to_have_attribute("open", "")


def test_a_batch_is_filtered_and_its_smiles_copied(page: Page, url: str) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_page(page, f"{url}/fleet")
    page.get_by_role("link", name="run", exact=True).click()
    rows = page.locator(".gallery .result")
    expect(rows).to_have_count(4)
    watch_copying(page)
    rows.nth(3).locator("[data-copy]").click()
    assert copied_text(page) == LONG
    page.keyboard.press("/")
    page.keyboard.type("long")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    assert page.url.endswith("?show=answers&text=long")
    page.locator("select[name=show]").select_option("failed")
    expect(page.locator(".empty-page")).to_contain_text("No result is as asked for.")
    page.get_by_role("link", name="Show all").first.click()
    expect(rows).to_have_count(4)
    assert dialogs == []
    assert find_serious(page) == []


def test_why_pictures_failed_leads_to_them_and_the_batch_to_its_chunks(page: Page, url: str) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.set_viewport_size({"width": 390, "height": 800})
    open_page(page, f"{url}/fleet")
    page.locator(".reasons").get_by_role("link", name="TruncatedImage").click()
    expect(page.locator(".results tbody tr")).to_have_count(1)
    expect(page.locator(".results tbody tr")).to_contain_text("ends at byte 7")
    assert find_serious(page) == []
    page.locator(".results").get_by_role("link", name="run", exact=True).click()
    expect(page.locator(".facts")).to_contain_text("Claimed again")
    with page.expect_download() as download:
        page.get_by_role("link", name="JSON lines").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert {json.loads(line)["smiles"] for line in lines} == {*HOSTILE, LONG, None}
    page.get_by_role("link", name="chunks and their claims").click()
    rows = page.locator(".chunks tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("vm1-1 on vm1")
    assert find_serious(page) == []
    page.get_by_role("link", name="pending").click()
    expect(page.locator(".empty-page")).to_be_visible()
    assert dialogs == []
