"""What Prometheus is told, and that the shipped rules name nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from flask.testing import FlaskClient
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from cloud_monitor import __version__
from cloud_monitor.metrics.paths import build_path
from tests.services.needs import find_program
from tests.webapp.sample import clock, write_sample
from webapp import create_app
from webapp.metrics.counters import SharedCounters
from webapp.metrics.gauges import GAUGES
from webapp.model.health import Level
from webapp.model.snapshot_view import PollOutcome
from webapp.model.tree import Value
from webapp.poll.state_files import Polled, write_outcome, write_polled
from webapp.settings import Settings

DOCS = Path(__file__).resolve().parents[3] / "docs/prometheus"


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    write_sample(tmp_path)
    return create_app(Settings(state_dir=tmp_path), poll=False, clock=clock).test_client()


def scrape(client: FlaskClient) -> dict[str, Metric]:
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def value(families: dict[str, Metric], sample: str, **labels: str) -> float:
    found = [
        one.value for family in families.values() for one in family.samples
        if one.name == sample and one.labels.items() >= labels.items()
    ]  # fmt: skip
    assert len(found) == 1, (sample, labels, found)
    return found[0]


def test_a_scrape_tells_what_runs(client: FlaskClient) -> None:
    assert value(scrape(client), "cloud_monitor_build_info", version=__version__) == 1


def test_a_grids_gauges_have_honest_names_and_labels(client: FlaskClient) -> None:
    families = scrape(client)
    assert value(families, "cloud_monitor_grid_heartbeat", grid="belle", service="condor") == 1
    assert value(families, "cloud_monitor_grid_jobs", grid="belle", type="all", status="held") == 14
    assert value(families, "cloud_monitor_cloud_vms", grid="belle", cloud="cern", state="running") == 80
    assert value(families, "cloud_monitor_host_cpu_percent", grid="belle") == 35
    assert value(families, "cloud_monitor_host_memory_percent", grid="belle") == 61
    assert value(families, "cloud_monitor_fleet_host_cpu_percent", grid="belle", host="worker-1") == 70
    assert value(families, "cloud_monitor_fleet_deadlines", grid="belle", status="missed") == 3
    assert value(families, "cloud_monitor_grid_age_seconds", grid="quiet") >= 3600
    assert value(families, "cloud_monitor_grid_health", grid="quiet") >= 2


@pytest.mark.parametrize("level", list(Level))
def test_what_help_says_of_each_level_is_what_is_sent_and_what_pages_say(
    level: Level, tmp_path: Path
) -> None:
    """One grid of each level; HELP gives the word of the number, the badge and the page say the same word."""
    now, beat = int(time.time()), build_path("heartbeat", grid="g", service="condor")
    cpu = build_path("sysinfo_cpu", grid="g")
    values = {
        Level.OK: [Value(beat, 1.0, now)],
        Level.WARN: [Value(beat, 1.0, now), Value(cpu, 85.0, now)],
        Level.BAD: [Value(beat, 0.0, now)],
        Level.STALE: [Value(beat, 1.0, now - 7200)],
    }[level]
    write_polled(tmp_path, Polled(now, values))
    write_outcome(tmp_path, PollOutcome(attempted_at=now, finished_at=now, succeeded_at=now, series=2))
    client = create_app(Settings(state_dir=tmp_path), poll=False).test_client()
    families = scrape(client)
    said = dict(
        pair.split(" ", 1)
        for pair in families["cloud_monitor_grid_health"].documentation.rstrip(".").split(", ")
    )
    assert len(said) == len(Level)
    sent = value(families, "cloud_monitor_grid_health", grid="g")
    assert said[f"{sent:g}"] == level.word
    assert f">{level.word}</text>" in client.get("/badge/g.svg").text
    assert f'mark {level.kind}"' in client.get("/grids/g").text


@pytest.mark.parametrize(("ago_s", "failing", "said"), [(0, 0, "All is well"), (900, 1, "not polled for ")])
def test_polls_that_have_stopped_are_a_failing_poll_as_pages_say(
    ago_s: int, failing: int, said: str, tmp_path: Path
) -> None:
    at = int(time.time()) - ago_s
    beat = build_path("heartbeat", grid="g", service="condor")
    write_polled(tmp_path, Polled(float(at), [Value(beat, 1.0, at)]))
    write_outcome(tmp_path, PollOutcome(attempted_at=at, finished_at=at, succeeded_at=at))
    client = create_app(Settings(state_dir=tmp_path), poll=False).test_client()
    assert value(scrape(client), "cloud_monitor_poll_failing") == failing
    assert said in client.get("/").text


def test_a_stale_grid_has_no_gauges_that_look_fresh(client: FlaskClient) -> None:
    shown = {
        family.name
        for family in scrape(client).values()
        for one in family.samples
        if one.labels.get("grid") == "quiet"
    }
    assert shown == {"cloud_monitor_grid_age_seconds", "cloud_monitor_grid_health"}


def test_requests_are_counted_by_route_and_status(client: FlaskClient) -> None:
    for path in ("/api/status", "/api/status", "/api/series", "/nowhere", "/badge/belle.svg"):
        client.get(path)
    families = scrape(client)
    count = "cloud_monitor_http_requests_total"
    assert value(families, count, route="/api/status", status="200") == 2
    assert value(families, count, route="/api/series", status="400") == 1
    assert value(families, count, route="none", status="404") == 1
    assert value(families, count, route="/badge/<grid>.svg", status="200") == 1
    assert value(families, "cloud_monitor_http_request_duration_seconds_count", route="/api/status") == 2
    assert (
        value(families, "cloud_monitor_http_request_duration_seconds_bucket", route="/api/status", le="+Inf")
        == 2
    )


def test_the_sum_is_over_processes_that_live_and_that_lived(tmp_path: Path) -> None:
    first, second = SharedCounters(tmp_path), SharedCounters(tmp_path)
    first.add("requests", "/", "200", amount=3)
    second.add("requests", "/", "200", amount=4)
    second.flush()
    assert first.totals().counters["requests", "/", "200"] == 7
    assert first.totals().processes == 2
    third = SharedCounters(tmp_path)
    third.flush()
    before = third.totals()
    assert (before.processes, len(list(tmp_path.glob("telemetry/*.json")))) == (3, 3)


def test_a_process_that_was_killed_leaves_its_counts_to_the_next(tmp_path: Path) -> None:
    source = (
        "import os, sys; from pathlib import Path; from webapp.metrics.counters import SharedCounters; "
        "t = SharedCounters(Path(sys.argv[1])); t.add('polls', 'ok'); t.flush(); os.kill(os.getpid(), 9)"
    )
    for _ in range(3):
        subprocess.run([sys.executable, "-c", source, str(tmp_path)], check=False)
    totals = SharedCounters(tmp_path).totals()
    assert totals.counters["polls", "ok"] == 3
    assert (totals.processes, len(list(tmp_path.glob("telemetry/*.json")))) == (1, 1)
    assert totals.cpu_s > 0


def test_a_torn_file_of_counts_stops_nothing(tmp_path: Path) -> None:
    SharedCounters(tmp_path).flush()
    (tmp_path / "telemetry/0.json").write_text('{"counters": [[')
    (tmp_path / "telemetry/7.json").write_text('{"counters": 3}')
    counters = SharedCounters(tmp_path)
    counters.add("polls", "ok")
    assert counters.totals().counters == {("polls", "ok"): 1.0}


def test_the_rules_name_only_metrics_that_exist(client: FlaskClient) -> None:
    client.get("/")
    exposed = {one.name for family in scrape(client).values() for one in family.samples}
    exposed |= set(scrape(client))  # families whose samples come only with failures
    exposed |= {gauge.name for gauge in GAUGES.values()}
    rules = re.sub(r"- name: \w+|job=\"\w+\"|#.*", "", (DOCS / "alerts.yml").read_text())
    named = set(re.findall(r"\bcloud_monitor_\w+", rules))
    assert named
    assert named - exposed == set()


@pytest.mark.parametrize(("kind", "file"), [("rules", "alerts.yml"), ("config", "prometheus.yml")])
def test_promtool_accepts_what_is_shipped(kind: str, file: str) -> None:
    promtool = find_program("promtool", "prometheus")
    command = [promtool, "check", kind, str(DOCS / file)]
    told = subprocess.run(command, check=True, timeout=300, capture_output=True, text=True).stdout
    assert kind == "rules" or "1 rule files found" in told  # whoever copies both is alerted


def test_promtool_lints_the_exposition(client: FlaskClient) -> None:
    promtool = find_program("promtool", "prometheus")
    client.get("/")
    text = client.get("/metrics").data
    ran = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, timeout=300, check=False
    )
    assert ran.returncode == 0, (ran.stdout + ran.stderr).decode()


def test_a_rule_fires_on_what_is_exposed(client: FlaskClient, tmp_path: Path) -> None:
    """promtool evaluates the shipped rules on this very exposition: the quiet grid raises its alert."""
    promtool = find_program("promtool", "prometheus")
    age = value(scrape(client), "cloud_monitor_grid_age_seconds", grid="quiet")
    series = 'cloud_monitor_grid_age_seconds{grid="quiet"}'
    (tmp_path / "test.yml").write_text(
        f"rule_files: [{DOCS}/alerts.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n"
        f"  input_series: [{{series: '{series}', values: '{age:g}x9'}}]\n"
        "  alert_rule_test:\n  - {eval_time: 4m, alertname: GridDataStale, exp_alerts: [{exp_labels: "
        "{grid: quiet, severity: critical}, exp_annotations: {summary: 'Grid quiet has sent nothing for "
        f"{int(age // 3600)}h {int(age % 3600 // 60)}m {int(age % 60)}s'}}}}]}}\n"
    )
    subprocess.run([promtool, "test", "rules", str(tmp_path / "test.yml")], check=True, timeout=300)


def test_the_fleets_rules_fire_on_what_stands_still_or_is_late(tmp_path: Path) -> None:
    """One grid's work waits, fails and is late; where all that waits is paused nothing fires."""
    promtool = find_program("promtool", "prometheus")
    series = {
        **{f'chunks{{grid="{grid}", status="pending"}}': "7x30" for grid in ("stuck", "held")},
        **{f'chunks{{grid="{grid}", status="active"}}': "0x30" for grid in ("stuck", "held")},
        'chunks{grid="stuck", status="paused"}': "2x30",
        'chunks{grid="held", status="paused"}': "7x30",
        'chunks{grid="stuck", status="failed"}': "0x18 1x11",
        'deadlines{grid="stuck", status="missed"}': "0x18 3x11",
    }
    names = [
        f"  - {{series: 'cloud_monitor_fleet_{key}', values: '{points}'}}" for key, points in series.items()
    ]
    told = (
        (
            "FleetStalled", "severity: critical",
            "summary: '5 chunks of grid stuck wait and no worker has taken one'",
        ),
        (
            "FleetChunksGivenUp", "status: failed, severity: warning",
            "summary: 'Chunks of grid stuck were given up', "
            "description: 'Their errors are on /fleet; `python -m worker retry` puts them back.'",
        ),
        (
            "FleetDeadlinesMissed", "status: missed, severity: warning",
            "summary: 'Chunks of grid stuck missed their deadline'",
        ),
    )  # fmt: skip
    expected = [
        f"  - {{eval_time: 20m, alertname: {alert}, exp_alerts: "
        f"[{{exp_labels: {{grid: stuck, {labels}}}, exp_annotations: {{{annotations}}}}}]}}"
        for alert, labels, annotations in told
    ]
    (tmp_path / "test.yml").write_text(
        f"rule_files: [{DOCS}/alerts.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n"
        "  input_series:\n" + "\n".join(names) + "\n  alert_rule_test:\n" + "\n".join(expected) + "\n"
    )
    subprocess.run([promtool, "test", "rules", str(tmp_path / "test.yml")], check=True, timeout=300)


def test_prometheus_in_a_container_is_told_the_same() -> None:
    """But for the names that services have there, and the Alertmanager beside it."""
    shipped = yaml.safe_load((DOCS / "prometheus.yml").read_text())
    contained = yaml.safe_load((DOCS.parents[1] / "containers/prometheus.yml").read_text())
    (alertmanager,) = contained.pop("alerting")["alertmanagers"]
    assert alertmanager == {"static_configs": [{"targets": ["alertmanager:9093"]}]}
    (job,) = contained["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["page:5000"]}]
    job["static_configs"] = shipped["scrape_configs"][0]["static_configs"]
    assert contained == shipped
