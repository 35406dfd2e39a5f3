"""`make demo`: grids in trouble on the page, and mail about it in a mailbox on this machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.services.ask import get
from tests.services.made import MakeRun, copy_tracked, share_installed
from tests.services.support import free_port, listens, wait_until

pytestmark = [pytest.mark.timeout(600), pytest.mark.soak]
IN_TROUBLE = re.compile(r"\b1\d VMs in error")  # around 12: figures of the demo go up and down


def test_trouble_is_on_the_page_and_in_the_mailbox(tmp_path: Path) -> None:
    copy = tmp_path / "cloud-monitor"
    copy_tracked(copy)
    share_installed(copy)
    run = MakeRun(copy, target="demo", FLEET="0", MAIL_PORT=str(free_port()))
    run.state = tmp_path / "state"
    run.log = tmp_path / "run.log"
    try:
        run.start()
        wait_until(lambda: listens(run.ports["PORT"]), "the page", 300)
        wait_until(lambda: IN_TROUBLE.search(get(run.page + "/").text), "a cloud in trouble", 300)
        new = run.state / "mailbox/new"

        def told(place: str, what: str) -> bool:
            lines = [line for file in new.glob("*") for line in file.read_text().splitlines()]
            return any(line.startswith("Subject: ") and place in line and what in line for line in lines)

        wait_until(lambda: told("quiet", "no data"), "mail on the silent grid", 300)
        wait_until(lambda: told("belle", "3 VMs lost"), "mail on lost VMs", 300)
    finally:
        run.clean_up()
