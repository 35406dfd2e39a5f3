"""`run`: this host joins the fleet."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence

import click

from cloud_monitor.program import part_command
from cloud_monitor.setup import find_misread_settings
from cloud_monitor.system.child import ChildCall, run_calls
from cloud_monitor.system.installation import STATE
from cloud_monitor.system.text import without_controls
from worker.decimer.names import configured_model
from worker.errors import WorkerError
from worker.gate.limits import queue_policy
from worker.queue import open_queue
from worker.queue.statistics.outcome import outcome_text
from worker.settings import Settings, StorageSettings
from worker.storage.open import results_obstacle
from worker.supervisor.evictions import (
    SpotNotices,
    scheduled_events_url,
    spot_notice_url,
    watch,
    watch_evictions,
)
from worker.supervisor.host_locks import claim_host_name
from worker.supervisor.outbox import GONE_S
from worker.supervisor.supervisor import Supervisor
from worker.supervisor.wish_rounds import WishRounds
from worker.telemetry import CLOSE_S, open_telemetry

_RESULTS_ASKED_S = 15.0


@click.command()
@click.option("--until-empty", is_flag=True, help="End when the queue has nothing more for workers of here.")
@click.option(
    "--any-outcome", is_flag=True, help="With --until-empty: exit code 0 whatever became of the images."
)
@click.option(
    "--leave-idle",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="End after so long without work, while there is no machine manager that would end this machine.",
)
@click.pass_context
def command(context: click.Context, until_empty: bool, any_outcome: bool, leave_idle: float | None) -> None:
    """Run as many workers on this host as its CPU and memory carry; SIGTERM or Ctrl-C drains them."""
    settings: Settings = context.obj
    warn_of_settings(settings)
    config = context.find_root().params["config"]
    options = ["--config", str(config)] if config else []
    program = [*part_command("worker"), *options]
    prepare_command = [*program, "model", "fetch"] if settings.decimer_engine == "onnx" else None
    code = supervise(
        settings, [*program, "work"], until_empty, prepare_command, leave_idle, [*program, "carry-out"]
    )
    context.exit(0 if any_outcome else code)


def supervise(
    settings: Settings,
    worker_command: Sequence[str],
    until_empty: bool,
    prepare_command: Sequence[str] | None = None,
    leave_idle_s: float | None = None,
    submit_command: Sequence[str] = (),
) -> int:
    """Run a supervisor in this process; `worker_command` starts a worker when given the options of `work`,
    `prepare_command` makes the model ready before the first one, `submit_command` carries out what was
    submitted from outside when given the options of `carry-out`. The exit code: with `until_empty` 1 unless
    every image has a SMILES or an error of its own.
    """
    warn_of_results(settings)
    host, _holder = claim_host_name(settings.host_name, settings.state_dir)
    telemetry = open_telemetry(settings, "supervisor", host)
    asked_s: list[float] = []
    queue = open_queue(settings.queue_url, queue_policy(settings))
    model = ModelHere(settings)
    sources = settings.submit_sources if submit_command else ()
    wishes = WishRounds(queue, host, sources, submit_command, settings.logs_path)
    supervisor = Supervisor(
        queue,
        settings,
        host,
        worker_command,
        until_empty,
        prepare_command,
        leave_idle_s,
        model,
        telemetry,
        wishes,
    )

    def leave(reason: str) -> None:
        asked_s.append(time.monotonic())
        supervisor.leave(reason)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: leave(signal.Signals(number).name))
    events_url = scheduled_events_url(settings.scheduled_events_url)
    if events_url is not None:
        watch_evictions(events_url, leave)
    notice_url = spot_notice_url(settings.spot_notice_url)
    if notice_url is not None:
        watch(SpotNotices(notice_url), leave)
    try:
        supervisor.run()
    finally:
        telemetry.close(closing_s(time.monotonic() - asked_s[0] if asked_s else 0.0))
    try:
        if supervisor.never:
            raise WorkerError(supervisor.never)
        if not until_empty:
            return 0
        if supervisor.was_asked_to_leave:  # at once: who asked will not wait for the queue to be counted
            return 1
        outcome = queue.outcome(model())
        for line in outcome_text(outcome, model()):
            click.echo(line)
        return 0 if outcome.is_complete else 1
    finally:
        queue.close()


def closing_s(leaving_s: float) -> float:
    """How long telemetry may take at the end, after so long a leave-taking: to reach the disk is enough."""
    return min(CLOSE_S, max(0.3, GONE_S - leaving_s))


def warn_of_settings(settings: Settings) -> None:
    """What the unit's file has in a form that systemd has not taken, or that a shell would not take so."""
    if settings.state_dir.is_relative_to(STATE):  # as setup --system has it
        for text in find_misread_settings("worker"):
            click.echo(f"warning: {text}", err=True)


def warn_of_results(settings: StorageSettings) -> None:
    """Say what is in the way of results, which somebody may mend meanwhile. A child asks: the SDK of a
    storage takes memory that a supervisor need not carry."""
    asked = run_calls(
        {"results": ChildCall(lambda: results_obstacle(settings).encode(), _RESULTS_ASKED_S)}, str
    )
    if obstacle := (asked["results"].body or b"").decode():
        click.echo(f"warning: results cannot be stored: {without_controls(obstacle)}", err=True)


class ModelHere:
    """What this host's workers have, asked until it is known."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: str | None = None

    def __call__(self) -> str | None:
        self._known = self._known or configured_model(self._settings)
        return self._known
