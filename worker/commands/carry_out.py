"""`carry-out`: the child of a supervisor that submits what was asked for from outside."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import closing

import click

from cloud_monitor.system.process import die_with_parent
from worker.exit_codes import NOTHING_TO_SUBMIT
from worker.gate.limits import queue_policy
from worker.queue import open_queue
from worker.settings import Settings
from worker.submission.carry_out import Submitter


@click.command(hidden=True)
@click.option("--parent", required=True, type=int, help="Process number of the supervisor.")
@click.option("--host", required=True)
@click.pass_context
def command(context: click.Context, parent: int, host: str) -> None:
    """Submit what waits, one after the other, then end."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    die_with_parent()
    if os.getppid() != parent:  # it ended before the kernel was told
        context.exit(NOTHING_TO_SUBMIT)
    os.nice(10)  # workers and the gate's looks at the host come first
    settings: Settings = context.obj
    with closing(open_queue(settings.queue_url, queue_policy(settings), make=False)) as queue:
        taken = Submitter(queue, settings, host, stopping).run()
    context.exit(0 if taken else NOTHING_TO_SUBMIT)
