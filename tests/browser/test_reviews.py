"""Answers are reviewed by keyboard, mouse and phone, by several at once, and by nobody who is not known."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.deployment import Deployment, run_app
from tests.browser.opening import open_page, wait_until_ready
from tests.browser.places import find_serious
from tests.worker.queue.helpers import queue_at
from worker.queue import Result

LONG_MS = 60_000  # for what takes a second on a machine of its own
TOKENS = {"anna": "anna-s-token-0123456789", "bert": "bert-s-token-0123456789"}
HOSTILE = '<img src=x onerror="alert(1)">'
SMILES = ("CCO", "c1ccccc1", "CC(=O)O", "CCN", "CCC")
BATCHES = ("keys", "mouse", "phone", "both", "filter", "quiet", "long", "drawn")
TOO_LONG = "C" * 4001


@pytest.fixture(scope="module")
def queue_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A batch for each test, of five pictures, the least sure first."""
    url = f"sqlite:///{tmp_path_factory.mktemp('fleet') / 'queue.db'}"
    queue = queue_at(url)
    for name in BATCHES:
        names = [f"{number}{HOSTILE}.png" for number in range(len(SMILES))]
        queue.add_directories(queue.add_batch(name, f"/{name}"), [("d", names)], 50)
        claim = queue.claim("vm1-1", "vm1", "onnx", "decimer")
        assert claim is not None
        queue.store(
            claim,
            [
                Result(
                    number, smiles, ("C", "O"), (0.5 + number / 10, 0.99),
                    sha256=sha256(f"{name}{number}".encode()).hexdigest(),
                )
                for number, smiles in enumerate((TOO_LONG, *SMILES[1:]) if name == "long" else SMILES)
            ],
        )  # fmt: skip
    queue.close()
    return url


@pytest.fixture(scope="module")
def url(deployment: Deployment, queue_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("state")
    tokens = tmp_path_factory.mktemp("tokens") / "tokens"
    tokens.write_text("".join(f"{name} {token}\n" for name, token in TOKENS.items()))
    settings = {"WEBAPP_FLEET_DATABASE_URL": queue_url, "WEBAPP_TOKEN_FILE": str(tokens)}
    with run_app(folder, deployment.graphite.url, **settings) as url:
        yield url


@pytest.fixture
def said(page: Page) -> Iterator[list[str]]:
    """Nothing that runs by a name, and no fault, in any of these tests."""
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield said
    assert said == []


def know(page: Page, url: str, name: str = "anna") -> None:
    """The tab has the token, as once it was given."""
    page.goto(f"{url}/static/none")
    page.evaluate("token => sessionStorage.setItem('cloud-monitor-token', token)", TOKENS[name])


def card(page: Page, number: int) -> Locator:
    return page.locator(".gallery .result").nth(number)


def verdict(page: Page, number: int) -> Locator:
    return card(page, number).locator(".verdict")


def test_by_keyboard_and_who_it_was_is_asked_once(page: Page, url: str, said: list[str]) -> None:
    open_page(page, f"{url}/fleet/batches/keys")
    page.keyboard.press("1")  # no result is chosen yet: the first is, and nothing is said
    expect(card(page, 0).locator("a")).to_be_focused()
    expect(verdict(page, 0)).to_have_text("not reviewed")
    page.keyboard.press("1")
    token = page.get_by_role("dialog", name="Who reviews").get_by_label("Your token")
    expect(token).to_be_focused(timeout=LONG_MS)
    token.fill(TOKENS["anna"])
    page.keyboard.press("Enter")
    expect(verdict(page, 0)).to_have_text("✓ right by anna", timeout=LONG_MS)
    expect(card(page, 1).locator("a")).to_be_focused()
    page.keyboard.press("2")
    expect(verdict(page, 1)).to_have_text("✗ wrong by anna", timeout=LONG_MS)
    expect(card(page, 2).locator("a")).to_be_focused()
    page.keyboard.press("3")
    dialog = page.get_by_role("dialog", name="What it is")
    smiles = dialog.get_by_label("SMILES")
    expect(smiles).to_have_value("CC(=O)O")
    expect(dialog.locator(".structure img")).to_be_visible(timeout=LONG_MS)
    smiles.fill("C1CC")
    expect(dialog.locator(".structure")).to_contain_text("not a molecule", timeout=LONG_MS)
    smiles.fill("")
    smiles.type("CC(=O)N")
    expect(dialog.locator(".structure img")).to_be_visible(timeout=LONG_MS)
    assert find_serious(page) == []
    page.keyboard.press("Enter")
    expect(verdict(page, 2)).to_have_text("✎ corrected CC(=O)N by anna", timeout=LONG_MS)
    expect(card(page, 3).locator("a")).to_be_focused()
    page.keyboard.press("u")
    expect(verdict(page, 2)).to_have_text("not reviewed", timeout=LONG_MS)
    expect(card(page, 2).locator("a")).to_be_focused()
    page.keyboard.press("u")
    expect(verdict(page, 1)).to_have_text("not reviewed", timeout=LONG_MS)
    open_page(page, f"{url}/fleet/batches/keys")
    told = [verdict(page, number).inner_text() for number in range(3)]
    assert told == ["✓ right by anna", "not reviewed", "not reviewed"]


def test_keys_pass_by_what_cannot_be_reviewed(page: Page, url: str, said: list[str]) -> None:
    know(page, url)
    open_page(page, f"{url}/fleet/batches/long")
    expect(card(page, 0)).to_contain_text("Cannot be reviewed: the SMILES is too long")
    page.keyboard.press("1")
    expect(card(page, 0).locator("a")).to_be_focused()
    page.keyboard.press("1")
    expect(card(page, 1).locator("a")).to_be_focused()
    page.keyboard.press("2")
    expect(verdict(page, 1)).to_have_text("✗ wrong by anna", timeout=LONG_MS)


def test_by_mouse_on_the_page_of_one_result(page: Page, url: str, said: list[str]) -> None:
    know(page, url)
    open_page(page, f"{url}/fleet/batches/mouse")
    card(page, 3).locator("a").click()
    wait_until_ready(page)
    here = page.url
    page.get_by_role("button", name="Wrong").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"d/4{HOSTILE}.png", timeout=LONG_MS)
    wait_until_ready(page)
    page.get_by_role("button", name="Correct").click()
    dialog = page.get_by_role("dialog", name="What it is")
    dialog.get_by_label("SMILES").fill(HOSTILE)
    dialog.get_by_role("button", name="Do it").click()
    expect(page.locator(".verdict")).to_have_text(f"✎ corrected {HOSTILE} by anna", timeout=LONG_MS)
    assert page.locator("main img[src=x]").count() == 0
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".verdict")).to_have_text("not reviewed", timeout=LONG_MS)
    page.keyboard.press("u")  # of the other one, which it leads back to
    page.wait_for_url(here, timeout=LONG_MS)
    expect(page.locator(".verdict")).to_have_text("not reviewed")
    assert find_serious(page) == []


def test_drawn_by_hand(page: Page, url: str, said: list[str]) -> None:
    refused: list[str] = []
    page.on("console", lambda told: refused.append(told.text) if "Content Security" in told.text else None)
    know(page, url)
    open_page(page, f"{url}/fleet/batches/drawn")
    card(page, 3).get_by_role("button", name="Correct").click()
    dialog = page.get_by_role("dialog", name="What it is")
    smiles = dialog.get_by_label("SMILES")
    expect(dialog.locator(".structure img")).to_be_visible(timeout=LONG_MS)
    dialog.get_by_role("button", name="Draw it by hand").click()
    sheet = dialog.locator(".by-hand canvas").last
    expect(sheet).to_be_visible(timeout=LONG_MS)
    box = sheet.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.85, box["y"] + box["height"] * 0.8)
    expect(smiles).to_have_value("CC.CCN")  # a bond beside what was there
    assert find_serious(page) == []
    dialog.get_by_role("button", name="Do it").click()
    expect(verdict(page, 3)).to_have_text("✎ corrected CC.CCN by anna", timeout=LONG_MS)
    assert refused == []


def test_on_a_phone(browser: Browser, url: str) -> None:
    with browser.new_context(
        viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True
    ) as context:
        page = context.new_page()
        know(page, url)
        open_page(page, f"{url}/fleet/batches/phone")
        right = card(page, 1).get_by_role("button", name="Right")
        right.tap()
        expect(verdict(page, 1)).to_have_text("✓ right by anna", timeout=LONG_MS)
        expect(right).to_have_attribute("aria-pressed", "true")
        for button in card(page, 1).locator("[data-say]").all():
            box = button.bounding_box()
            assert box is not None
            assert box["height"] >= 40
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.reload()
        agreement = page.get_by_role("table", name="Reviewed answers by least confidence")
        expect(agreement.get_by_role("row", name="0.6 to 0.7")).to_contain_text("1 of 1", timeout=LONG_MS)
        assert find_serious(page) == []


def test_two_at_once_see_what_the_other_said(browser: Browser, url: str) -> None:
    with browser.new_context() as of_anna, browser.new_context() as of_bert:
        anna, bert = of_anna.new_page(), of_bert.new_page()
        for page, name in ((anna, "anna"), (bert, "bert")):
            know(page, url, name)
            open_page(page, f"{url}/fleet/batches/both")
            page.keyboard.press("p")  # what is on the page stays as it is
        card(anna, 0).get_by_role("button", name="Right").click()
        expect(verdict(anna, 0)).to_have_text("✓ right by anna", timeout=LONG_MS)
        wrong = card(bert, 0).get_by_role("button", name="Wrong")
        wrong.click()
        expect(card(bert, 0).locator(".refused")).to_have_text(
            "anna reviewed it meanwhile: right", timeout=LONG_MS
        )
        expect(verdict(bert, 0)).to_have_text("✓ right by anna")
        wrong.click()  # knowing it
        expect(verdict(bert, 0)).to_have_text("✗ wrong by bert", timeout=LONG_MS)
        card(anna, 0).get_by_role("button", name="Undo").click()
        expect(card(anna, 0).locator(".refused")).to_have_text(
            "bert reviewed it meanwhile: wrong", timeout=LONG_MS
        )
        card(bert, 0).get_by_role("button", name="Undo").click()
        expect(verdict(bert, 0)).to_have_text("✓ right by anna", timeout=LONG_MS)


def test_what_is_left_is_gone_through_by_its_address(page: Page, url: str, said: list[str]) -> None:
    know(page, url)
    open_page(page, f"{url}/fleet/batches/filter")
    card(page, 0).get_by_role("button", name="Right").click()
    expect(verdict(page, 0)).to_contain_text("by anna", timeout=LONG_MS)
    page.get_by_label("Reviewed", exact=True).select_option("unreviewed")
    expect(page.locator(".gallery .result")).to_have_count(4, timeout=LONG_MS)
    wait_until_ready(page)
    assert "review=unreviewed" in page.url
    card(page, 0).locator("a").click()
    wait_until_ready(page)
    for number in (1, 2, 3):
        expect(page.get_by_role("heading", level=1)).to_have_text(f"d/{number}{HOSTILE}.png", timeout=LONG_MS)
        wait_until_ready(page)
        page.keyboard.press("2")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"d/4{HOSTILE}.png", timeout=LONG_MS)
    wait_until_ready(page)
    page.keyboard.press("1")
    expect(page.locator(".verdict")).to_have_text("✓ right by anna", timeout=LONG_MS)
    open_page(page, f"{url}/fleet/batches/filter?review=unreviewed")
    expect(page.locator(".empty-page")).to_contain_text("No result is as asked for.")
    open_page(page, f"{url}/fleet/batches/filter?review=wrong")
    expect(page.locator(".gallery .result")).to_have_count(3)


def test_where_nobody_is_known_the_page_says_what_to_set(
    page: Page, deployment: Deployment, queue_url: str, tmp_path: Path, said: list[str]
) -> None:
    with run_app(tmp_path / "state", deployment.graphite.url, WEBAPP_FLEET_DATABASE_URL=queue_url) as url:
        for path in ("/fleet/batches/quiet", "/fleet/results/6/0"):
            open_page(page, url + path)
            expect(page.locator(".verdict").first).to_have_text("not reviewed")
            expect(page.locator("[data-say]")).to_have_count(0)
            expect(page.locator(".list-note")).to_contain_text("WEBAPP_TOKEN_FILE or WEBAPP_REMOTE_USERS")
            page.keyboard.press("j")
            page.keyboard.press("1")
            page.keyboard.press("u")
            expect(page.locator("dialog[open]")).to_have_count(0)
            assert find_serious(page) == []
