"""Who types a command: only the owner of the state folder changes something there, and is named."""

from __future__ import annotations

import argparse
import getpass
import os
from pathlib import Path

from cloud_monitor.system.text import parse_duration
from webapp.alerts.changes import ChangeRefused

EXIT_REFUSED = 2


class CommandRefused(ChangeRefused):
    """What was asked cannot be done by a command."""


def check_owner(state_dir: Path) -> None:
    """Raises CommandRefused for whoever does not own the folder."""
    try:
        owner = state_dir.stat().st_uid
    except OSError as error:
        raise CommandRefused(
            f"WEBAPP_STATE_DIR={state_dir}: {error.strerror}: has the page run yet?"
        ) from None
    if owner != os.geteuid():
        raise CommandRefused(
            f"WEBAPP_STATE_DIR={state_dir} belongs to user {owner}: run this as that user, such as with "
            "`sudo -u`; a file of yours there would lock the page out"
        )


def name_of_caller(given: str = "") -> str:
    """Who types the command, also behind sudo, if no other name is given."""
    name = given or os.environ.get("SUDO_USER", "")
    try:
        return str(name or getpass.getuser())[:80]
    except (OSError, KeyError):
        return f"user {os.geteuid()}"


def in_seconds(text: str) -> float:
    """A span of an option, in seconds: `20m`, `4h`."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
