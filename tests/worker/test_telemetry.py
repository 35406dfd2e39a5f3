"""What a fleet's processes tell Application Insights and an OTLP receiver, also where these misbehave."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import generate_container_sas
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.services.azurite import ACCOUNT, Azurite
from tests.services.azurite import KEY as azurite_key
from tests.services.ingestion import Ingestion, ingestion
from tests.services.receivers import silent_listener
from tests.services.support import in_time, wait_until
from tests.worker.fleet import ROOT, Fleet
from worker.settings import read_settings
from worker.supervisor.outbox import GONE_S
from worker.telemetry import open_telemetry

STEPS = {"claim", "download", "recognise", "store", "upload", "finish"}
TARGET = "WORKER_APPLICATIONINSIGHTS_CONNECTION_STRING"


@pytest.fixture
def server() -> Iterator[Ingestion]:
    with ingestion() as server:
        yield server


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, environment={"WORKER_MAX_WORKERS": "1", "WORKER_HOST_NAME": "host-1"})
    fleet.add_images("a", [bytes(number + 1) for number in range(6)])
    fleet.add_images("b", [bytes(number + 1) for number in range(6)])
    fleet.enqueue()
    yield fleet
    fleet.stop()


def waiting(fleet: Fleet) -> list[Path]:
    return list((fleet.folder / "state" / "unsent-telemetry").glob("*.azure"))


def roles(server: Ingestion) -> dict[str, set[str]]:
    """Base types of envelopes by the role that sent them."""
    found: dict[str, set[str]] = {}
    for one in server.envelopes:
        found.setdefault(one["tags"]["ai.cloud.role"], set()).add(one["data"]["baseType"])
    return found


def test_a_fleet_tells_figures_events_spans_and_calls(fleet: Fleet, server: Ingestion) -> None:
    run = fleet.start(
        **{TARGET: server.connection_string},
        OTEL_EXPORTER_OTLP_ENDPOINT=server.url,
        WORKER_OTLP_HEADERS="x-token=t1",
        HTTPS_PROXY=server.url,  # whoever would speak to the vendor is seen
        NO_PROXY="127.0.0.1",
    )
    assert fleet.wait(run) == 0, fleet.said()
    assert waiting(fleet) == []
    assert roles(server) == {
        "cloud-monitor.supervisor": {"MetricData"},
        "cloud-monitor.worker": {"EventData", "RequestData", "RemoteDependencyData"},
    }
    names = {point["name"] for data in server.data("MetricData") for point in data["metrics"]}
    assert names == {"active_chunks", "temp_storage_mb", "failed_chunks"}
    assert server.metrics("failed_chunks")[-1] == 0
    events = server.data("EventData")
    assert sorted(one["properties"]["chunk_id"] for one in events) == ["batch/a#0", "batch/b#0"]
    assert {one["name"] for one in events} == {"chunk_started"}
    assert all(float(one["properties"]["active_chunks"]) >= 1 for one in events)
    assert all(float(one["properties"]["temp_storage_mb"]) >= 0 for one in events)
    chunks = server.data("RequestData")
    assert [(one["name"], one["success"], one["properties"]["outcome"]) for one in chunks] == [
        ("chunk", True, "done")
    ] * 2
    dependencies = server.data("RemoteDependencyData")
    assert {one["name"] for one in dependencies if one["type"] == "InProc"} == STEPS
    queries = [one for one in dependencies if one["type"] == "SQL"]
    assert {one["name"] for one in queries} >= {"UPDATE sqlite", "SELECT sqlite", "INSERT sqlite"}
    assert all("?" in one["data"] for one in queries if one["data"].startswith("UPDATE")), "without values"
    assert server.connects == []
    check_otlp(server)


def check_otlp(server: Ingestion) -> None:
    assert {headers.get("x-token") for headers in server.headers} == {None, "t1"}
    spans, events, metrics = Counter[str](), Counter[str](), dict[str, Any]()
    for path, body in server.otlp:
        if path == "/v1/traces":
            for traced in ExportTraceServiceRequest.FromString(body).resource_spans:
                spans.update(span.name for scope in traced.scope_spans for span in scope.spans)
        elif path == "/v1/logs":
            for logged in ExportLogsServiceRequest.FromString(body).resource_logs:
                events.update(one.event_name for scope in logged.scope_logs for one in scope.log_records)
        else:
            for measured in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                resource = {one.key: one.value.string_value for one in measured.resource.attributes}
                assert (resource["service.name"], resource["service.instance.id"]) == ("supervisor", "host-1")
                metrics |= {one.name: one for scope in measured.scope_metrics for one in scope.metrics}
    assert events == {"chunk_started": 2}
    assert spans["chunk"] == 2
    assert spans.keys() >= STEPS
    assert metrics.keys() == {"active_chunks", "temp_storage_mb", "failed_chunks"}
    assert metrics["active_chunks"].HasField("gauge")
    assert metrics["failed_chunks"].sum.is_monotonic


def test_an_exception_is_told_without_secrets(fleet: Fleet, server: Ingestion) -> None:
    (fleet.images / "a/00003.png").write_bytes(b"raise")
    run = fleet.start(**{TARGET: server.connection_string}, WORKER_ATTEMPTS="1")
    wait_until(lambda: server.data("ExceptionData"), "an exception")
    run.send_signal(signal.SIGTERM)
    fleet.wait(run)
    raised = server.data("ExceptionData")[0]["exceptions"][0]
    assert (raised["typeName"], raised["message"]) == (
        "RuntimeError",
        "the recogniser failed: the recogniser broke",
    )
    assert "faulty_worker" in raised["stack"]


def test_a_bad_end_holds_nobody_and_loses_nothing(tmp_path: Path, server: Ingestion) -> None:
    """SIGTERM: workers and supervisors are gone as without telemetry; what is kept is sent later."""
    fleets: dict[str, Fleet] = {}
    with ExitStack() as stack:
        refusing, dripping = (stack.enter_context(ingestion()) for _ in range(2))
        refusing.status, dripping.drip = 500, True
        with socket.create_server(("127.0.0.1", 0)) as closed:
            unreachable = closed.getsockname()[1]
        ports = {
            "silent": stack.enter_context(silent_listener()),
            "refusing": refusing.server_port,
            "dripping": dripping.server_port,
            "unreachable": unreachable,
        }
        runs = {}
        for end, port in ports.items():
            (tmp_path / end).mkdir()
            bad = server.connection_string.replace(str(server.server_port), str(port))
            fleets[end] = fleet = Fleet(tmp_path / end, environment={TARGET: bad, "WORKER_MAX_WORKERS": "1"})
            stack.callback(fleet.stop)
            fleet.add_images("a", [bytes(number + 1) for number in range(100)])
            fleet.enqueue(chunk_images=1)
            runs[end] = fleet.start(WORKER_STUB_S="1", WORKER_DRAIN_S="1")
        for end, fleet in fleets.items():
            wait_until(lambda fleet=fleet: waiting(fleet), f"{end}: telemetry on the disk")  # type: ignore[misc]
        started_s = time.monotonic()
        for run in runs.values():
            run.send_signal(signal.SIGTERM)
        for end, run in runs.items():
            fleets[end].wait(run)
        assert in_time(time.monotonic() - started_s, min(15, GONE_S))
        for end, fleet in fleets.items():
            assert fleet.all_pids() == [], end
            assert fleet.has_said("files of telemetry wait in"), end
    for end, fleet in fleets.items():
        kept = waiting(fleet)
        assert kept, end
        server.envelopes.clear()
        settings = read_settings(fleet.environment | {TARGET: server.connection_string})
        open_telemetry(settings, "worker", "later").close(60)
        assert waiting(fleet) == [], end
        assert "chunk_started" in str(server.envelopes), end


def test_failures_are_counted_once_with_two_supervisors(tmp_path: Path, server: Ingestion) -> None:
    """The active chunks are the queue's, whoever tells them: to be aggregated by their maximum."""
    environment = {
        TARGET: server.connection_string,
        "OTEL_METRIC_EXPORT_INTERVAL": "300",
        "WORKER_MAX_WORKERS": "1",
        "WORKER_ATTEMPTS": "1",
        "WORKER_STUB_S": "1",
        "WORKER_AHEAD_IMAGES": "1",
        "WORKER_AHEAD_THREADS": "1",
    }
    fleet = Fleet(tmp_path, environment=environment)
    try:
        fleet.results.write_bytes(b"no folder, so no results can be put there")
        for directory in "abcdefgh":
            fleet.add_images(directory, [b"1"])
        fleet.enqueue()
        for run in [fleet.start(WORKER_HOST_NAME=f"host-{number}") for number in range(2)]:
            fleet.wait(run)
    finally:
        fleet.stop()
    told: dict[str, dict[str, list[float]]] = {"host-0": {}, "host-1": {}}
    for one in server.envelopes:
        for point in one["data"]["baseData"].get("metrics", ()):
            values = told[one["tags"]["ai.cloud.roleInstance"]]
            values.setdefault(point["name"], []).append(point["value"])
    assert all("failed_chunks" in values for values in told.values()), fleet.said()
    recorded = [sum(values["failed_chunks"]) for values in told.values()]
    assert sum(recorded) == 8, fleet.said()
    assert min(recorded) > 0, "each had a share"
    most = [max(values["active_chunks"]) for values in told.values()]
    assert min(most) >= 2, "each tells the other's too"
    assert max(most) <= 8, "there are no more chunks"


DOWNLOAD = """
import sys
from contextlib import suppress
from pathlib import Path
from worker.queue import Claim, Lease, QueueUnavailable
from worker.settings import read_settings
from worker.storage import open_storage
from worker.telemetry import open_telemetry

settings = read_settings()
telemetry = open_telemetry(settings, "worker", "w")
storage = open_storage(settings.storage_url, settings)
with telemetry.claiming() as trace:
    trace.claimed(Claim(1, 1, "b/a#0", "b", settings.storage_url, "", 1, 1, None, 1, (), Lease(0)))
with trace.step("download", images=1):
    storage.get("a.png", Path(sys.argv[1]))
trace.end("done")
with telemetry.claiming():
    pass  # nothing to claim, nothing to tell
with suppress(QueueUnavailable), telemetry.claiming():
    raise QueueUnavailable("postgresql://fleet:geheim@db/queue is away")
telemetry.close(30)
"""


def test_calls_to_storage_are_dependencies_without_their_signature(
    azurite: Azurite, tmp_path: Path, server: Ingestion
) -> None:
    container = azurite.create_container()
    azurite.container(container).upload_blob("a.png", b"image")
    sas = generate_container_sas(
        ACCOUNT, container, azurite_key, permission="rl", expiry=datetime.now(UTC) + timedelta(hours=1)
    )
    endpoint = f"http://127.0.0.1:{azurite.port}/{ACCOUNT}"
    environment = {
        **os.environ,
        TARGET: server.connection_string,
        "WORKER_OTLP_ENDPOINT": server.url,
        "WORKER_STATE_DIR": str(tmp_path),
        "WORKER_STORAGE_URL": f"azure://{container}",
        "WORKER_AZURE_CONNECTION_STRING": f"BlobEndpoint={endpoint};SharedAccessSignature={sas}",
    }
    subprocess.run(
        [sys.executable, "-c", DOWNLOAD, tmp_path / "a.png"], cwd=ROOT, env=environment, check=True
    )
    assert (tmp_path / "a.png").read_bytes() == b"image"
    calls = [one for one in server.data("RemoteDependencyData") if one["type"] == "HTTP"]
    assert [(one["resultCode"][:2], one["success"]) for one in calls] == [("20", True)]
    assert f"/{container}/a.png" in calls[0]["data"]
    assert "REDACTED" in calls[0]["data"]
    signature = sas.split("sig=")[1].split("&")[0]
    assert signature not in str(server.envelopes)
    assert {path for path, _ in server.otlp} == {"/v1/traces"}
    assert all(secret not in body for _, body in server.otlp for secret in (signature.encode(), b"geheim"))
    assert any(b"sig=REDACTED" in body for _, body in server.otlp)
    assert {"chunk", "claim", "download"} <= {
        one["name"] for kind in ("RequestData", "RemoteDependencyData") for one in server.data(kind)
    }
    told = [(one["properties"]["outcome"], one["success"]) for one in server.data("RequestData")]
    assert told == [("done", True), ("unclaimed", False)]
    raised = server.data("ExceptionData")[0]["exceptions"][0]
    assert raised["message"] == "postgresql://fleet:REDACTED@db/queue is away"
    assert "geheim" not in str(server.envelopes)
    traces = {one["tags"]["ai.operation.id"] for one in server.envelopes if "ai.operation.id" in one["tags"]}
    assert len(traces) == 2, "one for each chunk"


def test_off_it_is_not_imported() -> None:
    """Neither in the commands nor in what a worker runs."""
    program = (
        "import sys\n"
        "import worker.__main__, worker.commands.run, worker.commands.work, worker.runner.runner\n"
        "import webapp, webapp.__main__, collector.__main__, collector.run, collector.tasks\n"
        "from worker.settings import read_settings\n"
        "from worker.telemetry import WorkerTelemetry, open_telemetry\n"
        "assert type(open_telemetry(read_settings({}), 'worker', 'w')) is WorkerTelemetry\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True).stdout
    assert {"opentelemetry", "azure", "msal"} & {
        name.split(".")[0] for name in loaded.decode().split()
    } == set()


@pytest.mark.parametrize("fault", ["no folder", "a refused variable"])
def test_a_fault_of_its_own_stops_no_worker(tmp_path: Path, fault: str) -> None:
    """Such as a folder that belongs to somebody else."""
    environment = {
        **os.environ,
        "WORKER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "WORKER_STATE_DIR": str(tmp_path),
    }
    if fault == "no folder":
        (tmp_path / "unsent-telemetry").write_bytes(b"")
    else:
        environment["OTEL_METRIC_EXPORT_INTERVAL"] = "0"
    program = (
        "import logging\n"
        "logging.basicConfig()\n"
        "from worker.settings import read_settings\n"
        "from worker.telemetry import open_telemetry\n"
        "telemetry = open_telemetry(read_settings(), 'worker', 'w')\n"
        "with telemetry.claiming() as trace:\n"
        "    pass\n"
        "telemetry.close()\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    said = f"{tmp_path}/unsent-telemetry: Not a directory" if fault == "no folder" else "no telemetry"
    assert said in run.stderr


def test_a_missing_package_is_said_and_nothing_else(tmp_path: Path) -> None:
    program = (
        "import sys, logging\n"
        "logging.basicConfig()\n"
        "sys.modules['opentelemetry'] = None\n"
        "from worker.settings import read_settings\n"
        "from worker.telemetry import WorkerTelemetry, open_telemetry\n"
        "settings = read_settings({'WORKER_OTLP_ENDPOINT': 'http://127.0.0.1:1'})\n"
        "assert type(open_telemetry(settings, 'worker', 'w')) is WorkerTelemetry\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "pip install 'cloud-monitor[telemetry]'" in run.stderr
