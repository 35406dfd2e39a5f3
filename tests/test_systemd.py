"""The shipped units are ones that systemd takes whole, and their limits are those of the small machine."""

from __future__ import annotations

import configparser
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from bench.edge import LIMITS_MB
from tests.collector.support import collector_environment, peer, read_to_end
from tests.services.ask import get
from tests.services.needs import find_program
from tests.services.support import PATIENCE_S, free_port, listens, wait_until
from tests.worker.fleet import RUN, Fleet

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "systemd/50-cloud-monitor.rules"  # of polkit
UNITS = sorted(set((ROOT / "systemd").iterdir()) - {RULES})
WEB = "cloud-monitor-web.service"
INSTALLED_AT = "/opt/cloud-monitor"


def test_systemd_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    analyze = find_program("systemd-analyze", "systemd")
    program = tmp_path / "opt/.venv/bin/python"
    tool = tmp_path / "opt/tools/start-victoriametrics"
    for path in (program, tool):
        path.parent.mkdir(parents=True)
        path.touch(0o755)
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace(INSTALLED_AT, str(tmp_path / "opt")))
    command = [analyze, "verify", *(str(tmp_path / unit.name) for unit in UNITS)]
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_systemd_takes_what_cloud_init_adds_to_the_workers_unit(tmp_path: Path) -> None:
    analyze = find_program("systemd-analyze", "systemd")
    user_data = yaml.safe_load((ROOT / "docs/fleet/cloud-init-machine.yaml").read_text())
    (added,) = (file for file in user_data["write_files"] if file["path"].startswith("/etc/systemd/system/"))
    unit = tmp_path / "cloud-monitor-worker.service"
    program = tmp_path / "opt/.venv/bin/python"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    texts = {
        unit: (ROOT / "systemd" / unit.name).read_text(),
        tmp_path / added["path"].removeprefix("/etc/systemd/system/"): added["content"],
    }
    for path, text in texts.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace(INSTALLED_AT, str(tmp_path / "opt")).replace("{leave_idle_s}", "900"))
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    verified = subprocess.run(
        [analyze, "verify", "--man=no", str(unit)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.parametrize(
    ("unit", "section", "limit"),
    [
        ("cloud-monitor-web.service", "Service", "web"),
        ("cloud-monitor-store.service", "Service", "store"),
        ("cloud-monitor.slice", "Slice", "all"),
    ],
)
def test_limits_are_those_that_were_measured(unit: str, section: str, limit: str) -> None:
    assert _read(unit)[section]["MemoryMax"] == f"{LIMITS_MB[limit]:g}M"


def test_every_service_of_the_monitoring_is_in_the_slice() -> None:
    services = {path.stem.rpartition("-")[2] for path in UNITS if path.suffix == ".service"}
    assert services == {"collector", "machines", "store", "web", "worker"}
    for service in services - {"machines", "worker"}:
        assert _read(f"cloud-monitor-{service}.service")["Service"]["Slice"] == "cloud-monitor.slice"


def test_no_service_opens_its_state_to_others() -> None:
    """systemd gives a folder the mode that its unit says at each start, and 0755 where it says none."""
    modes: dict[str, set[tuple[str, str]]] = {}
    for path in UNITS:
        if path.suffix == ".service":
            service = _read(path.name)["Service"]
            found = (service.get("StateDirectoryMode", "0755"), service.get("UMask", "0022"))
            modes.setdefault(service["StateDirectory"], set()).add(found)
    assert modes.pop("cloud-monitor/collector") == {("0700", "0077")}
    assert set(map(frozenset, modes.values())) == {frozenset({("0750", "0027")})}, modes


@pytest.mark.parametrize(
    "service", [path for path in UNITS if path.suffix == ".service"], ids=lambda path: path.stem
)
def test_systemd_finds_little_that_a_service_could_do_to_the_machine(service: Path) -> None:
    analyze = find_program("systemd-analyze", "systemd")
    command = [analyze, "security", "--offline=yes", "--threshold=40", "--no-pager", str(service)]
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout[-300:]
    assert float(judged.stdout.split("exposure level for ")[1].split()[1]) < 4


def _allowed_calls() -> set[str]:
    """The system calls that the units let through, with the groups of systemd that they name spelled out."""
    analyze = find_program("systemd-analyze", "systemd")
    text = subprocess.run(
        [analyze, "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True
    ).stdout
    groups: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("@"):
            members = groups.setdefault(line.strip(), [])
        elif line.startswith("    ") and not line.strip().startswith("#"):
            members.append(line.strip())
    found, left = set(), ["@system-service", "@default"]
    while left:
        name = left.pop()
        if name.startswith("@"):
            left += groups[name]
        else:
            found.add(name)
    return found


def _calls_of(
    command: list[str], folder: Path, environment: Mapping[str, str], until: Callable[[], object]
) -> set[str]:
    """What a program and all it starts call, from its start until `until` holds and it was asked to end."""
    strace = find_program("strace", "strace")
    files = folder / "trace"
    tracer = subprocess.Popen(
        [strace, "-f", "-ff", "-qq", "-o", str(files), *command],
        env=os.environ | environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(lambda: tracer.poll() is not None or until(), f"the end of {command}")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(tracer.pid, signal.SIGTERM)
        tracer.wait(PATIENCE_S)
    traces = "\n".join(path.read_text(errors="replace") for path in folder.glob("trace.*"))
    return set(re.findall(r"^(\w+)\(", traces, re.MULTILINE))


def test_the_filter_of_system_calls_lets_every_program_work(tmp_path: Path) -> None:
    for unit in UNITS:
        if unit.suffix == ".service":
            assert _read(unit.name)["Service"]["SystemCallFilter"] == "@system-service"
    for name in ("collector", "webapp", "worker"):
        (tmp_path / name).mkdir()
    taken: list[bytes] = []
    with peer(lambda connection: taken.append(read_to_end(connection))) as carbon:
        called = _calls_of(
            [sys.executable, "-m", "collector"],
            tmp_path / "collector",
            collector_environment(tmp_path / "state", carbon),
            lambda: False,
        )
    assert taken
    port = free_port()
    page = {
        "WEBAPP_PORT": str(port),
        "WEBAPP_GRAPHITE_URL": "http://127.0.0.1:1",
        "WEBAPP_STATE_DIR": str(tmp_path / "page"),
    }
    called |= _calls_of(
        [sys.executable, "-m", "webapp"],
        tmp_path / "webapp",
        page,
        lambda: listens(port) and get(f"http://127.0.0.1:{port}/health").content,
    )
    fleet = Fleet(tmp_path / "fleet")
    fleet.add_images("d", [b"x"] * 5)
    fleet.enqueue()
    environment = fleet.full_environment()
    called |= _calls_of(list(RUN), tmp_path / "worker", environment, lambda: False)
    assert len(fleet.rows()) == 5
    assert called - _allowed_calls() == set()


def test_polkits_rule_lets_the_pages_user_restart_units_that_are_shipped_and_nothing_else() -> None:
    text = RULES.read_text()
    named = re.search(r"units = \[(.*)\]", text)
    assert named is not None
    assert set(re.findall(r'"([^"]+)"', named[1])) <= {path.name for path in UNITS}
    assert re.findall(r'lookup\("verb"\) === "(\w+)"', text) == ["restart"]
    assert re.findall(r'subject.user === "([\w-]+)"', text) == [_read(WEB)["Service"]["User"]]


def _read(name: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "systemd" / name)
    return unit
