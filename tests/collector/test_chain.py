"""The whole chain on real parts: collector, Carbon, Whisper, graphite-web's render."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.collector.support import DATA, ROOT, collector_environment, run_collector, write_script
from tests.services import ask
from tests.services.graphite import Graphite
from tests.services.support import wait_until

Line = tuple[str, float, int]


def lines_of(text: str) -> list[Line]:
    rows = [line.split() for line in text.splitlines()]
    return [(path, float(value), int(timestamp)) for path, value, timestamp in rows]


def rendered(graphite: Graphite, lines: Sequence[Line]) -> dict[str, float]:
    """What render returns for that one minute, by path."""
    timestamp = lines[0][2]
    found: dict[str, float] = {}
    paths = [path for path, _, _ in lines]
    for start in range(0, len(paths), 200):
        answer = ask.post(
            f"{graphite.url}/render",
            data={
                "target": paths[start : start + 200],
                "from": str(timestamp - 120),
                "until": str(timestamp + 120),
                "format": "json",
            },
        )
        if answer.status_code == 500 and "Unable to read header" in answer.text:
            continue  # a file that Carbon has only begun to write
        assert answer.ok, answer.text[-3000:]
        for series in answer.json():
            for value, at in series["datapoints"]:
                if at == timestamp and value is not None:
                    found[series["target"]] = value
    return found


def environment_of_everything(tmp_path: Path, carbon: str, grid: str, **settings: object) -> dict[str, str]:
    script = write_script(tmp_path / "tape", "echo drives 7; echo library.free 0.125; echo library.used -3e5")
    return collector_environment(
        tmp_path / "state",
        carbon,
        GRID=grid,
        SOURCES="host,cloudscheduler,commands",
        CLOUD_STATUS_COMMAND=f"/bin/cat {DATA}/cloudscheduler/v1.json",
        COMMANDS=f"tape = {script}",
        **settings,
    )


def test_every_point_that_is_printed_is_what_render_returns(graphite: Graphite, tmp_path: Path) -> None:
    environment = environment_of_everything(tmp_path, graphite.carbon, "chain")
    sent = run_collector("--print", environment=environment)
    assert sent.returncode == 1  # one cloud has a quota of "many"
    assert "max_slots: 'many' is not a number" in sent.stderr
    lines = lines_of(sent.stdout)
    assert len(lines) > 80
    expected = {path: value for path, value, _ in lines}
    wait_until(lambda: len(rendered(graphite, lines)) == len(lines), "all points in render")
    assert rendered(graphite, lines) == expected


def test_a_dry_run_prints_the_same_paths_and_sends_nothing(graphite: Graphite, tmp_path: Path) -> None:
    environment = environment_of_everything(tmp_path, graphite.carbon, "dry")
    dry = run_collector("--dry-run", environment=environment)
    lines = lines_of(dry.stdout)
    assert [path for path, _, _ in lines] == sorted({path for path, _, _ in lines})
    assert not (tmp_path / "state").exists()
    assert rendered(graphite, lines) == {}
    sent = lines_of(run_collector("--print", environment=environment).stdout)
    assert [path for path, _, _ in sent] == [path for path, _, _ in lines]
    steady = ("grids.dry.clouds.", "grids.dry.commands.", "grids.dry.heartbeat.", "util.")
    same = {path: value for path, value, _ in lines if path.startswith(steady)}
    assert len(same) > 50
    wait_until(lambda: same.items() <= rendered(graphite, sent).items(), "the dry run's values in render")


def test_json_lines_hold_the_same_points(tmp_path: Path) -> None:
    environment = environment_of_everything(tmp_path, "127.0.0.1:1", "json")
    rows = [
        json.loads(line)
        for line in run_collector("--dry-run", "--json", environment=environment).stdout.splitlines()
    ]
    assert {"path": "grids.json.commands.tape.library.free", "value": 0.125} in [
        {name: row[name] for name in ("path", "value")} for row in rows
    ]


def test_a_cloud_that_vanished_is_zero_and_a_failed_source_is_silent(tmp_path: Path) -> None:
    environment = environment_of_everything(tmp_path, "127.0.0.1:1", "g")
    full = {
        path: value for path, value, _ in lines_of(run_collector("--print", environment=environment).stdout)
    }
    less = tmp_path / "less.json"
    less.write_text(json.dumps({"resources": [{"name": "cern", "enabled": True, "max_slots": 1, "vms": []}]}))
    environment["COLLECTOR_CLOUD_STATUS_COMMAND"] = f"/bin/cat {less}"
    later = {
        path: value for path, value, _ in lines_of(run_collector("--print", environment=environment).stdout)
    }
    vms = [path for path in full if ".vms." in path or path.startswith("util.live_hosts.")]
    assert len(vms) > 20
    assert {later[path] for path in vms} == {0.0}
    assert "grids.g.clouds.otter.quota" not in later  # a gauge falls silent
    environment["COLLECTOR_CLOUD_STATUS_COMMAND"] = "/bin/false"
    failed = {
        path: value for path, value, _ in lines_of(run_collector("--print", environment=environment).stdout)
    }
    assert not any(path.startswith(("grids.g.clouds.", "util.")) for path in failed)
    assert failed["grids.g.heartbeat.cloud_scheduler"] == 0
    assert failed["grids.g.collector.source.cloudscheduler.failed"] == 1
    assert failed["grids.g.commands.tape.drives"] == 7


def test_the_shipped_cron_line_delivers_under_crons_environment(graphite: Graphite, tmp_path: Path) -> None:
    config = tmp_path / "collector.toml"
    config.write_text(
        f'grid = "cron"\ncarbon = "{graphite.carbon}"\nstate_dir = "{tmp_path}/state"\nsources = "host"\n'
    )
    shipped = (ROOT / "cron/cloud-monitor").read_text()
    line = next(line for line in shipped.splitlines() if line.startswith("* * * * *"))
    command = line.split(maxsplit=5)[5].split(" ", 1)[1]  # the times, then the user of a cron.d file
    command, _, rest = command.partition(" 2>&1 | ")
    assert rest == "logger -t cloud-monitor-collector"
    program, _, arguments = command.partition(" ")
    installed = Path(sys.executable).parent / "cloud-monitor-collector"
    assert program == f"/opt/cloud-monitor/.venv/bin/{installed.name}"
    assert arguments == "--config /etc/cloud-monitor/collector.toml"
    line = f"{installed} --config {config}"
    ended = subprocess.run(
        ["env", "-i", "PATH=/usr/bin:/bin", "SHELL=/bin/sh", f"HOME={tmp_path}", "/bin/sh", "-c", line],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")  # cron would mail any output
    wait_until(
        lambda: any(
            value == 1
            for series in graphite.render("grids.cron.heartbeat.cloud_monitor")
            for value, _ in series["datapoints"]  # type: ignore[attr-defined]
        ),
        "the heartbeat",
    )


def test_check_finds_a_second_owner_and_names_what_fails(graphite: Graphite, tmp_path: Path) -> None:
    environment = environment_of_everything(
        tmp_path, graphite.carbon, "owned", GRAPHITE_URL=graphite.url, HOST="head1"
    )
    assert run_collector(environment=environment).returncode == 1
    other = environment | {"COLLECTOR_HOST": "head2", "COLLECTOR_SOURCES": "host"}
    wait_until(lambda: graphite.render("grids.owned.collector.owners.*"), "the first owner's mark")
    checked = run_collector("--check", "--json", environment=other)
    rows = {(row["kind"], row["name"]): row for row in map(json.loads, checked.stdout.splitlines())}
    assert checked.returncode == 0
    assert rows["store", "owner of owned"]["level"] == "warning"
    assert "head1" in rows["store", "owner of owned"]["text"]
    assert rows["store", "clock"]["level"] == "ok"
    assert rows["destination", graphite.carbon]["level"] == "ok"
    further = run_collector("--check", "--json", environment=other | {"COLLECTOR_OWNER": "false"})
    assert '"owner of owned", "level": "ok", "text": "head1"' in further.stdout
    dead = run_collector("--check", environment=environment | {"COLLECTOR_CARBON": "127.0.0.1:1"})
    assert dead.returncode == 1
    assert "127.0.0.1:1: connection refused" in dead.stdout
    assert "cloudscheduler" in dead.stdout
