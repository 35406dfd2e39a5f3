"""`status` as people and programs read it, on a real queue that a real fleet worked off."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.console import Console

from cloud_monitor.program import running_version
from tests.services.programs import run_program
from tests.worker.fleet import ROOT, Fleet
from worker.commands.status import sign_of_life
from worker.errors import WorkerError
from worker.queue import QueueTarget
from worker.queue.schema import hosts
from worker.queue.statistics.queue import ChunkFigures, QueueFigures, read_figures
from worker.status_view import status_view

HOSTILE = "evil\x1b[31m [bold]name\x07"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Forty images done, one of them with an error; a price; a batch that waits, with a hostile name."""
    fleet = Fleet(
        tmp_path_factory.mktemp("status"),
        environment={"WORKER_MAX_WORKERS": "1", "WORKER_PRICE_PER_HOUR": "3.6"},
    )
    fleet.add_images("a", [bytes(number + 1) for number in range(40)])
    fleet.enqueue()
    (fleet.images / "a/00007.png").unlink()
    assert fleet.wait(fleet.start()) == 0, fleet.said()
    queue = fleet.queue()
    batch = queue.add_batch(HOSTILE, fleet.source, priority=3, model="another")
    queue.add_directories(batch, [("hostile\x1b[2J", [f"{number}.png" for number in range(5)])], 5)
    queue.close()
    yield fleet
    fleet.stop()


def environment_of(fleet: Fleet, more: dict[str, str]) -> dict[str, str]:
    return {**fleet.full_environment(), "COLUMNS": "200", **more}


def terminal_of(figures: QueueFigures) -> str:
    console = Console(file=io.StringIO(), width=250)
    console.print(status_view(figures))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def start(fleet: Fleet, *options: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "worker", "status", *options],
        cwd=ROOT,
        env=environment_of(fleet, environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ask(fleet: Fleet, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_program("worker", "status", *options, environment=environment_of(fleet, environment))


def test_table_shows_work_hosts_gate_failures_and_events(fleet: Fleet) -> None:
    shown = ask(fleet).stdout
    (host,) = read_figures(fleet.database_url).hosts
    for words in (
        "40 of 45 images",
        "/s",
        "oldest waits",
        "ImageMissing",
        "spawned",
        "held_back",
        next(last.text for last in host.decisions if last.subject != "claim"),
    ):
        assert words in shown, f"{words!r} is not in\n{shown}"


def test_versions_are_told_where_they_differ(fleet: Fleet) -> None:
    figures = read_figures(fleet.database_url)
    (host,) = (replace(host, alive=True) for host in figures.hosts)
    assert running_version() in terminal_of(replace(figures, hosts=(host,)))
    assert "versions differ" not in terminal_of(replace(figures, hosts=(host,)))
    others = (host, replace(host, name="b", version=HOSTILE), replace(host, name="c", version=""))
    shown = terminal_of(replace(figures, hosts=others))
    assert f"versions differ: {running_version()} on 1 host, " in shown
    assert "evil�[31m [bold]name� on 1 host, earlier on 1 host" in shown


def test_cost_follows_from_the_hosts_price_and_the_pace(fleet: Fleet) -> None:
    """3.6 an hour and two images a second."""
    figures = read_figures(fleet.database_url)
    host = replace(figures.hosts[0], alive=True)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(status_view(replace(figures, hosts=(host,), images_per_s=2.0)))
    assert "0.500 per 1,000 images" in console.export_text()


def test_a_dead_chunk_is_shown_with_the_number_that_retry_takes(fleet: Fleet) -> None:
    dead = ChunkFigures(
        4711, "run/a#0", "run", "failed", 2, None, None, None, 5, 500, 0, None, "StorageError: x"
    )
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(status_view(replace(read_figures(fleet.database_url), dead=(dead,))))
    (line,) = [line for line in console.export_text().splitlines() if "StorageError" in line]
    assert line.split()[:2] == ["run/a#0", "4711"]


def test_names_from_outside_reach_the_terminal_as_text(fleet: Fleet) -> None:
    shown = ask(fleet, FORCE_COLOR="1", TERM="xterm").stdout
    assert "evil�[31m [bold]name� (only for model another)" in shown
    assert "\x07" not in shown
    assert "\x1b[31m" not in shown
    assert "\x1b[2J" not in shown


def test_json_has_the_same_figures(fleet: Fleet) -> None:
    figures = json.loads(ask(fleet, "--json").stdout)
    assert figures["images"] == {"pending": 5, "active": 0, "done": 39, "failed": 1, "cancelled": 0}
    assert figures["chunks"]["done"] == 2
    assert figures["failures"] == {"ImageMissing": 1}
    assert figures["batches"][0]["name"] == HOSTILE
    [host] = figures["hosts"]
    assert host["workers"] == 0
    assert host["version"] == running_version()
    assert figures["versions"] == {running_version(): 1}
    assert host["figures"]["price_per_hour"] == 3.6
    assert {decision["subject"] for decision in host["decisions"]} == {"spawn", "claim"}
    kinds = {event["kind"] for event in figures["events"]}
    assert {"started", "spawned", "held_back", "stopped"} <= kinds


def test_watch_goes_on_while_there_is_work_and_ends_with_it(fleet: Fleet) -> None:
    """Without a terminal one look follows the other."""
    watch = start(fleet, "--watch", "--every", "0.2")
    try:
        assert watch.stdout is not None
        for _ in range(2):
            assert any("40 of 45 images" in line for line in watch.stdout)
        assert watch.poll() is None
        queue = fleet.queue()
        queue.cancel(QueueTarget(batch=HOSTILE))
        queue.close()
        assert any("40 of 40 images" in line for line in watch.stdout)
        assert watch.wait(60) == 0
    finally:
        watch.kill()
        watch.communicate()


def test_a_health_check_hears_of_this_hosts_supervisor_alone(fleet: Fleet) -> None:
    figures = read_figures(fleet.database_url)
    (host,) = figures.hosts
    other = replace(host, name="other", alive=True, workers=7)
    alive, second = replace(host, name="here", alive=True), replace(host, name="here-12", alive=True)
    silent = replace(host, name="here", alive=False, seen_at=host.seen_at - 200)
    assert sign_of_life(replace(figures, hosts=(other, alive)), "here") == f"here: {host.workers} workers"
    assert sign_of_life(replace(figures, hosts=(silent, second)), "here").startswith("here-12: ")
    with pytest.raises(WorkerError, match="here: its supervisor has not reported for more than 120 s"):
        sign_of_life(replace(figures, hosts=(other, silent)), "here")
    with pytest.raises(WorkerError, match="here: no supervisor of this host has reported yet"):
        sign_of_life(replace(figures, hosts=(other, replace(alive, name="here-too"))), "here")


def test_a_health_check_is_answered_by_the_exit_code(fleet: Fleet) -> None:
    answer = ask(fleet, "--here", WORKER_HOST_NAME="never-was")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "never-was: no supervisor of this host has reported yet" in answer.stderr
    assert ask(fleet, "--here", "--json").returncode == 2
    queue = fleet.queue()
    with queue.database.engine.begin() as connection:  # as if it had just reported
        connection.execute(hosts.update().values(seen_at=time.time()))
    queue.close()
    (host,) = read_figures(fleet.database_url).hosts
    answer = ask(fleet, "--here", WORKER_HOST_NAME=host.name)
    assert (answer.returncode, answer.stdout) == (0, f"{host.name}: {host.workers} workers\n"), answer.stderr


def test_a_queue_that_is_not_there_is_named(fleet: Fleet) -> None:
    answer = ask(fleet, WORKER_DATABASE_URL="sqlite:////nowhere/queue.db")
    assert answer.returncode == 1
    assert "/nowhere/queue.db" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_database_that_is_away_is_named(fleet: Fleet) -> None:
    answer = ask(fleet, WORKER_DATABASE_URL="postgresql://fleet:secret@127.0.0.1:1/fleet")
    assert answer.returncode == 1
    assert "127.0.0.1" in answer.stderr
    assert "secret" not in answer.stderr
