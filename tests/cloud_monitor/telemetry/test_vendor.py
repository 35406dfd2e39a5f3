"""The vendor's library tells the vendor nothing of itself, and asks nothing there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.ingestion import ingestion

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys, time
from worker.settings import read_settings
from worker.telemetry import open_telemetry

telemetry = open_telemetry(read_settings(), "worker", "w")
from azure.monitor.opentelemetry.exporter._configuration._state import get_configuration_manager
from azure.monitor.opentelemetry.exporter.statsbeat._state import is_statsbeat_enabled
from azure.monitor.opentelemetry.exporter.statsbeat.customer._state import get_customer_stats_manager

customer = get_customer_stats_manager()
has_customer = customer is not None and customer.is_enabled
print(get_configuration_manager() is None, is_statsbeat_enabled(), has_customer)
time.sleep(float(sys.argv[1]))
telemetry.close(5)
"""


@pytest.mark.parametrize("life_s", [0, pytest.param(40, marks=pytest.mark.soak)])
def test_the_vendors_own_statistics_and_control_are_off(tmp_path: Path, life_s: int) -> None:
    """Left alone, it asks its control plane after some seconds, as the long form would see."""
    with ingestion() as server:
        environment = {
            **os.environ,
            "WORKER_STATE_DIR": str(tmp_path),
            "WORKER_APPLICATIONINSIGHTS_CONNECTION_STRING": server.connection_string,
            "HTTPS_PROXY": server.url,
            "NO_PROXY": "127.0.0.1",
        }
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(life_s)],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert run.stdout.split() == ["True", "False", "False"]
        assert server.connects == []
