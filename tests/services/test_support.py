"""What tests share: a port is one test's own, from the moment it is chosen on."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.pages import run_page
from tests.services.support import PATIENCE_S, _reserve, free_port, wait_until


def test_a_port_is_kept_from_others_before_anything_listens_there() -> None:
    port = free_port()
    assert not _reserve(port)
    with socket.create_server(("127.0.0.1", port)):
        pass
    given_from = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert port < given_from, "the kernel gives it to no connection"


def test_a_port_on_which_something_listens_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not _reserve(listener.getsockname()[1])


def test_nobody_waits_for_a_program_that_has_ended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-c", "exit('no such thing')"], stderr=output)
    with pytest.raises(AssertionError, match=r"^it: its program has ended, with 1: no such thing$"):
        wait_until(lambda: False, "it", 100 * PATIENCE_S, process, log)
    wait_until(lambda: True, "what it had done", process=process)
    with (
        subprocess.Popen(["sh", "-c", "echo no >&2; exit 3"], stderr=subprocess.PIPE) as piped,
        pytest.raises(AssertionError, match=r"^it: its program has ended, with 3: no$"),
    ):
        wait_until(lambda: False, "it", 100 * PATIENCE_S, piped)
    with pytest.raises(AssertionError, match="has ended, with 2: WEBAPP_THREADS='x'"):
        run_page(tmp_path / "page", THREADS="x").__enter__()
