"""The page's requests as spans, Azure's figures as gauges, at a local ingestion endpoint."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from cloud_monitor.metrics.paths import build_path
from tests.services.ingestion import KEY, Ingestion, ingestion
from tests.services.pages import run_page
from tests.services.support import free_port, wait_until
from tests.webapp.sample import sample_values
from webapp.model.build import GridOrder
from webapp.model.snapshot_view import PollOutcome
from webapp.model.tree import Value
from webapp.poll.current import Latest
from webapp.poll.state_files import Polled, write_outcome, write_polled
from webapp.serving.telemetry import AzureFigures

ROOT = Path(__file__).parents[3]


def write_snapshot(state_dir: Path) -> None:
    now = time.time()
    minute = int(now) // 60 * 60
    azure = [
        Value(build_path(f"azure_vm_{figure}", grid="belle", vm=vm), value, minute - old_s)
        for vm, old_s in (("worker-1", 0), ("worker-2", 900))
        for figure, value in (("cpu_pct", 42.5), ("memory_available_pct", 61.0))
    ]
    state_dir.mkdir(exist_ok=True)
    write_polled(state_dir, Polled(now, [*sample_values(now), *azure]))
    write_outcome(state_dir, PollOutcome(attempted_at=now, finished_at=now, succeeded_at=now))


@pytest.mark.programs
def test_requests_are_spans_and_one_process_tells_azures_figures(tmp_path: Path) -> None:
    write_snapshot(tmp_path)
    with ingestion() as server:
        variables = {
            "APPLICATIONINSIGHTS_CONNECTION_STRING": server.connection_string,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_METRIC_EXPORT_INTERVAL": "300",
        }
        with run_page(tmp_path, variables=variables) as page:
            for path in ("/grids/belle?token=secret", "/grids/nobody", "/health", "/", "/"):
                requests.get(f"{page.url}{path}", timeout=60)
            wait_until(lambda: len(server.data("RequestData")) >= 5, "spans", process=page.process)
            wait_until(lambda: server.metrics("azure_memory"), "Azure's figures", process=page.process)
        check(server)


@pytest.mark.programs
def test_the_last_requests_are_told_when_the_page_ends(tmp_path: Path) -> None:
    write_snapshot(tmp_path)
    with ingestion() as server:
        variables = {
            "APPLICATIONINSIGHTS_CONNECTION_STRING": server.connection_string,
            "OTEL_BSP_SCHEDULE_DELAY": "600000",
        }
        with run_page(tmp_path, variables=variables) as page:
            requests.get(f"{page.url}/health", timeout=60)
        kept = list((tmp_path / "unsent-telemetry").glob("*.azure"))
        assert kept or "GET /health" in {one["name"] for one in server.data("RequestData")}
        assert page.process.returncode == 0


def check(server: Ingestion) -> None:
    assert {one["tags"]["ai.cloud.role"] for one in server.envelopes} == {"cloud-monitor.webapp"}
    told = {(one["name"], one["responseCode"], one["success"]) for one in server.data("RequestData")}
    assert told >= {
        ("GET /grids/<grid>", "200", True),
        ("GET /health", "200", True),
        ("GET /", "200", True),
    }
    assert any(code == "404" for _, code, _ in told)
    assert "secret" not in str(server.envelopes)
    assert "nobody" not in str(server.envelopes)
    figures = {
        (point["name"], point["value"], data["properties"]["grid"], data["properties"]["vm"])
        for data in server.data("MetricData")
        for point in data["metrics"]
    }
    assert figures == {("azure_cpu", 42.5, "belle", "worker-1"), ("azure_memory", 39.0, "belle", "worker-1")}


def test_of_several_processes_one_tells(tmp_path: Path) -> None:
    write_snapshot(tmp_path)
    latest = Latest(tmp_path, time.time, GridOrder(), 180)
    latest.reload()
    first, second = (AzureFigures(latest, tmp_path / "figures.lock") for _ in range(2))
    assert [len(first.read("cpu_pct")), len(second.read("cpu_pct")), len(first.read("cpu_pct"))] == [1, 0, 1]


@pytest.mark.parametrize("text", ["hello", f"InstrumentationKey={KEY};IngestionEndpoint=x"])
def test_a_malformed_connection_string_is_refused_at_start(tmp_path: Path, text: str) -> None:
    environment = {**os.environ, "WEBAPP_STATE_DIR": str(tmp_path), "WEBAPP_PORT": str(free_port())}
    environment["WEBAPP_APPLICATIONINSIGHTS_CONNECTION_STRING"] = text
    run = subprocess.run(
        [sys.executable, "-m", "webapp"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert run.returncode == 2
    assert "WEBAPP_APPLICATIONINSIGHTS_CONNECTION_STRING=(hidden)" in run.stderr
