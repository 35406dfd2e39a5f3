"""Submitting pictures and changing batches as people do: by mouse, by keyboard and on a phone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.deployment import serve_to_ann
from tests.browser.opening import open_page
from tests.browser.places import find_serious
from tests.worker.queue.helpers import add, queue_at
from tests.worker.queue.test_batch_wishes import change
from worker.queue import Queue, QueueTarget
from worker.queue.batch_wishes.work import report_sources
from worker.queue.statistics.batch_wishes import read_asked
from worker.settings import read_settings
from worker.submission.carry_out import Submitter

TOKEN = "ann-s-token-0123456789"
HOSTILE = "<img src=x onerror=alert(1)>"


@dataclass(frozen=True, slots=True)
class BatchesScene:
    url: str
    queue: Queue
    queue_url: str
    pictures: Path

    def wishes(self) -> list[tuple[str, str, dict[str, Any]]]:
        found = read_asked(self.queue_url)
        assert found is not None
        return [(one.kind, one.batch, dict(one.details)) for one in reversed(found.wishes)]

    def carry_out(self) -> None:
        """What a supervisor does."""
        settings = read_settings({"WORKER_SUBMIT_SOURCES": str(self.pictures)})
        Submitter(self.queue, settings, "vm1", threading.Event()).run()
        while change(self.queue) is not None:
            pass


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[BatchesScene]:
    pictures = tmp_path / "pictures"
    (pictures / "new ones").mkdir(parents=True)
    for number in range(3):
        (pictures / f"new ones/{number}.png").write_bytes(b"x")
    url = f"sqlite:///{tmp_path / 'queue.db'}"
    queue = queue_at(url)
    add(queue, "there", images=4)
    queue.database.write(partial(report_sources, host="vm1", prefixes=[str(pictures)]))
    with serve_to_ann(tmp_path, url, TOKEN) as address:
        yield BatchesScene(address, queue, url, pictures)
    queue.close()


def asked(page: Page) -> Any:
    return page.get_by_role("region", name="Asked for within the hour").locator("table")


def test_pictures_are_submitted_by_mouse_and_told_of_to_their_end(page: Page, scene: BatchesScene) -> None:
    open_page(page, f"{scene.url}/fleet")
    page.get_by_role("button", name="Submit pictures").click()
    dialog = page.locator("#submit-dialog")
    expect(dialog.locator(".preview")).to_have_text("With your token the page says from where.")
    dialog.get_by_label("Your token").fill(TOKEN)
    dialog.get_by_label("Source").fill(f"{scene.pictures}/new ones")
    expect(dialog.locator(".preview")).to_have_text(f"Below {scene.pictures}.")
    expect(dialog.get_by_label("Name of the batch")).to_have_value("new-ones")
    dialog.get_by_label("Priority").select_option("3")
    dialog.get_by_label("Done in, hours").fill("1.5")
    dialog.get_by_role("button", name="Do it").click()
    expect(dialog).to_be_hidden()
    source = f"{scene.pictures}/new ones"
    expect(asked(page)).to_contain_text(f"submit new-ones from {source}, due ")
    expect(asked(page)).to_contain_text("waits for a supervisor's next round")
    details = {"source": source, "priority": 3, "deadline": 5400}
    assert scene.wishes() == [("submit", "new-ones", details)]
    scene.carry_out()
    expect(asked(page)).to_contain_text("3 pictures in 1 chunk", timeout=30_000)
    expect(page.get_by_role("link", name="new-ones")).to_be_visible(timeout=30_000)


def test_a_batch_is_changed_by_keyboard_and_each_asks_once_more(page: Page, scene: BatchesScene) -> None:
    open_page(page, f"{scene.url}/fleet/batches/there")
    dialog = page.locator("#confirm-dialog")
    page.get_by_role("button", name="Cancel").press("Enter")
    expect(dialog).to_contain_text("What of there is not read yet is given up")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert scene.wishes() == []
    page.get_by_role("button", name="Pause", exact=True).press("Enter")
    expect(dialog).to_contain_text("No more pictures of there are begun")
    page.keyboard.press("Enter")
    expect(dialog.get_by_label("Your token")).to_be_focused()
    page.keyboard.type(TOKEN)
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(asked(page)).to_contain_text("pause there")
    scene.carry_out()
    page.reload()
    expect(asked(page)).to_contain_text("paused 2 chunks")
    page.get_by_role("button", name="Resume").press("Enter")
    expect(dialog).to_contain_text("are read again")
    page.keyboard.press("Enter")  # the token is known in this tab
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Deadline").press("Enter")
    expect(page.locator("#deadline-dialog")).to_be_visible()
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    expect(page.locator("#deadline-dialog")).to_be_hidden()
    page.get_by_role("button", name="Cancel").press("Enter")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    scene.carry_out()
    page.reload()
    page.get_by_role("button", name="Retry").press("Enter")
    page.locator("#retry-dialog").get_by_label("also pictures whose result is an error").press("Space")
    page.keyboard.press("Enter")
    expect(page.locator("#retry-dialog")).to_be_hidden()
    assert scene.wishes() == [
        ("pause", "there", {}),
        ("resume", "there", {}),
        ("deadline", "there", {"deadline": 7200}),
        ("cancel", "there", {}),
        ("retry", "there", {"failed_images": True}),
    ]


def test_a_refusal_stays_in_the_form_and_a_waiting_submission_can_be_cancelled(
    page: Page, scene: BatchesScene
) -> None:
    page.add_init_script(f"sessionStorage.setItem('cloud-monitor-token', '{TOKEN}')")
    open_page(page, f"{scene.url}/fleet")
    page.get_by_role("button", name="Submit pictures").click()
    dialog = page.locator("#submit-dialog")
    expect(dialog.locator(".preview")).to_have_text(f"Below {scene.pictures}.")
    dialog.get_by_label("Source").fill(f"/{HOSTILE}")
    dialog.get_by_label("Name of the batch").fill("there")
    dialog.get_by_role("button", name="Do it").click()
    expect(dialog.locator(".refused")).to_contain_text("there is a batch there already: 4 pictures")
    dialog.get_by_label("Name of the batch").fill("other")
    dialog.get_by_role("button", name="Do it").click()
    expect(dialog).to_be_hidden()
    expect(asked(page)).to_contain_text(f"from /{HOSTILE}")
    expect(page.locator("img")).to_have_count(0)
    asked(page).get_by_role("button", name="Cancel").click()
    page.locator("#confirm-dialog").get_by_role("button", name="Do it").click()
    expect(page.locator("#confirm-dialog")).to_be_hidden()
    scene.carry_out()
    assert [kind for kind, _, _ in scene.wishes()] == ["submit", "cancel"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_wider_than_the_screen_and_all_can_be_used(
    browser: Browser, scene: BatchesScene, scheme: Any
) -> None:
    scene.queue.cancel(QueueTarget("there"))
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, color_scheme=scheme)
    context.add_init_script(f"sessionStorage.setItem('cloud-monitor-token', '{TOKEN}')")
    page = open_page(context.new_page(), f"{scene.url}/fleet")
    page.get_by_role("button", name="Submit pictures").tap()
    dialog = page.locator("#submit-dialog")
    expect(dialog.locator(".preview")).to_have_text(f"Below {scene.pictures}.")
    assert page.evaluate("document.querySelector('#submit-dialog').scrollWidth") <= 390
    assert find_serious(page) == []
    dialog.get_by_label("Source").fill(f"{scene.pictures}/{'long-name-' * 20}")
    dialog.get_by_role("button", name="Do it").tap()
    expect(dialog).to_be_hidden()
    expect(asked(page)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert find_serious(page) == []
    open_page(page, f"{scene.url}/fleet/batches/there")
    page.get_by_role("button", name="Retry").tap()
    expect(page.locator("#retry-dialog")).to_be_visible()
    assert find_serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
