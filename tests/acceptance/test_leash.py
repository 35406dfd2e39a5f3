"""The manager of `make run` by itself: told to end while its processes are only being started."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.services.needs import need
from tests.services.support import PATIENCE_S
from tools.run import ROOT

PROGRAM = """
    import os, signal, sys, threading, time
    from tools.leash import LeashedProcess, Manager

    class Late(LeashedProcess):
        def run(self, events=None, ignore_signals=False):
            time.sleep(1)
            super().run(events, ignore_signals)

    manager = Manager()
    manager.add_process("early", "sleep 3600")
    manager._process_ctor = Late
    manager.add_process("late", "sleep 3600")
    asked = threading.Timer(0.3, os.kill, (os.getpid(), getattr(signal, sys.argv[1])))
    asked.start()
    manager.loop()
    sys.exit(manager.returncode)
"""


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_all_end_that_were_only_being_started(name: str, code: int) -> None:
    need("programs")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr == ""
    for process in ("early", "late"):
        assert f"{process} stopped (rc=-15)" in done.stdout
