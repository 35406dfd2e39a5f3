"""`setup --system` in a mount namespace: looked at, made again, and run by a real cron."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cloud_monitor.settings import Reader
from cloud_monitor.setup import CHOICES, SETTINGS, plan_setup, with_places
from cloud_monitor.system.installation import ACCOUNT, STATE, File, Folder, InstallationRefused
from collector.settings import READER as of_collector
from tests.collector.support import ROOT, peer, read_to_end
from tests.services.needs import find_program, need
from tests.services.support import PATIENCE_S, wait_until
from webapp.settings import CONFIG
from webapp.settings import READER as of_webapp

ONLY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="makes a user and mounts")
# /etc and the state's place are copies of the test's own; this Python, which may be below a closed /root, and
# this checkout can be reached by every user.
PREPARE = """
set -e
mkdir -p "$T/etc" "$T/lib" "$T/home" "$T/prefix" && cp -a /etc/. "$T/etc/"
mount --bind "$T/etc" /etc
mkdir -p /var/lib/cloud-monitor && mount --bind "$T/lib" /var/lib/cloud-monitor
mount --bind "$BASE" "$T/prefix"
case "$BASE" in /root/*)
    mount -t tmpfs -o mode=755 tmpfs /root; mkdir -p "$BASE"; mount --bind "$T/prefix" "$BASE";;
esac
cd "$PWD"
"""


def in_namespace(tmp_path: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script as root where /etc and /var/lib/cloud-monitor are copies below tmp_path."""
    need("root")
    variables = (
        os.environ | {"T": str(tmp_path), "BASE": sys.base_prefix, "PYTHON": sys.executable} | environment
    )
    return subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", PREPARE + script],
        env=variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@ONLY_ROOT
def test_it_makes_one_layout_for_all_parts_and_again_changes_nothing(tmp_path: Path) -> None:
    parts = " ".join(CHOICES)
    done = in_namespace(
        tmp_path,
        f"""
        for part in {parts}; do $PYTHON -m $part setup --system --with none --dry-run; done; echo ==
        ls /etc/cloud-monitor 2>&1 || echo ==
        for part in {parts}; do $PYTHON -m $part setup --system --with none; done; echo ==
        echo mine > /etc/cloud-monitor/webapp.toml
        chmod 777 /var/lib/cloud-monitor/collector
        for part in {parts}; do $PYTHON -m $part setup --system --with none; done; echo ==
        getent passwd {ACCOUNT} | cut -d: -f6,7
        cd /; stat -c '%U:%G %a /%n' etc/cloud-monitor etc/cloud-monitor/*
        stat -c '%U:%G %a /%n' var/lib/cloud-monitor var/lib/cloud-monitor/*
        """,
    )
    assert done.returncode == 0, done.stderr
    planned, before, made, again, found = done.stdout.split("==\n")
    assert planned.count("would make  folder /var/lib/cloud-monitor/") == 3
    assert "No such file" in before  # the dry run made nothing
    assert made.count("made        user and group") == 1
    assert [line for line in again.splitlines() if line.startswith("made")] == [
        "made        folder /var/lib/cloud-monitor/collector (cloud-monitor:cloud-monitor 700)"
    ]
    assert found.splitlines() == [
        "/var/lib/cloud-monitor:/usr/sbin/nologin",
        "root:cloud-monitor 750 /etc/cloud-monitor",
        "root:cloud-monitor 640 /etc/cloud-monitor/collector.toml",
        "root:cloud-monitor 640 /etc/cloud-monitor/webapp.toml",
        "root:cloud-monitor 640 /etc/cloud-monitor/worker.env",
        "root:root 755 /var/lib/cloud-monitor",
        "cloud-monitor:cloud-monitor 700 /var/lib/cloud-monitor/collector",
        "cloud-monitor:cloud-monitor 750 /var/lib/cloud-monitor/webapp",
        "cloud-monitor:cloud-monitor 750 /var/lib/cloud-monitor/worker",
    ]
    assert (tmp_path / "etc/cloud-monitor/webapp.toml").read_text() == "mine\n"


@pytest.mark.parametrize("part", CHOICES)
def test_first_settings_name_places_that_the_service_can_write(part: str) -> None:
    (settings,) = (
        step for step in plan_setup(part, "none") if isinstance(step, File) and step.path.parent == SETTINGS
    )
    named = re.findall(r'^(\w+)\s*=\s*"(/[^"]*)"', settings.text, re.MULTILINE)
    assert {name.lower() for name, _ in named} >= (
        {"worker_state_dir", "worker_model_dir", "worker_results_url"} if part == "worker" else {"state_dir"}
    )
    assert all(Path(place).is_relative_to(STATE / part) for _, place in named), named


@pytest.mark.parametrize(("part", "reader"), [("collector", of_collector), ("webapp", of_webapp)])
def test_examples_in_first_settings_are_settings(part: str, reader: Reader[Any], tmp_path: Path) -> None:
    """Taken out of their comments. The collector's names HTCondor's configuration, which only shells know."""
    (first,) = (step for step in plan_setup(part, "none") if isinstance(step, File))
    text = re.sub(r"^# (?=\w+ = )", "", first.text, flags=re.MULTILINE)
    (tmp_path / "file.toml").write_text(text)
    settings = reader.read({}, tmp_path / "file.toml")
    assert text.count(" = ") == len(settings.model_fields_set)
    if part == "collector":
        assert (settings.grid, settings.condor_config) == ("atlas", Path("/etc/condor/condor_config"))


@ONLY_ROOT
@pytest.mark.parametrize("part", CHOICES)
def test_what_departs_from_the_layout_is_told_by_the_check_of_each_part(part: str, tmp_path: Path) -> None:
    file = "/etc/cloud-monitor/" + ("worker.env" if part == "worker" else f"{part}.toml")
    variable = f"{part.upper()}_STATE_DIR=/var/lib/cloud-monitor/{part}"
    done = in_namespace(
        tmp_path,
        f"""
        export COLLECTOR_GRID=g COLLECTOR_CARBON=localhost {variable}
        $PYTHON -m {part} setup --system --with none > /dev/null
        $PYTHON -m {part} config check 2>&1; echo ==
        chmod 777 /var/lib/cloud-monitor/{part}
        chmod 644 {file}
        chown {ACCOUNT} /var/lib/cloud-monitor
        $PYTHON -m {part} config check 2>&1 > /dev/null || true; echo ==
        chmod 700 /etc/cloud-monitor
        setpriv --reuid 65534 --regid 65534 --clear-groups $PYTHON -m {part} config check 2>&1 > /dev/null \
          || true
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    well, departs, closed = done.stdout.split("==\n")
    assert "warning" not in well
    mode = "700" if part == "collector" else "750"
    mend = "run setup --system again"
    refused = [line for line in departs.splitlines() if line.startswith("refused: ")]
    assert len(refused) == (part != "webapp"), departs  # the page takes a folder that all may write
    assert all("every user" in line for line in refused)
    assert [line for line in departs.splitlines() if line not in refused] == [
        f"warning: {file} is open to every user: chmod 640 {file}",
        f"warning: /var/lib/cloud-monitor is not root:root 755: {mend}",
        f"warning: /var/lib/cloud-monitor/{part} is not {ACCOUNT}:{ACCOUNT} {mode}: {mend}",
    ]
    assert file in closed
    assert "Permission denied" in closed
    assert ("run this check as root" in closed) == (part != "webapp")


@ONLY_ROOT
@pytest.mark.parametrize("part", CHOICES)
def test_settings_that_the_service_cannot_read_are_told_to_root(part: str, tmp_path: Path) -> None:
    """As an editor that root used may leave them; those of a unit's environment are read by systemd."""
    file = "/etc/cloud-monitor/" + ("worker.env" if part == "worker" else f"{part}.toml")
    done = in_namespace(
        tmp_path,
        f"""
        export COLLECTOR_GRID=g COLLECTOR_CARBON=localhost
        export {part.upper()}_STATE_DIR=/var/lib/cloud-monitor/{part}
        $PYTHON -m {part} setup --system --with none > /dev/null
        for mode in root:root:600 root:root:640 root:{ACCOUNT}:600 {ACCOUNT}:root:400 root:{ACCOUNT}:640; do
            chown "${{mode%:*}}" {file}; chmod "${{mode##*:}}" {file}
            echo "$mode $($PYTHON -m {part} config check 2>&1 | grep warning)"
        done
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    closed = f"warning: {file} cannot be read by {ACCOUNT}: chgrp {ACCOUNT} {file} && chmod 640 {file}"
    told = "" if part == "worker" else closed
    assert done.stdout.splitlines() == [
        f"root:root:600 {told}",
        f"root:root:640 {told}",
        f"root:{ACCOUNT}:600 {told}",
        f"{ACCOUNT}:root:400 ",
        f"root:{ACCOUNT}:640 ",
    ]


@ONLY_ROOT
def test_what_departs_is_a_row_of_the_collectors_check(tmp_path: Path) -> None:
    done = in_namespace(
        tmp_path,
        """
        export COLLECTOR_GRID=g COLLECTOR_CARBON=127.0.0.1:1 COLLECTOR_SOURCES=commands
        export COLLECTOR_STATE_DIR=/var/lib/cloud-monitor/collector
        $PYTHON -m collector setup --system --with none > /dev/null
        $PYTHON -m collector --check || echo ==
        chmod 755 /var/lib/cloud-monitor/collector
        $PYTHON -m collector --check || exit 0
        """,
    )
    well, departs = done.stdout.split("==\n")
    row = (
        r"^state +layout +warning +/var/lib/cloud-monitor/collector is not .* 700: run setup --system again$"
    )
    assert not re.search(r"^state +layout", well, re.MULTILINE), well
    assert re.search(row, departs, re.MULTILINE), departs


@ONLY_ROOT
def test_root_is_told_what_the_services_user_cannot_use(tmp_path: Path) -> None:
    done = in_namespace(
        tmp_path,
        """
        $PYTHON -m webapp setup --system --with none > /dev/null
        export WEBAPP_STATE_DIR=/var/lib/cloud-monitor/webapp WEBAPP_TOKEN_FILE=/etc/cloud-monitor/tokens
        echo 'ada 0123456789abcdef' > $WEBAPP_TOKEN_FILE; chmod 600 $WEBAPP_TOKEN_FILE
        $PYTHON -m webapp config check 2>&1 > /dev/null || echo $?; echo ==
        chown root:cloud-monitor $WEBAPP_TOKEN_FILE; chmod 640 $WEBAPP_TOKEN_FILE
        $PYTHON -m webapp config check 2>&1 > /dev/null
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    closed, well = done.stdout.split("==\n")
    told = f"WEBAPP_TOKEN_FILE=/etc/cloud-monitor/tokens: Permission denied (as user {ACCOUNT})"
    assert closed.splitlines() == [f"refused: {told}", "2"]
    assert well == ""


@ONLY_ROOT
def test_an_earlier_layout_is_not_taken_from_its_owner(tmp_path: Path) -> None:
    done = in_namespace(
        tmp_path,
        "chown www-data /var/lib/cloud-monitor; touch /var/lib/cloud-monitor/snapshot.json\n"
        "$PYTHON -m webapp setup --system --with none || echo $?; stat -c %U /var/lib/cloud-monitor",
    )
    assert done.stdout.splitlines()[-2:] == ["1", "www-data"]
    assert "/var/lib/cloud-monitor belongs to www-data and has files of an earlier layout" in done.stderr


@ONLY_ROOT
def test_a_real_cron_starts_the_collector_by_the_installed_line(tmp_path: Path) -> None:
    """Points arrive, and what the run tells goes to the journal's program, not to a mailbox."""
    cron = find_program("cron", "cron")
    taken: list[bytes] = []
    with peer(lambda connection: taken.append(read_to_end(connection))) as carbon:
        script = f"""
        $PYTHON -m collector setup --system --with cron > /dev/null
        (echo 'grid = "cron"'; echo 'sources = ["host"]'; echo "carbon = \\"$CARBON\\""
        echo 'state_dir = "/var/lib/cloud-monitor/collector"') > /etc/cloud-monitor/collector.toml
        mkdir -p "$T/run" && mount --bind "$T/run" /run
        {cron} -f > /dev/null 2>&1 & echo $! > "$T/pid"
        for turn in $(seq 200); do [ -e /var/lib/cloud-monitor/collector/seen.json ] && break; sleep 1; done
        kill $! ; ls -l /var/lib/cloud-monitor/collector
        """
        done = in_namespace(tmp_path, script, CARBON=carbon)
        wait_until(lambda: bool(taken), "the points of the run that cron started")
    assert b"grids.cron.heartbeat.cloud_monitor" in b"".join(taken), done.stdout + done.stderr
    assert "cloud-monitor cloud-monitor" in done.stdout  # the run was this user's


def test_what_is_installed_is_what_is_shipped_with_the_places_of_this_installation() -> None:
    steps = {
        step.path.name: step
        for part in CHOICES
        for step in plan_setup(part, "systemd")
        if isinstance(step, File)
    }
    service = steps["cloud-monitor-collector.service"].text
    assert f"ExecStart={sys.prefix}/bin/python -m collector" in service
    assert f"WorkingDirectory={ROOT}\n" in service
    (cron,) = [step for step in plan_setup("collector", "cron") if isinstance(step, File) and not step.kept]
    shipped = (ROOT / "cron/cloud-monitor").read_text()
    assert cron.text == shipped.replace("/opt/cloud-monitor/.venv", sys.prefix)
    assert cron.path == Path("/etc/cron.d/cloud-monitor")
    names = {"cloud-monitor.slice", "cloud-monitor-web.service", "cloud-monitor-worker.service"}
    assert names <= steps.keys()


@pytest.mark.parametrize("part", CHOICES)
def test_every_starter_uses_the_one_layout(part: str) -> None:
    """User, settings and state of unit, cron and Apache are those that setup makes."""
    steps = plan_setup(part, "none")
    settings = next(step.path for step in steps if isinstance(step, File))
    state = next(step for step in steps if isinstance(step, Folder) and step.path.parent == STATE)
    name = "web" if part == "webapp" else part
    unit = (ROOT / f"systemd/cloud-monitor-{name}.service").read_text()
    lines = {
        f"User={ACCOUNT}",
        f"StateDirectory={state.path.relative_to(STATE.parent)}",
        f"StateDirectoryMode=0{state.mode:o}",
        f"Environment={part.upper()}_STATE_DIR={state.path}",
    }
    assert lines <= set(unit.splitlines())
    assert f"EnvironmentFile={settings}\n" in unit or f" --config {settings}\n" in unit
    assert (state.owner, state.group) == (ACCOUNT, ACCOUNT)
    if part == "collector":
        cron = (ROOT / "cron/cloud-monitor").read_text()
        assert re.search(rf"^(\* ){{5}}{ACCOUNT} \S+ --config {settings} ", cron, re.MULTILINE)
        (log,) = re.findall(r"logger -t (\S+)$", cron, re.MULTILINE)
        assert f"`journalctl -t {log}`" in (ROOT / "README.md").read_text()
    if part == "webapp":
        site = (ROOT / "apache/cloud_monitor.conf").read_text()
        assert f"Define CLOUD_MONITOR_USER {ACCOUNT}\n" in site
        assert settings == CONFIG


def test_what_is_shipped_fits_an_environment_at_the_documented_place_without_its_checkout() -> None:
    environment = "/opt/cloud-monitor/.venv"
    home = f"{environment}/share/cloud-monitor"
    service = (ROOT / "systemd/cloud-monitor-collector.service").read_text()
    text = with_places(service, environment, home)
    assert f"ExecStart={environment}/bin/python -m collector" in text
    assert f"WorkingDirectory={home}\n" in text
    cron = (ROOT / "cron/cloud-monitor").read_text()
    assert with_places(cron, environment, home) == cron
    assert with_places("/opt/cloud-monitor-old /opt/cloud-monitor", "/e", "/h") == "/opt/cloud-monitor-old /h"


def test_what_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InstallationRefused, match="file is not a folder: move it away"):
        Folder(tmp_path / "file", "root", "root", 0o755).is_made()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(InstallationRefused, match="link is not a file: move it away"):
        File(tmp_path / "link", "x", "root", "root", 0o644).is_made()
    (tmp_path / "file").write_bytes(b"\xff")
    assert not File(tmp_path / "file", "x", "root", "root", 0o644).is_made()


def test_what_a_run_under_cron_tells_goes_to_the_log_and_not_by_mail(tmp_path: Path) -> None:
    """The shipped line as cron's shell runs it: a `logger` of the test's stands for the system's."""
    shipped = (ROOT / "cron/cloud-monitor").read_text()
    assert 'MAILTO=""' in shipped.splitlines()
    (command,) = re.findall(r"^\* \* \* \* \* cloud-monitor (.*)$", shipped, re.MULTILINE)
    for name, text in (
        ("logger", f'[ "$*" = "-t cloud-monitor-collector" ] && cat >> {tmp_path}/log'),
        ("collector", "echo told; echo wrong >&2; exit 1"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    ran = subprocess.run(
        ["sh", "-c", command.replace("/opt/cloud-monitor/.venv/bin/cloud-monitor-collector", "collector")],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stdout, ran.stderr) == ("", "")
    assert (tmp_path / "log").read_text() == "told\nwrong\n"
