"""The programs as they are installed: their names, their version, and how one starts a child of its own."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from cloud_monitor import __version__

PARTS = ("collector", "webapp", "worker")
_ROOT = Path(__file__).resolve().parents[1]


def program_name(part: str) -> str:
    """What the user called: the command `cloud-monitor-PART`, or `python -m PART`."""
    command = f"cloud-monitor-{part}"
    return command if Path(sys.argv[0]).name == command else f"python -m {part}"


def version_text(part: str) -> str:
    return f"cloud-monitor-{part} {__version__}"


def part_command(part: str) -> list[str]:
    """The command that starts `part` with this interpreter, wherever that is done.

    `python -m` looks into the working directory first, where another's worker.py may lie: it does so only in
    a checkout, which need not be installed.
    """
    safe_path = [] if Path.cwd() == _ROOT else ["-P"]
    return [sys.executable, *safe_path, "-m", part]


def collector() -> None:
    _run("collector")


def webapp() -> None:
    _run("webapp")


def worker() -> None:
    _run("worker")


def _run(part: str) -> None:
    """Run a part; a library that is not there is named with the extra that brings it."""
    try:
        importlib.import_module(f"{part}.__main__").run()
    except ModuleNotFoundError as missing:
        library = (missing.name or "").split(".")[0]
        if not library or library in (*PARTS, "cloud_monitor"):
            raise
        sys.exit(f"{program_name(part)}: {library} is not installed: pip install 'cloud-monitor[{part}]'")
