"""Opening a page and waiting until its scripts are at work; a page that never is says what went wrong."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from playwright.sync_api import ConsoleMessage, Page, Request, Response, TimeoutError

from tests.services.support import PATIENCE_S


@dataclass
class _Seen:
    """What a page asked for since it was opened first, and what it said."""

    waiting: dict[Request, float] = field(default_factory=dict)  # since when, monotonic
    wrong: list[str] = field(default_factory=list)

    def asked(self, request: Request) -> None:
        self.waiting[request] = time.monotonic()

    def finished(self, request: Request) -> None:
        self.waiting.pop(request, None)

    def failed(self, request: Request) -> None:
        self.waiting.pop(request, None)
        self.wrong.append(f"{request.method} {request.url}: {request.failure}")

    def answered(self, response: Response) -> None:
        if response.status >= 400:
            self.wrong.append(f"{response.request.method} {response.url}: answered {response.status}")

    def said(self, message: ConsoleMessage) -> None:
        self.wrong.append(f"console, {message.type}: {message.text}")

    def failed_script(self, error: object) -> None:
        self.wrong.append(f"script error: {error}")

    def describe(self) -> str:
        now = time.monotonic()
        hanging = [f"{one.url}: no end after {now - since:.0f} s" for one, since in self.waiting.items()]
        return "\n".join([*hanging, *self.wrong[-40:]]) or "no request failed or hangs, and nothing was said"


_seen: WeakKeyDictionary[Page, _Seen] = WeakKeyDictionary()


def open_page(page: Page, url: str) -> Page:
    """The page, ready to be used."""
    if page not in _seen:
        seen = _seen[page] = _Seen()
        page.on("request", seen.asked)
        page.on("requestfinished", seen.finished)
        page.on("requestfailed", seen.failed)
        page.on("response", seen.answered)
        page.on("console", seen.said)
        page.on("pageerror", seen.failed_script)
    try:
        page.goto(url, timeout=PATIENCE_S * 1000)
    except TimeoutError as error:
        raise AssertionError(f"{url} is not loaded: {_seen[page].describe()}") from error
    return wait_until_ready(page)


def wait_until_ready(page: Page) -> Page:
    """After a step that leads from a page that was opened to another."""
    try:
        page.wait_for_selector("html[data-ready]", state="attached", timeout=PATIENCE_S * 1000)
    except TimeoutError as error:
        raise AssertionError(f"{page.url} never becomes ready: {_seen[page].describe()}") from error
    return page
