"""One deployment and one browser for all browser tests; each test opens pages of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser import scene
from tests.browser.deployment import Deployment, run_deployment
from tests.browser.opening import open_page

expect.set_options(timeout=30_000)  # a machine with ten times more to do than it has cores is as slow as that


@pytest.fixture(scope="package")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("browser")
    with run_deployment(folder, extra_points=scene.hostile_points(time.time())) as deployment:
        yield deployment


@pytest.fixture
def status(page: Page, deployment: Deployment) -> Page:
    """The status page, ready to be used."""
    return open_page(page, deployment.url)
