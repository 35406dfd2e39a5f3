"""Alerts as people meet them: by keyboard, on a phone, and with texts that would be markup."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.opening import open_page
from tests.browser.places import find_serious
from tests.services.proxy import run_proxy
from tests.services.serving import serve_app
from tests.webapp.alerting import now_alerts
from tests.webapp.sample import write_sample
from webapp import create_app
from webapp.alerts.store import read_alerts
from webapp.settings import Settings

TOKEN = "anna-s-token-0123456789"


@dataclass(frozen=True, slots=True)
class AlertingPage:
    url: str
    state_dir: Path


@pytest.fixture
def alerting(tmp_path: Path) -> Iterator[AlertingPage]:
    """The page over alerts that were left there, which nothing evaluates anew."""
    write_sample(tmp_path, time.time())
    now_alerts(tmp_path)
    (tmp_path / "tokens").write_text(f"anna {TOKEN}\n")
    with run_proxy() as proxy:
        proxy.mode = "empty"
        settings = Settings(
            state_dir=tmp_path, token_file=tmp_path / "tokens", graphite_url=proxy.url, refresh_every_s=2
        )
        with serve_app(create_app(settings, poll=False)) as url:
            yield AlertingPage(url, tmp_path)


def section(page: Page, name: str) -> Locator:
    return page.locator(f'section.alerts[aria-label="{name}"]')


def test_acknowledging_and_silencing_by_keyboard_alone(page: Page, alerting: AlertingPage) -> None:
    open_page(page, f"{alerting.url}/alerts")
    expect(page).to_have_title("(2) Alerts · Cloud Monitor")
    keys = page.keyboard
    keys.press("j")
    expect(page.locator("li.alert").first).to_be_focused()
    keys.press("c")
    expect(page.locator("#ack-dialog")).to_contain_text("belle / condor: HTCondor does not answer")
    keys.type("on it")
    keys.press("Enter")
    expect(page.locator("#ack-dialog .refused")).to_contain_text("WEBAPP_TOKEN_FILE")
    expect(page.locator("#ack-dialog [name=token]")).to_be_focused()
    keys.type(TOKEN)
    keys.press("Enter")
    expect(page.locator("#ack-dialog")).to_be_hidden()
    expect(section(page, "Acknowledged")).to_contain_text("anna takes care for")
    expect(section(page, "Acknowledged")).to_contain_text("on it")
    expect(page).to_have_title("(1) Alerts · Cloud Monitor")
    expect(page.locator("#alert-count")).to_have_text("1 firing")

    section(page, "Acknowledged").locator("li.alert").focus()
    keys.press("c")
    page.locator("#ack-dialog [name=for_s]").select_option(label="no longer: take it back")
    page.locator("#ack-dialog .go").press("Enter")
    expect(section(page, "Firing").locator("li.alert")).to_have_count(2)
    section(page, "Firing").locator("li.alert", has_text="HTCondor does not answer").focus()
    keys.press("c")
    expect(page.locator("#ack-dialog [name=for_s]")).to_have_value("14400")
    keys.press("Enter")
    expect(section(page, "Acknowledged")).to_contain_text("anna takes care for")

    section(page, "Firing").locator("li.alert").focus()
    keys.press("s")
    expect(page.locator("#silence-dialog [name=comment]")).to_be_focused()
    keys.type("new disks")
    keys.press("Enter")  # the token is known in this tab
    expect(page.locator("#silence-dialog")).to_be_hidden()
    expect(section(page, "Silenced")).to_contain_text("12 VMs in error")
    expect(page).to_have_title("Alerts · Cloud Monitor")
    expect(page.locator("#alert-count")).to_be_hidden()
    (silence,) = read_alerts(alerting.state_dir).silences
    assert (silence.by, silence.comment, silence.rule) == ("anna", "new disks", "vms_error")

    page.get_by_role("button", name="End").press("Enter")
    expect(page.locator("#unsilence-dialog")).to_contain_text("rule vms_error")
    page.locator("#unsilence-dialog .go").press("Enter")
    expect(section(page, "Firing")).to_contain_text("12 VMs in error")
    assert read_alerts(alerting.state_dir).silences == ()


def test_keys_lead_through_the_list_to_an_alert_and_its_help(page: Page, alerting: AlertingPage) -> None:
    open_page(page, f"{alerting.url}/alerts")
    lines = page.locator("li.alert")
    for key, place in (("j", 0), ("j", 1), ("k", 0), ("j", 1), ("j", 2), ("j", 2)):
        page.keyboard.press(key)
        expect(lines.nth(place)).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("HTCondor does not answer")
    expect(page.locator("#plot")).to_be_visible()
    page.keyboard.press("c")
    expect(page.locator("#ack-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#help-dialog")).to_contain_text("acknowledge")


def test_texts_of_others_stay_texts(page: Page, alerting: AlertingPage) -> None:
    opened: list[str] = []
    page.on("dialog", lambda dialog: (opened.append(dialog.message), dialog.dismiss()))
    open_page(page, f"{alerting.url}/alerts")
    line = page.locator("li.alert", has_text="12 VMs in error")
    expect(line).to_contain_text("onerror=alert(1)")
    expect(page.locator("img")).to_have_count(0)
    line.focus()
    page.keyboard.press("s")
    expect(page.locator("#silence-dialog .about")).to_contain_text("<b>uvic</b>")
    expect(page.locator("#silence-dialog [name=place] option").first).to_have_text("atlas / <b>uvic</b>")
    page.keyboard.press("Escape")
    line.get_by_role("link").click()
    expect(page.locator("h1")).to_contain_text("onerror=alert(1)")
    expect(page.locator("img, main b b")).to_have_count(0)
    assert opened == []


def test_a_refresh_keeps_the_place_in_the_list(page: Page, alerting: AlertingPage) -> None:
    open_page(page, f"{alerting.url}/alerts")
    page.keyboard.press("j")
    page.keyboard.press("j")
    with page.expect_response(re.compile("part=body")):
        page.request.post(
            f"{alerting.url}/api/silences",
            data={"place": "belle"},
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
    expect(section(page, "Silenced")).to_contain_text("HTCondor does not answer")
    expect(page.locator("li.alert", has_text="12 VMs in error")).to_be_focused()


@pytest.mark.parametrize("path", ["/alerts", "/alerts/ID"])
def test_on_a_phone_all_is_within_reach(browser: Browser, alerting: AlertingPage, path: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    number = next(iter(read_alerts(alerting.state_dir).known.alerts.values())).id
    open_page(page, alerting.url + path.replace("ID", number))
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 360
    expect(page.locator("#alert-count")).to_be_in_viewport()
    button = page.locator('[data-act="ack"]').first
    assert button.evaluate("node => node.getBoundingClientRect().height") >= 30
    button.tap()
    dialog = page.locator("#ack-dialog")
    expect(dialog).to_be_visible()
    assert dialog.evaluate("node => node.getBoundingClientRect().right") <= 360
    assert find_serious(page) == []
    context.close()


def test_it_is_accessible(page: Page, alerting: AlertingPage) -> None:
    open_page(page, f"{alerting.url}/alerts")
    page.locator("summary").first.click()
    assert find_serious(page) == []
