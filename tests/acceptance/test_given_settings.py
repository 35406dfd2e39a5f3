"""What `make run` and `make demo` take from the shell, from `.env`, and of nobody."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.made import ROOT
from tests.services.support import PATIENCE_S
from tools.run import read_given


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, "/of/file"), ({"STATE_DIR": ""}, "/of/file"), ({"STATE_DIR": "/of/shell"}, "/of/shell")],
)
def test_what_make_exports_of_nobody_hides_nothing_of_the_file(
    environment: dict[str, str], expected: str, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("STATE_DIR=/of/file\n")
    assert read_given(tmp_path / ".env", environment | {"OTHER": ""}) == {"STATE_DIR": expected, "OTHER": ""}


def test_the_file_may_be_an_editors_of_windows(tmp_path: Path) -> None:
    text = "STATE_DIR=/of/file\r\nCOLLECTOR_COMMANDS='a = b; c = $d'\r\n"
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbf" + text.encode())
    given = read_given(tmp_path / ".env", {})
    assert given == {"STATE_DIR": "/of/file", "COLLECTOR_COMMANDS": "a = b; c = $d"}


def test_the_demo_has_a_state_of_its_own(tmp_path: Path) -> None:
    """Not that of `make run`, among whose figures its grids would stay. A port is taken: nothing starts."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = {"STATE_DIR": "", "PORT": str(taken.getsockname()[1]), "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(
            [sys.executable, "-m", "tools.demo"],
            cwd=tmp_path,
            env=os.environ | given,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert "is taken by" in ended.stderr
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["demo"]
