"""The shipped units are ones that systemd takes whole, and their limits are those of the small machine."""

from __future__ import annotations

import configparser
import subprocess
from pathlib import Path

import pytest

from bench.edge import LIMITS_MB
from tests.services.needs import find_program

ROOT = Path(__file__).resolve().parent.parent
UNITS = sorted((ROOT / "systemd").iterdir())
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


def _read(name: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "systemd" / name)
    return unit
