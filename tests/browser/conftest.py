"""One deployment and one browser for all browser tests of a worker; each test opens pages of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.browser.deployment import Deployment, run_deployment


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with run_deployment(tmp_path_factory.mktemp("browser")) as deployment:
        yield deployment


@pytest.fixture
def status(page: Page, deployment: Deployment) -> Page:
    """The status page, ready to be used."""
    return open_page(page, deployment.url)


def open_page(page: Page, url: str) -> Page:
    page.goto(url)
    page.wait_for_selector("html[data-ready]", state="attached")
    return page
