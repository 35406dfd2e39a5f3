"""The page of machines as people use it: by mouse and keyboard, on a phone, with names that are markup."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from tests.browser.deployment import serve_to_ann
from tests.browser.opening import open_page
from tests.browser.places import find_serious
from tests.services.chromium import TIMEOUT_MS
from tests.webapp.views.machines import HOSTILE, open_sample
from worker.queue import Queue
from worker.queue.machines.machines import MachineRow, MachineState, add_machine, change_machine
from worker.queue.schema import machine_wishes

TOKEN = "ann-s-token-0123456789"


@dataclass(frozen=True, slots=True)
class MachinesScene:
    url: str
    queue: Queue

    def wishes(self) -> list[tuple[str, str, str, str]]:
        rows = self.queue.database.read(lambda connection: connection.execute(select(machine_wishes)).all())
        return [(row.kind, row.group_name, row.machine, row.asked_by) for row in rows]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[MachinesScene]:
    url = f"sqlite:///{tmp_path / 'queue.db'}"
    queue = open_sample(url)
    with serve_to_ann(tmp_path, url, TOKEN) as address:
        yield MachinesScene(address, queue)
    queue.close()


def test_a_machine_is_asked_for_with_its_size_price_and_quota_before(
    page: Page, scene: MachinesScene
) -> None:
    open_page(page, f"{scene.url}/machines")
    page.get_by_role("button", name="New machine").click()
    dialog, go = page.locator("#create-dialog"), page.locator("#create-dialog .go")
    expect(dialog.locator(".preview")).to_contain_text("c2 (2 cores, 4 GB memory")
    dialog.get_by_label("Cores").fill("4")
    expect(dialog.locator(".preview")).to_contain_text(
        "c16 (16 cores, 64 GB memory, 200 GB storage) at north/large of workers: 0.84 an hour, 20.2 a day; "
        "the quota leaves 2."
    )
    dialog.get_by_label("GPUs").fill("2")
    expect(dialog.locator(".preview")).to_contain_text("no place has that")
    expect(go).to_be_disabled()
    dialog.get_by_label("GPUs").fill("")
    expect(go).to_be_enabled()
    go.click()
    expect(dialog.locator(".refused")).to_contain_text("WEBAPP_TOKEN_FILE")
    dialog.get_by_label("Your token").fill(TOKEN)
    go.click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("grid", name="Asked for within the hour")).to_contain_text("ann")
    assert scene.wishes() == [("create", "workers", "", "ann")]


def test_draining_deleting_and_pausing_ask_once_more_by_keyboard_too(
    page: Page, scene: MachinesScene
) -> None:
    open_page(page, f"{scene.url}/machines")
    row = page.locator('tr[data-machine="m-run"]')
    row.get_by_role("button", name="Drain").press("Enter")
    dialog = page.locator("#confirm-dialog")
    expect(dialog).to_contain_text("m-run takes no more work")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert scene.wishes() == []
    row.get_by_role("button", name="Delete").press("Enter")
    expect(dialog).to_contain_text("m-run is deleted at once")
    page.keyboard.press("Enter")
    expect(dialog.get_by_label("Your token")).to_be_focused()
    page.keyboard.type(TOKEN)
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("grid", name="Asked for within the hour")).to_contain_text("m-run")
    page.get_by_role("button", name="Pause", exact=True).press("Enter")
    expect(dialog).to_contain_text("The machines of workers stay as they are")
    expect(dialog).to_be_visible()
    page.keyboard.press("Enter")  # the token is known in this tab
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Limits").press("Enter")
    expect(page.locator("#limits-dialog")).to_be_visible()
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    expect(page.locator("#limits-dialog")).to_be_hidden()
    kinds = [("delete", "workers", "m-run", "ann"), ("pause", "workers", "", "ann")]
    assert scene.wishes() == [*kinds, ("limits", "workers", "", "ann")]


def test_a_figure_leads_to_its_plot_and_a_group_to_all_three_of_its(page: Page, scene: MachinesScene) -> None:
    open_page(page, f"{scene.url}/machines")
    page.locator('tr[data-machine="m-run"] td[data-path$=".cpu_pct"]').click()
    expect(page.locator("#plot")).to_be_visible()
    expect(page.locator("#plot-legend tr")).to_have_count(1)
    page.get_by_role("button", name="wanted up booting over 24 h of workers").press("Enter")
    expect(page.locator("#plot-legend tr")).to_have_count(4)


def test_news_come_within_seconds_and_only_while_it_is_looked_at(page: Page, scene: MachinesScene) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "part=" in request.url else None)
    open_page(page, f"{scene.url}/machines")
    scene.queue.database.write(lambda connection: change_machine(connection, "m-run", "", images_done=5000))
    expect(page.locator('tr[data-machine="m-run"]')).to_contain_text("5 000", timeout=TIMEOUT_MS)
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => window.away })")
    page.evaluate("window.away = true")
    seen = len(asked)
    page.wait_for_timeout(7_000)  # more than one refresh
    assert len(asked) <= seen + 1, "one may have been under way"
    with page.expect_request(lambda request: "part=" in request.url):
        page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")


def test_a_button_keeps_the_keyboard_where_rows_around_it_are_new(page: Page, scene: MachinesScene) -> None:
    open_page(page, f"{scene.url}/machines")
    page.locator('tr[data-machine="m-run"]').get_by_role("button", name="Drain").focus()
    new = MachineRow("m-another", "workers", "north", "north/large", MachineState.BOOTING, 0)
    scene.queue.database.write(lambda connection: add_machine(connection, new))
    expect(page.locator('tr[data-machine="m-another"]')).to_be_visible(timeout=TIMEOUT_MS)
    expect(page.locator('tr[data-machine="m-run"]').get_by_role("button", name="Drain")).to_be_focused()


def test_names_of_others_stay_text(page: Page, scene: MachinesScene) -> None:
    opened: list[str] = []
    page.on("dialog", lambda dialog: (opened.append(dialog.message), dialog.dismiss()))
    hostile = MachineRow(
        HOSTILE,
        HOSTILE,
        "x",
        HOSTILE,
        MachineState.RUNNING,
        0,
        reason=HOSTILE,
        fault=HOSTILE,
        asked_by=HOSTILE,
    )
    scene.queue.database.write(lambda connection: add_machine(connection, hostile))
    open_page(page, f"{scene.url}/machines")
    expect(page.locator("tbody th", has_text="onerror")).to_be_visible()
    expect(page.locator("img")).to_have_count(0)
    page.locator("tr", has=page.locator("th", has_text="onerror")).get_by_role("button", name="Drain").click()
    expect(page.locator("#confirm-dialog")).to_contain_text("<img src=x onerror=alert(1)> takes no more work")
    assert opened == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_wider_than_the_screen_and_all_can_be_read(
    browser: Browser, scene: MachinesScene, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, color_scheme=scheme)  # type: ignore[arg-type]
    page = open_page(context.new_page(), f"{scene.url}/machines")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert find_serious(page) == []
    page.get_by_role("button", name="New machine").tap()
    expect(page.locator("#create-dialog .preview")).to_contain_text("c2")
    assert page.evaluate("document.querySelector('#create-dialog').scrollWidth") <= 390
    assert find_serious(page) == []
    context.close()
