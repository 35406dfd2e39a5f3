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


def running_version() -> str:
    """By which hosts are compared: the version, and of a checkout its commit as it is now (`0.2.0+g1a2b3c4`):
    whoever asks at the start knows what runs."""
    commit = commit_of(_ROOT)
    return f"{__version__}+g{commit[:7]}" if commit else __version__


def commit_of(checkout: Path) -> str:
    """Read without git, which refuses a folder of another user's; "" where that is no checkout."""
    try:
        folder = checkout / ".git"
        if folder.is_file():  # a worktree's
            folder = checkout / folder.read_text().removeprefix("gitdir:").strip()
        head = (folder / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        common = (
            folder / (folder / "commondir").read_text().strip()
            if (folder / "commondir").is_file()
            else folder
        )
        name = head.removeprefix("ref: ")
        if (common / name).is_file():
            return (common / name).read_text().strip()
        packed = (line.split(" ", 1) for line in (common / "packed-refs").read_text().splitlines())
        return next((commit for commit, *names in packed if names == [name]), "")
    except (OSError, ValueError):  # or not UTF-8
        return ""


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
