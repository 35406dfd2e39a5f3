"""A batch's results as a gallery, and one result's page: drawn from SMILES apart from the page, whatever they
are, and gone through by mouse, keyboard and phone.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.deployment import Deployment, run_app
from tests.browser.opening import open_page, wait_until_ready
from tests.browser.places import copied_text, find_serious, watch_copying
from tests.worker.queue.helpers import queue_at
from worker.answers.notes import notes_on_answer
from worker.queue import Result

LONG_MS = 150_000  # for what takes a second on a machine of its own
RTL = "\u202egnp.exe"
# Name, SMILES, what its place says (nothing where it is drawn); the least sure first
GIVEN = (
    ("aspirin.png", "CC(=O)Oc1ccccc1C(=O)O", ""),
    ('<img src=x onerror="alert(1)">.png', "[R1]c1c(O)cc([X])cc1[R12]", ""),
    (f"a{RTL}.png", "C[Ar]", ""),
    ("markup.png", "<svg onload=alert(1)>", "not a molecule"),
    ("quotes.png", 'C"onload="alert(1)\'C', "not a molecule"),
    ("turned.png", f"CC{RTL}", "not a molecule"),
    ("title.png", "CCO <b>x</b>", "not a molecule"),
    ("open.png", "C1CC(C", "not a molecule"),
    ("slow.png", "C" * 2500, "takes too long to be drawn"),
    ("long.png", "C" * 10_000, "too long to be drawn"),
    ("n" * 10_000, "CCN", ""),
)
MANY = 10_000


@pytest.fixture(scope="module")
def queue_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The batch of those given, and one of many."""
    url = f"sqlite:///{tmp_path_factory.mktemp('fleet') / 'queue.db'}"
    queue = queue_at(url)
    queue.add_directories(queue.add_batch("given", "/data"), [("d", [name for name, _, _ in GIVEN])], 50)
    halves = [(f"part{n}", [f"{n}-{i:04}.png" for i in range(MANY // 2)]) for n in range(2)]
    queue.add_directories(queue.add_batch("many", "/data"), halves, MANY // 2)
    while claim := queue.claim("vm1-1", "vm1", "onnx", "decimer"):
        found = []
        for image in claim.images:
            smiles = GIVEN[image.number][1] if claim.batch == "given" else f"C{'C' * (image.number % 9)}O"
            tokens = tuple(smiles[:40])
            confidences = (0.5 + image.number / (2 * MANY), *(0.99 for _ in tokens[1:]))
            notes = notes_on_answer(smiles, tokens, False)
            found.append(Result(image.number, smiles, tokens, confidences, notes=notes))
        queue.store(claim, found)
    queue.close()
    return url


@pytest.fixture(scope="module")
def url(deployment: Deployment, queue_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("state")
    with run_app(folder, deployment.graphite.url, WEBAPP_FLEET_DATABASE_URL=queue_url) as url:
        yield url


def result_of(page: Page, name: str) -> Locator:
    link = page.get_by_role("link", name=name, exact=True)
    return page.locator(".gallery .result").filter(has=link)


def drawn(page: Page) -> int:
    return page.locator(".structure img").count()


def test_structures_are_drawn_whatever_the_others_are(page: Page, url: str) -> None:
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.set_viewport_size({"width": 1300, "height": 2400})
    open_page(page, f"{url}/fleet/batches/given")
    for name, smiles, fault in GIVEN:
        shown = f"d/{name.replace(RTL, ' gnp.exe')}"
        shown = shown if len(shown) <= 300 else f"{shown[:299]}…"
        plate = result_of(page, shown).locator(".plate")
        if fault:
            expect(plate).to_contain_text(fault, timeout=LONG_MS)
        else:
            image = plate.locator("img")
            expect(image).to_be_visible(timeout=LONG_MS)
            assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        text = result_of(page, shown).locator("[data-smiles]").text_content()
        assert text == smiles.replace("\u202e", "\ufffd")
    assert drawn(page) == sum(not fault for _, _, fault in GIVEN)
    assert said == []
    assert page.locator(".gallery img:not(.structure img)").count() == 0
    assert find_serious(page) == []


def test_a_group_is_drawn_as_a_star(page: Page, url: str) -> None:
    """Read out of the drawing itself, which is an image to the page."""
    page.add_init_script(
        "const make = URL.createObjectURL; window.drawings = [];"
        "URL.createObjectURL = (blob) => { window.drawings.push(blob.text()); return make.call(URL, blob); };"
    )
    open_page(page, f"{url}/fleet/batches/given?text=onerror")
    expect(page.locator(".structure img")).to_be_visible(timeout=LONG_MS)
    (drawing,) = page.evaluate("() => Promise.all(window.drawings)")
    assert drawing.count(">*</text>") == 3
    assert drawing.count(">H</text>") == 1  # of OH, which is no part of a pattern
    assert "<style" not in drawing


def test_the_drawing_library_is_loaded_on_these_pages_only(page: Page, url: str) -> None:
    asked: list[str] = []
    page.context.on("request", lambda request: asked.append(request.url))
    for path in ("/", "/fleet"):
        open_page(page, f"{url}{path}")
    assert not any("openchemlib" in address or "workers/" in address for address in asked)
    open_page(page, f"{url}/fleet/batches/given?text=aspirin")
    expect(page.locator(".structure img")).to_be_visible(timeout=LONG_MS)
    assert any(address.endswith("vendor/openchemlib.js") for address in asked)


def test_a_result_is_gone_to_and_through_by_mouse(page: Page, url: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_page(page, f"{url}/fleet/batches/given?below=0.9")
    result_of(page, "d/aspirin.png").get_by_role("link").click()
    expect(page).to_have_url(f"{url}/fleet/results/1/0?below=0.9")
    figure = page.locator("figure.structure")
    expect(figure.locator("figcaption")).to_have_text("C9H8O4 · 180.16 g/mol", timeout=LONG_MS)
    expect(page.locator(".tokens")).to_have_text(GIVEN[0][1])
    expect(page.locator(".tokens span").first).to_have_class("c5")
    watch_copying(page)
    page.locator("[data-copy]").click()
    assert copied_text(page) == GIVEN[0][1]
    assert find_serious(page) == []
    page.get_by_role("link", name="Next").click()
    expect(page).to_have_url(f"{url}/fleet/results/1/1?below=0.9")
    expect(page.locator("h1")).to_have_text(f"d/{GIVEN[1][0]}")
    expect(page.locator(".evidence")).to_contain_text("1 x [R1]")
    page.get_by_role("link", name="given", exact=True).click()
    expect(page.locator(".gallery .result")).to_have_count(len(GIVEN))


def test_results_are_gone_through_by_keyboard(page: Page, url: str) -> None:
    open_page(page, f"{url}/fleet/batches/given")
    for _ in range(3):
        page.keyboard.press("j")
    page.keyboard.press("k")
    expect(result_of(page, f"d/{GIVEN[1][0]}").get_by_role("link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{url}/fleet/results/1/1")
    for key, number in (("j", 2), ("ArrowRight", 3), ("k", 2), ("ArrowLeft", 1), ("k", 0), ("k", 0)):
        wait_until_ready(page)
        page.keyboard.press(key)
        expect(page).to_have_url(f"{url}/fleet/results/1/{number}")
    wait_until_ready(page)
    page.keyboard.press("b")
    expect(page).to_have_url(f"{url}/fleet/batches/given#result-1-0")


def test_on_a_phone_nothing_is_cut_and_a_tap_leads_on(browser: Browser, url: str) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, color_scheme="dark"
    )
    try:
        page = context.new_page()
        for path in ("/fleet/batches/given", "/fleet/results/1/9", "/fleet/results/1/10"):
            open_page(page, f"{url}{path}")
            assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
        open_page(page, f"{url}/fleet/batches/given?text=aspirin")
        image = page.locator(".structure img")
        expect(image).to_be_visible(timeout=LONG_MS)
        assert "invert" in image.evaluate("image => getComputedStyle(image).filter")
        page.get_by_role("link", name="d/aspirin.png").tap()
        expect(page.locator(".structure img")).to_be_visible(timeout=LONG_MS)
        expect(page.locator("h1")).to_have_text("d/aspirin.png")
        assert find_serious(page) == []
    finally:
        context.close()


def test_of_many_only_those_in_sight_are_drawn(page: Page, url: str) -> None:
    page.set_viewport_size({"width": 1000, "height": 600})
    open_page(page, f"{url}/fleet/batches/many")
    results = page.locator(".gallery .result")
    expect(results).to_have_count(60)
    expect(results.first.locator(".structure img")).to_be_visible(timeout=LONG_MS)
    last = results.last.locator(".structure")
    expect(last).to_have_text("not drawn yet")
    last.scroll_into_view_if_needed()
    expect(last.locator("img")).to_be_visible(timeout=LONG_MS)
    page.get_by_role("link", name="Next page").click()
    expect(results.first).to_contain_text("0030.png")
    page.locator("select[name=folder]").select_option("part1")
    expect(page).to_have_url(f"{url}/fleet/batches/many?show=answers&folder=part1")
    expect(results.first).to_contain_text("part1/1-0000.png")
    page.locator("#finder-text").fill("4999")
    page.keyboard.press("Enter")
    expect(results).to_have_count(1)
    expect(results.locator(".structure img")).to_be_visible(timeout=LONG_MS)


def test_a_library_that_is_not_there_is_said(page: Page, url: str) -> None:
    page.route("**/vendor/openchemlib.js", lambda route: route.abort())
    open_page(page, f"{url}/fleet/batches/given?text=aspirin")
    expect(page.locator(".structure")).to_have_text("cannot be drawn in this browser", timeout=LONG_MS)
