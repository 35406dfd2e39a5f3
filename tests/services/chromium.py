"""A real Chromium, driven by Playwright: one browser for a worker's tests, a page of its own for each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

from tests.services.needs import need
from tests.services.support import absent

EXECUTABLE = "/usr/bin/chromium"
TIMEOUT_MS = 90_000  # a very busy machine; what fails for good waits as long


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    need("browser")
    if not (executable := shutil.which("chromium") or shutil.which(EXECUTABLE)):
        absent("chromium is not installed (Debian package chromium)")
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        except Error as cause:
            absent(f"chromium does not start: {cause}")
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser, tmp_path: Path) -> Iterator[BrowserContext]:
    """A browser with empty storage, in UTC and light colours."""
    context = browser.new_context(
        viewport={"width": 1500, "height": 950},
        timezone_id="UTC",
        locale="en-GB",
        color_scheme="light",
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(TIMEOUT_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page; the test fails when a script of it does, or when it does what the page's policy forbids."""
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(f"script error: {error}"))
    page.on(
        "console",
        lambda message: problems.append(message.text) if "Content Security Policy" in message.text else None,
    )
    yield page
    assert not problems, problems
