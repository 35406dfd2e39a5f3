"""Thumbnails beside structures: shown where there are any, and where there are none the page says why."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browser.deployment import Deployment, run_app
from tests.browser.opening import open_page
from tests.browser.places import find_serious
from tests.worker.queue.helpers import queue_at
from worker.queue import Result
from worker.recognition import GreyThumbnail
from worker.review.pack import pack_key
from worker.runner.thumbnails import Thumbnails
from worker.settings import Settings
from worker.storage import open_storage

LONG_MS = 150_000  # for what takes a second on a machine of its own
NAMES = ("wide.png", "tall.png", '"><img src=x onerror=alert(1)>.png', "not decoded.png", "broken.png")
WHITE = "rgb(255, 255, 255)"
STRIPES = GreyThumbnail(200, 60, bytes(range(200)) * 60)


@pytest.fixture(scope="module")
def url(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("fleet")
    queue_url, place = f"sqlite:///{folder}/queue.db", folder / "results"
    queue, kept = queue_at(queue_url), Thumbnails(folder)
    queue.add_directories(queue.add_batch("seen", "/data"), [("d", list(NAMES))], 50)
    held = queue.claim("vm1-1", "vm1", "onnx", "decimer")
    assert held is not None
    found = []
    for image in held.images:
        sha256 = hashlib.sha256(image.name.encode()).hexdigest()
        thumbnail = GreyThumbnail(60, 200, bytes(200) * 60) if image.name == "tall.png" else STRIPES
        kept.add(held, image.number, None if "not decoded" in image.name else thumbnail, sha256)
        found.append(Result(image.number, "CCO", ("C", "C", "O"), (0.5, 0.9, 0.9), sha256=sha256))
    queue.store(held, found)
    kept.put(held, open_storage(str(place), Settings()))
    kept.close()
    queue.close()
    pack = place / pack_key(held.folder, held.token)
    pack.write_bytes(pack.read_bytes()[:-1])  # the last one is torn
    settings = {"WEBAPP_FLEET_DATABASE_URL": queue_url, "WEBAPP_FLEET_PICTURES": str(place)}
    state: Path = tmp_path_factory.mktemp("state")
    with run_app(state, deployment.graphite.url, **settings) as url:
        yield url


def picture_of(page: Page, name: str) -> Locator:
    link = page.get_by_role("link", name=f"d/{name}", exact=True)
    return page.locator("[data-result]").filter(has=link).locator("[data-picture]")


def expect_size(image: Locator, width: int, height: int) -> None:
    for name, size in (("naturalWidth", width), ("naturalHeight", height)):
        expect(image).to_have_js_property(name, size, timeout=LONG_MS)


def test_pictures_stand_beside_structures_or_it_is_said_why_not(page: Page, url: str) -> None:
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: said.append(str(error)))
    open_page(page, f"{url}/fleet/batches/seen")
    for name, size in zip(NAMES, ((200, 60), (60, 200), (200, 60)), strict=False):
        expect_size(picture_of(page, name).locator("img"), *size)
    expect(picture_of(page, NAMES[3])).to_have_text(
        "no picture: the picture could not be decoded", timeout=LONG_MS
    )
    expect(picture_of(page, NAMES[4])).to_contain_text("not what a worker wrote", timeout=LONG_MS)
    assert said == []
    assert find_serious(page) == []


def test_one_that_comes_late_is_shown(page: Page, url: str) -> None:
    """The server was too busy for it once."""
    refused: list[str] = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.fulfill(status=503, body="503 4 others are being answered")

    page.route("**/fleet/pictures/1/0", refuse_once)
    open_page(page, f"{url}/fleet/results/1/0")
    expect_size(page.locator("[data-picture] img"), 200, 60)
    assert len(refused) == 1


def test_on_a_phone_in_the_dark_what_is_not_there_can_be_read(browser: Browser, url: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    try:
        page = context.new_page()
        for number, look in ((1, WHITE), (3, None)):
            open_page(page, f"{url}/fleet/results/1/{number}")
            plate = page.locator("[data-picture]")
            if look is None:
                expect(plate).to_contain_text("could not be decoded", timeout=LONG_MS)
                expect(plate).not_to_have_css("background-color", WHITE)
            else:
                expect(plate).to_have_css("background-color", look)
            assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
            assert find_serious(page) == []
    finally:
        context.close()
