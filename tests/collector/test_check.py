"""What `--check` tells: each source, also those that are not asked, and whether points arrive."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path

import pytest

from collector.check import check
from collector.sources.htcondor.configuration import CondorConfiguration, find_configuration
from collector.tasks import choose_tasks
from tests.collector.support import collector_environment, make_settings, peer, run_collector, write_script
from tests.services.graphite import Graphite
from tests.services.victoriametrics import VictoriaMetrics


def rows_of(environment: dict[str, str], code: int) -> dict[tuple[str, str], dict[str, str]]:
    checked = run_collector("--check", "--json", environment=environment)
    assert checked.returncode == code, checked.stdout + checked.stderr
    return {(row["kind"], row["name"]): row for row in map(json.loads, checked.stdout.splitlines())}


def test_a_point_is_sent_and_read_back(graphite: Graphite, tmp_path: Path) -> None:
    for address in (graphite.carbon, f"tcp+plain://{graphite.plain}"):
        environment = collector_environment(tmp_path, address, GRAPHITE_URL=graphite.url)
        row = rows_of(environment, 0)["destination", address]
        assert row["level"] == "ok"
        assert re.search(r"a point was read back after [\d.]+ s$", row["text"])
        rows = rows_of(collector_environment(tmp_path, address), 0)
        assert rows["destination", address]["text"].endswith("cannot be read back")
        assert rows["store", "clock"]["level"] == "warning"
        assert rows["store", "clock"]["text"].startswith("cannot tell: no COLLECTOR_GRAPHITE_URL")


def test_a_port_of_another_protocol_is_told(graphite: Graphite, tmp_path: Path) -> None:
    web = graphite.url.removeprefix("http://")
    for address, told in (
        (graphite.plain, r"if it is a plaintext port \(often 2003\), write tcp\+plain:// before it"),
        (web, "it waits on after a frame that no receiver of pickles takes"),
        (f"tcp+plain://{graphite.carbon}", r"if it is a pickle port \(often 2004\), leave \+plain out"),
        (f"tcp+plain://{web}", "a web server listens there and no Carbon: it answered 'HTTP/1"),
    ):
        environment = collector_environment(tmp_path, address, GRAPHITE_URL=graphite.url)
        row = rows_of(environment, 1)["destination", address]
        assert row["level"] == "failed"
        assert re.search(told, row["text"]), row["text"]


def test_a_store_that_is_not_the_destinations_is_told(
    graphite: Graphite, victoriametrics: VictoriaMetrics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Carbon takes the point, and another store is asked for it."""
    settings = make_settings(
        tmp_path, carbon=graphite.carbon, graphite_url=victoriametrics.url, sources="host"
    )
    assert check(settings, os.environ, as_json=True, arrival_s=0.5) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (told,) = (row["text"] for row in rows if row["kind"] == "destination")
    assert "took a point, and" in told
    assert f"{victoriametrics.url} does not show it after 0.5 s: do they belong together?" in told


def test_a_run_names_the_other_protocol_where_the_peer_closes(tmp_path: Path) -> None:
    """As Carbon's plaintext port does at what it takes for too long a line."""

    def close_early(connection: socket.socket) -> None:
        connection.recv(100)

    filler = "; ".join(f"c{number} = /usr/bin/seq -f x%g.y{number} 1 400" for number in range(2))
    with peer(close_early) as carbon:
        environment = collector_environment(
            tmp_path, carbon, SOURCES="host,commands", COMMANDS=filler, WRITE_TIMEOUT_S=5
        )
        ended = run_collector(environment=environment)
    assert ended.returncode == 3
    assert "write tcp+plain:// before it" in ended.stderr
    assert "points not delivered, kept in" in ended.stderr


def test_every_source_has_a_row(tmp_path: Path) -> None:
    environment = collector_environment(tmp_path, "127.0.0.1:1", SOURCES="host,fleet", OWNER="false")
    rows = rows_of(environment, 1)
    assert {name: row["level"] for (kind, name), row in rows.items() if kind == "source"} == {
        "host": "ok",
        "condor": "off",
        "cloudscheduler": "off",
        "fleet": "off",
        "azure": "off",
        "commands": "off",
    }
    assert rows["source", "condor"]["text"] == "not among COLLECTOR_SOURCES"
    assert "COLLECTOR_OWNER is false" in rows["source", "fleet"]["text"]
    chosen = choose_tasks(make_settings(), {"PATH": "/nowhere"})
    assert chosen.absent["fleet"] == "not configured: COLLECTOR_FLEET_DATABASE_URL is not set"
    assert "COLLECTOR_CLOUDSCHEDULER_URL" in chosen.absent["cloudscheduler"]
    assert chosen.absent["condor"].startswith(("not configured: ", "not configured: HTCondor is left out"))


def test_htcondor_that_is_here_and_not_configured_is_told_of(tmp_path: Path) -> None:
    """A run under cron sees no CONDOR_CONFIG of a shell; it says so once, and `--check` each time."""
    (tmp_path / "bin").mkdir()
    write_script(tmp_path / "bin/condor_status", "exit 1")
    environment = {
        name: value
        for name, value in collector_environment(tmp_path / "state", "127.0.0.1:1", SOURCES="auto").items()
        if name != "HOME"
    } | {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    told = [run_collector(environment=environment).stderr.count("HTCondor is left out") for _ in range(2)]
    assert told == [1, 0]
    row = rows_of(environment, 1)["source", "condor"]
    assert row["level"] == "warning"
    assert f"{tmp_path}/bin/condor_status is installed" in row["text"]
    assert "set COLLECTOR_CONDOR_CONFIG" in row["text"]


@pytest.mark.parametrize(
    ("setting", "value", "source", "told"),
    [
        ("CLOUDSCHEDULER_USER", "eva", "cloudscheduler", "neither COLLECTOR_CLOUDSCHEDULER_URL nor"),
        ("FLEET_NAMES_MAX", "7", "fleet", "COLLECTOR_FLEET_DATABASE_URL is not set"),
        ("AZURE_CLIENT_ID", "abc", "azure", "COLLECTOR_AZURE_VMS and its like are not set"),
    ],
)
def test_a_source_with_half_of_its_settings_is_not_left_out_in_silence(
    setting: str, value: str, source: str, told: str, tmp_path: Path
) -> None:
    given = {"SOURCES": "auto", setting: value}
    row = rows_of(collector_environment(tmp_path, "127.0.0.1:1", **given), 1)["source", source]
    assert row["level"] == "warning"
    run = run_collector(environment=collector_environment(tmp_path, "127.0.0.1:1", **given))
    assert f"{source} is left out although COLLECTOR_{setting} is set: {told}" in run.stderr
    rows = rows_of(collector_environment(tmp_path, "127.0.0.1:1", SOURCES="auto"), 1)
    assert rows["source", source]["level"] == "off"


def test_a_master_among_the_processes_is_a_trace(tmp_path: Path) -> None:
    for number, name in (("7", "bash"), ("812", "condor_master")):
        (tmp_path / "proc" / number).mkdir(parents=True)
        (tmp_path / "proc" / number / "comm").write_text(f"{name}\n")
    (tmp_path / "proc/9").mkdir()  # ended meanwhile
    found = find_configuration(make_settings(), {}, tmp_path / "proc")
    assert found.traces[0] == "condor_master runs here"
    assert found.advice.startswith("HTCondor is left out: condor_master runs here")
    assert CondorConfiguration("/etc/condor/condor_config", ("x",)).advice == ""


@pytest.mark.parametrize(
    ("settings", "environment", "found"),
    [
        ({"condor_config": "/opt/c"}, {"CONDOR_CONFIG": "/x"}, "COLLECTOR_CONDOR_CONFIG=/opt/c"),
        ({}, {"CONDOR_CONFIG": "/x"}, "CONDOR_CONFIG=/x"),
        ({"condor_schedds": "a,b"}, {}, "COLLECTOR_CONDOR_SCHEDDS=a,b"),
    ],
)
def test_where_the_configuration_is_found(
    settings: dict[str, str], environment: dict[str, str], found: str
) -> None:
    assert find_configuration(make_settings(**settings), environment).found == found
