"""`make run` as a newcomer meets it: the chain comes up, figures arrive, Ctrl-C ends it, data survives."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.services import ask
from tests.services.graphite import push
from tests.services.made import MakeRun, copy_tracked, share_installed
from tests.services.support import wait_until

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("newcomer") / "cloud-monitor"
    copy_tracked(folder)
    share_installed(folder)
    return folder


@pytest.fixture
def run(copy: Path, tmp_path: Path) -> Iterator[MakeRun]:
    run = MakeRun(copy, COLLECTOR_GRID="newcomer", FLEET="0")
    run.state = tmp_path / "state"
    run.log = tmp_path / "run.log"
    yield run
    run.clean_up()


def answers(url: str) -> bool:
    try:
        return ask.get(url).status_code == 200
    except requests.ConnectionError:
        return False


def start_and_wait(run: MakeRun) -> float:
    """Seconds until the page answered."""
    begin = time.monotonic()
    run.start()

    def up() -> bool:
        assert not run.has_ended(), run.output()
        return answers(run.page + "/") and answers(run.graphite + "/render?target=none&format=json")

    wait_until(up, "page and Graphite")
    return time.monotonic() - begin


def stored(run: MakeRun, target: str) -> list[tuple[int, float]]:
    """(timestamp, value) of every point of the last two hours."""
    parameters = {"target": target, "from": "-2h", "format": "json"}
    series = ask.get(run.graphite + "/render", params=parameters).json()
    return [(at, value) for one in series for value, at in one["datapoints"] if value is not None]


def test_figures_reach_the_page_and_survive_a_restart(run: MakeRun) -> None:
    first_s = start_and_wait(run)
    load = "grids.newcomer.sysinfo.load"
    wait_until(lambda: stored(run, load), "the host's load in Graphite")
    wait_until(lambda: "newcomer" in ask.get(run.page + "/").text, "the grid on the page")
    hour_ago = int(time.time()) // 60 * 60 - 3600
    push(f"127.0.0.1:{run.ports['CARBON_PORT']}", "grids.newcomer.marker", 42.0, hour_ago)
    run.interrupt()
    run.wait_gone()

    second_s = start_and_wait(run)
    print(f"make run: up after {first_s:.1f} s, with its state after {second_s:.1f} s")
    assert stored(run, "grids.newcomer.marker") == [(hour_ago, 42.0)]
    run.interrupt()
    run.wait_gone()
    assert not (run.copy / "node_modules").exists(), "who only runs it needs no Node"


def test_fleet_recognises_the_samples(run: MakeRun) -> None:
    # The gate would rightly hold back on a machine that runs tests on every core.
    run.variables |= {"FLEET": "1", "WORKER_CPU_THRESHOLD_PCT": "100", "WORKER_PRESSURE_CPU_PCT": "100"}
    start_and_wait(run)

    def results() -> list[dict[str, object]]:
        files = (run.state / "worker/results").rglob("*.jsonl")
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    samples = [path for path in (run.copy / "samples").rglob("*") if path.suffix in (".png", ".jpg")]
    wait_until(lambda: len(results()) == len(samples), "a result for every sample")
    assert all(result["smiles"] for result in results())
    wait_until(lambda: "samples" in ask.get(run.page + "/fleet").text, "the batch on the page")
    run.interrupt()
    run.wait_gone()


@pytest.mark.parametrize(
    "victim",
    [
        "embedded/carbon_cache",
        pytest.param("every_ms=", id="collector"),  # the shell that waits between its runs
        "-m webapp",
        "-m worker run",
    ],
)
def test_crash_of_one_ends_all(run: MakeRun, victim: str) -> None:
    run.variables["FLEET"] = "1" if "worker" in victim else "0"
    start_and_wait(run)
    os.kill(run.pid_of(victim), signal.SIGKILL)
    assert run.wait() != 0
    assert "one process ended by itself" in run.output()
    run.wait_gone()


@pytest.mark.parametrize("name", ["SIGHUP", "SIGTERM"])
def test_closed_terminal_and_termination_end_all(run: MakeRun, name: str) -> None:
    start_and_wait(run)
    run.interrupt(signal.Signals[name])
    run.wait_gone()


def test_killed_manager_leaves_nothing(run: MakeRun) -> None:
    start_and_wait(run)
    managers = [pid for pid, command in run.pids().items() if "tools.run" in command]
    os.kill(min(managers), signal.SIGKILL)
    run.wait_gone()


def test_taken_ports_are_named_with_their_variables(run: MakeRun) -> None:
    with socket.create_server(("127.0.0.1", run.ports["PORT"])):
        run.start()
        assert run.wait() != 0
    assert f"port {run.ports['PORT']} of the status page is taken by " in run.output()
    assert f"make run PORT={run.ports['PORT'] + 1}" in run.output()
    assert run.pids() == {}


def test_malformed_port_is_refused_by_name(run: MakeRun) -> None:
    run.variables["CARBON_PORT"] = "http"
    run.start()
    assert run.wait() != 0
    assert "CARBON_PORT=http refused" in run.output()


def test_second_run_on_the_same_state_is_refused(run: MakeRun, tmp_path: Path) -> None:
    start_and_wait(run)
    second = MakeRun(run.copy)
    second.state, second.log = run.state, tmp_path / "second.log"
    second.start()
    assert second.wait() != 0
    assert f"uses STATE_DIR={run.state}" in second.output()
    cleaned = clean(run)
    assert cleaned.returncode != 0
    assert "in use" in cleaned.stderr
    run.interrupt()
    run.wait_gone()


def clean(run: MakeRun) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"STATE_DIR": str(run.state)}
    command = ["make", "clean"]
    return subprocess.run(command, cwd=run.copy, env=environment, capture_output=True, text=True, check=False)


def test_clean_removes_the_state_and_keeps_the_configuration(run: MakeRun) -> None:
    configuration = run.copy / ".env"
    configuration.write_text("WEBAPP_TITLE='Our grids'\n")
    start_and_wait(run)
    assert "Our grids" in ask.get(run.page + "/").text
    run.interrupt()
    run.wait_gone()
    assert (run.state / "graphite").is_dir()
    cleaned = clean(run)
    assert cleaned.returncode == 0
    assert not run.state.exists()
    assert configuration.exists()
    removed, left = cleaned.stdout.splitlines()
    assert removed == f"removed {run.state}"
    assert left.split()[:3] == ["left:", ".env", ".venv"]
    assert clean(run).stdout.splitlines() == [f"nothing to remove: {run.state} is not there", left]
    configuration.unlink()


def test_clean_leaves_a_folder_that_is_not_ours(run: MakeRun) -> None:
    run.state.mkdir()
    (run.state / "thesis.tex").touch()
    cleaned = clean(run)
    assert cleaned.returncode != 0
    assert "not removed" in cleaned.stderr
    assert (run.state / "thesis.tex").exists()
