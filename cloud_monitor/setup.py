"""`setup --system` of each part: what belongs to it on a machine, made once or again without harm."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from cloud_monitor.system.environment_file import find_misread
from cloud_monitor.system.files import is_absent
from cloud_monitor.system.installation import ACCOUNT, STATE, Account, File, Folder, InstallationRefused, Step

SETTINGS = Path("/etc/cloud-monitor")
Starter = Literal["systemd", "cron", "apache", "none"]
# who starts each part; the first where systemd runs, else the second
CHOICES: dict[str, tuple[Starter, ...]] = {
    "collector": ("systemd", "cron", "none"),
    "webapp": ("systemd", "none", "apache"),
    "worker": ("systemd", "none"),
}
_STATE_MODES = {"collector": 0o700, "webapp": 0o750, "worker": 0o750}
_DOCUMENTED_AT = "/opt/cloud-monitor"  # in the files that are shipped
_UNITS = {
    "collector": ("cloud-monitor.slice", "cloud-monitor-collector.service", "cloud-monitor-collector.timer"),
    "webapp": ("cloud-monitor.slice", "cloud-monitor-web.service"),
    "worker": ("cloud-monitor-worker.service",),
}
_FIRST_SETTINGS = {
    "collector": (
        "collector.toml",
        '# grid = "atlas"                  # must be set: the name of this grid in every path\n'
        'carbon = "localhost:2004"         # where Carbon\'s pickle port is\n'
        '# graphite_url = "http://localhost:8080"   # lets a run read back what it delivered\n'
        '# condor_config = "/etc/condor/condor_config"\n',
    ),
    "webapp": ("webapp.toml", 'graphite_url = "http://localhost:8080"\n'),
    "worker": (
        "worker.env",
        '# WORKER_DATABASE_URL="postgresql://fleet:SECRET@db.example.org/fleet"\n'
        '# WORKER_STORAGE_URL="/srv/drawings"\n'
        f'WORKER_RESULTS_URL="{STATE}/worker/results"\n'
        f'WORKER_MODEL_DIR="{STATE}/worker/model"\n',
    ),
}
_NEXT = {
    ("collector", "systemd"): (
        "systemctl daemon-reload && systemctl enable --now cloud-monitor-collector.timer",
    ),
    ("webapp", "systemd"): ("systemctl daemon-reload && systemctl enable --now cloud-monitor-web",),
    ("worker", "systemd"): ("systemctl daemon-reload && systemctl enable --now cloud-monitor-worker",),
    ("webapp", "apache"): ("a2ensite cloud_monitor && apachectl configtest && systemctl restart apache2",),
}


class ShippedFileMissing(Exception):
    """A file that setup copies is neither in this checkout nor in this environment."""


def add_arguments(parser: argparse.ArgumentParser, part: str) -> None:
    parser.add_argument(
        "--system", action="store_true", required=True, help="on this machine, for all its users"
    )
    parser.add_argument(
        "--with", dest="starter", choices=CHOICES[part], default=default_starter(part), help="what starts it"
    )
    parser.add_argument("--dry-run", dest="dry", action="store_true", help="say what would be made")


def default_starter(part: str) -> Starter:
    return CHOICES[part][0 if Path("/run/systemd/system").is_dir() else 1]


def plan_setup(part: str, starter: Starter) -> tuple[Step, ...]:
    """All that belongs to a part, in the order of making. Raises ShippedFileMissing."""
    name, first = _FIRST_SETTINGS[part]
    about = f"# Settings of Cloud Monitor's {part} on this machine; docs/settings.md lists them all.\n"
    variable = f"{part.upper()}_STATE_DIR"
    where = f'{variable}="{STATE / part}"\n' if name.endswith(".env") else f'state_dir = "{STATE / part}"\n'
    return (
        Account(ACCOUNT, STATE),
        Folder(SETTINGS, "root", ACCOUNT, 0o750),
        File(SETTINGS / name, about + first + where, "root", ACCOUNT, 0o640, kept=True),
        Folder(STATE, "root", "root", 0o755),
        Folder(STATE / part, ACCOUNT, ACCOUNT, _STATE_MODES[part]),
        *_starting(part, starter),
    )


def _starting(part: str, starter: Starter) -> tuple[Step, ...]:
    units = {
        "systemd": [(f"/etc/systemd/system/{name}", f"systemd/{name}") for name in _UNITS[part]],
        "cron": [("/etc/cron.d/cloud-monitor", "cron/cloud-monitor")],
        "apache": [("/etc/apache2/sites-available/cloud_monitor.conf", "apache/cloud_monitor.conf")],
        "none": [],
    }[starter]
    return tuple(File(Path(path), _shipped(name), "root", "root", 0o644) for path, name in units)


def _shipped(name: str) -> str:
    """The text of a shipped file, with the places of this installation."""
    checkout = Path(__file__).resolve().parents[1]
    for folder in (checkout, Path(sys.prefix) / "share/cloud-monitor"):
        if (folder / name).is_file():
            return with_places((folder / name).read_text(), sys.prefix, str(folder))
    raise ShippedFileMissing(f"{name} is neither in {checkout} nor in {sys.prefix}/share/cloud-monitor")


def with_places(text: str, environment: str, home: str) -> str:
    """A shipped text where the virtual environment and the folder of shipped files are these. At once: either
    may lie below the place that is documented.
    """
    place = re.compile(re.escape(_DOCUMENTED_AT) + r"(/\.venv)?(?![\w.-])")
    return place.sub(lambda found: environment if found[1] else home, text)


def run_setup(part: str, starter: Starter, dry_run: bool) -> int:
    """Make what is not as it should be, say each step; 0 where all is well, 1 where something is in the way,
    2 where only root may."""
    try:
        steps = plan_setup(part, starter)
    except ShippedFileMissing as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not dry_run and os.geteuid() != 0:
        print(
            "error: setup --system makes users and folders: run it as root, or with --dry-run",
            file=sys.stderr,
        )
        return 2
    if not _take(steps, dry_run):
        return 1
    for text in find_misread_settings(part):
        print(f"warning: {text}", file=sys.stderr)
    program = f"{sys.prefix}/bin/cloud-monitor-{part}"
    commands = [f"runuser -u {ACCOUNT} -- {program} --config {SETTINGS}/collector.toml --check"]
    commands = [*(commands if part == "collector" else ()), *_NEXT.get((part, starter), ())]
    print(f"next: write {SETTINGS / _FIRST_SETTINGS[part][0]}{', then' if commands else ''}")
    for command in commands:
        print(f"  {command}")
    return 0


def _take(steps: Sequence[Step], dry_run: bool) -> bool:
    for step in steps:
        try:
            if step.is_made():
                found = step.found() if isinstance(step, File) else ""
                print(f"kept as is  file {found}, not {step}" if found else f"is so       {step}")
            elif dry_run:
                print(f"would make  {step}")
            else:
                step.make()
                print(f"made        {step}")
        except PermissionError as error:
            if not dry_run:
                print(f"error: {step}: {error}", file=sys.stderr)
                return False
            print(f"cannot see  {step}: only root may look there")
        except (InstallationRefused, OSError) as error:
            print(f"error: {step}: {error}", file=sys.stderr)
            return False
    return True


def find_departures(part: str) -> list[str]:
    """What of the layout is there and not as setup makes it; each with the command that mends it."""
    departures = [text for step in plan_setup(part, "none") if (text := _departure(step))]
    return departures + find_misread_settings(part)


def find_misread_settings(part: str) -> list[str]:
    """Lines of the settings that systemd and a shell do not read alike; none where they cannot be read."""
    path = SETTINGS / _FIRST_SETTINGS[part][0]
    if not path.name.endswith(".env"):
        return []
    try:
        return [f"{path}: {text}" for text in find_misread(path.read_bytes())]
    except OSError:
        return []


def _departure(step: Step) -> str:
    if isinstance(step, Account) or is_absent(step.path):
        return ""
    try:
        made = step.is_made()
        open_to_all = isinstance(step, File) and step.path.lstat().st_mode & 0o007
        # Others than TOML are read by systemd, as root.
        closed = isinstance(step, File) and step.path.suffix == ".toml" and step.is_closed_to(ACCOUNT)
    except InstallationRefused as refused:
        return str(refused)
    except OSError as error:  # its folder is closed to this user
        return f"{step.path} cannot be looked at ({error.strerror}): run this check as root or {ACCOUNT}"
    if open_to_all:
        return f"{step.path} is open to every user: chmod {step.mode:o} {step.path}"
    if closed:
        mend = f"chgrp {step.group} {step.path} && chmod {step.mode:o} {step.path}"
        return f"{step.path} cannot be read by {ACCOUNT}: {mend}"
    return (
        ""
        if made
        else f"{step.path} is not {step.owner}:{step.group} {step.mode:o}: run setup --system again"
    )
