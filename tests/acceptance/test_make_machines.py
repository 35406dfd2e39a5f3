"""What `make run MACHINES=1` prepares; the whole of it needs root, and is walked in docs/machines.md."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.machines import prepare_machines
from tools.ports import Refused
from webapp.serving.identity import tokens_by_name
from worker.machines.configuration import read_machines_config


def test_a_group_of_this_host_and_a_token_for_its_page_are_prepared_once(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        with pytest.raises(Refused, match="takes root: sudo make run MACHINES=1"):
            prepare_machines(tmp_path, "sqlite:////queue.db")
        return
    environment = prepare_machines(tmp_path, "sqlite:////queue.db")
    config = read_machines_config(Path(environment["WORKER_MACHINES_CONFIG"]))
    assert (list(config.group), config.group["demo"].most) == (["demo"], 2)
    tokens = Path(environment["WEBAPP_TOKEN_FILE"])
    assert tokens.stat().st_mode & 0o777 == 0o600
    ((name, token),) = tokens_by_name(tokens.read_bytes())
    assert name == "operator"
    assert prepare_machines(tmp_path, "sqlite:////queue.db") == environment
    assert token in tokens.read_bytes(), "what is there stays"
