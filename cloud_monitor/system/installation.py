"""Steps that install a part on this machine for all its users; each can be looked at before, and made again.

The layout is the same for cron, systemd and Apache: the user and group cloud-monitor; settings in
/etc/cloud-monitor, which the group reads; state in /var/lib/cloud-monitor/PART, which the user alone writes.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cloud_monitor.system.files import replace_file

ACCOUNT = "cloud-monitor"
STATE = Path("/var/lib/cloud-monitor")
_SBIN = "/usr/sbin:/sbin"  # not in root's PATH after a `su` without a login


class InstallationRefused(Exception):
    """Something is in the way; says what, and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """A system user with a group of its name, without a shell."""

    name: str
    home: Path

    def __str__(self) -> str:
        return f"user and group {self.name}"

    def is_made(self) -> bool:
        try:
            pwd.getpwnam(self.name), grp.getgrnam(self.name)
        except KeyError:
            return False
        return True

    def make(self) -> None:
        try:
            grp.getgrnam(self.name)
            group = ["--gid", self.name]
        except KeyError:
            group = ["--user-group"]
        program = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:{_SBIN}")
        if program is None:
            raise InstallationRefused("useradd is missing (Debian: apt-get install passwd)")
        options = ["--system", *group, "--no-create-home", "--shell", "/usr/sbin/nologin"]
        done = subprocess.run(
            [program, *options, "--home-dir", str(self.home), self.name],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise InstallationRefused(f"useradd {self.name}: {done.stderr.strip()}")


@dataclass(frozen=True, slots=True)
class Folder:
    path: Path
    owner: str
    group: str
    mode: int

    def __str__(self) -> str:
        return f"folder {self.path} ({self.owner}:{self.group} {self.mode:o})"

    def is_made(self) -> bool:
        try:
            status = self.path.lstat()
        except OSError:
            return False
        if not stat.S_ISDIR(status.st_mode):
            raise InstallationRefused(f"{self.path} is not a folder: move it away")
        return _is_owned(self, status)

    def make(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        owner = _user_name(self.path.lstat().st_uid)
        if owner != self.owner and any(self.path.iterdir()):
            raise InstallationRefused(f"{self.path} belongs to {owner} and has {self._what_to_do()}")
        _give(self)

    def _what_to_do(self) -> str:
        """With another's files in it: what they are used for is not known here."""
        if self.path == STATE:
            return (
                f"files of an earlier layout: stop what runs, move them to {self.path}/PART (webapp, "
                f"collector or worker), give that to {ACCOUNT} and {self.path} to root (chown -R), and set "
                "state_dir so"
            )
        return f"files in it: stop what uses them, then chown -R {self.owner}:{self.group} {self.path}"


@dataclass(frozen=True, slots=True)
class File:
    """kept: one that is there stays (settings); others are replaced, and the older one becomes .before."""

    path: Path
    text: str
    owner: str
    group: str
    mode: int
    kept: bool = False

    def __str__(self) -> str:
        return f"file {self.path} ({self.owner}:{self.group} {self.mode:o})"

    def is_made(self) -> bool:
        try:
            status = self.path.lstat()
            if not stat.S_ISREG(status.st_mode):
                raise InstallationRefused(f"{self.path} is not a file: move it away")
            return self.kept or (self.path.read_bytes() == self.text.encode() and _is_owned(self, status))
        except FileNotFoundError:
            return False

    def found(self) -> str:
        """Owner and mode of one that was kept, where they are not as it would be made; else ""."""
        status = self.path.lstat()
        if _is_owned(self, status):
            return ""
        owner, group = _user_name(status.st_uid), _group_name(status.st_gid)
        return f"{self.path} ({owner}:{group} {stat.S_IMODE(status.st_mode):o})"

    def is_closed_to(self, account: str) -> bool:
        """Whether the account cannot read one that is there; False where an access list may let it."""
        status = self.path.lstat()
        try:
            user = pwd.getpwnam(account)
        except KeyError:
            return False
        if status.st_mode & stat.S_IROTH or _ACCESS_LIST in os.listxattr(self.path):
            return False
        if status.st_uid == user.pw_uid:
            return not status.st_mode & stat.S_IRUSR
        in_group = status.st_gid in os.getgrouplist(account, user.pw_gid)
        return not (in_group and status.st_mode & stat.S_IRGRP)

    def make(self) -> None:
        if self.path.exists():
            self.path.rename(self.path.with_name(f"{self.path.name}.before"))
        replace_file(self.path, self.text.encode())
        _give(self)


Step = Account | Folder | File
_ACCESS_LIST = "system.posix_acl_access"


def _is_owned(wanted: Folder | File, status: os.stat_result) -> bool:
    return (_user_name(status.st_uid), _group_name(status.st_gid), stat.S_IMODE(status.st_mode)) == (
        wanted.owner,
        wanted.group,
        wanted.mode,
    )


def _give(wanted: Folder | File) -> None:
    os.chown(wanted.path, pwd.getpwnam(wanted.owner).pw_uid, grp.getgrnam(wanted.group).gr_gid)
    wanted.path.chmod(wanted.mode)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
