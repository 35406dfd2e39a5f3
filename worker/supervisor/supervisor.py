"""Keeps as many workers on this host as the gate admits, and sees to those that die, hang or have to go.

`Supervisor.run` is a round every `sample_s`: look at the host, reap the dead, end what hangs, ask the gate,
act, report. Everything that can wait for the database goes through the outbox.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from cloud_monitor.system.file_locks import is_stopped
from cloud_monitor.system.usage import read_host_sample
from worker.gate.admission import is_warming, others_first, youngest
from worker.gate.limits import allotted_memory, gate_limits, limit_figures
from worker.gate.model import (
    MB,
    Decision,
    GateInput,
    GateLimits,
    GateVerdict,
    History,
    Reason,
    ResourceEstimate,
    TempUse,
)
from worker.gate.stated_needs import choose_size, room_of_host, too_large
from worker.gate.temporary import read_temp_use, sweep_temp
from worker.queue import NO_NEED, Queue, StatedNeed
from worker.runner.worker_status import WorkerStatus, explain_exit
from worker.settings import SupervisorSettings
from worker.supervisor.activity import Activity, learned_estimate, may_leave
from worker.supervisor.averages import Averages
from worker.supervisor.exits import ExitHandler
from worker.supervisor.host_locks import WarmUpLock
from worker.supervisor.outbox import Outbox, last_words_s
from worker.supervisor.preparation import Preparation
from worker.supervisor.processes import WorkerProcess, prune_logs, rotate_log, start_worker
from worker.supervisor.reports import Reporter
from worker.supervisor.wish_rounds import WishRounds
from worker.telemetry import WorkerTelemetry

log = logging.getLogger(__name__)

LEAVE_S = 24.5  # after SIGTERM a worker is gone by itself within 23 s; then it is ended
LOGS_KEPT = 200


class Supervisor:
    def __init__(
        self,
        queue: Queue,
        settings: SupervisorSettings,
        host: str,
        worker_command: Sequence[str],
        until_empty: bool,
        prepare_command: Sequence[str] | None = None,
        leave_idle_s: float | None = None,
        model: Callable[[], str | None] = lambda: None,
        telemetry: WorkerTelemetry | None = None,
        wishes: WishRounds | None = None,
    ) -> None:
        """`model` tells which one this host's workers have; None while it is not known."""
        self._settings = settings
        self._host = host
        self._worker_command = worker_command
        self._until_empty = until_empty
        self._leave_idle_s = leave_idle_s
        self._limits: GateLimits = gate_limits(settings)
        self._outbox = Outbox(queue, settings.decimer_engine, host, model, wishes)
        self._exits = ExitHandler(queue, self._outbox, host)
        self._activity = Activity(time.monotonic())
        self._reporter = Reporter(queue, self._outbox, host, settings)
        self._reporter.tell(telemetry or WorkerTelemetry(), self._activity)
        self._averages = Averages(settings.average_s)
        self._preparation = Preparation(
            prepare_command,
            settings.logs_path / f"{host}-model.log",
            settings.failed_start_pause_s,
            settings.load_s,
            self._reporter.event,
        )
        self._warm_up = WarmUpLock(settings.warm_up_group, settings.state_dir)
        self._workers: list[WorkerProcess] = []
        self._past: deque[WorkerStatus] = deque(maxlen=20)
        self._drains_s: tuple[float, ...] = ()
        self._failed_starts_s: tuple[float, ...] = ()
        self._started = 0
        self._next: tuple[ResourceEstimate | None, StatedNeed] = (None, NO_NEED)  # learned, stated
        self._room = NO_NEED  # what one worker alone could have here
        self._mark = format(int(time.time()) & 0xFFFFF, "05x")  # tells its workers from an earlier run's
        self._quiet_since_s: float | None = None
        self._leaving: str | None = None
        self.never = ""  # why no worker will ever run here
        self._why_empty = ""
        self._wake = threading.Event()

    def leave(self, reason: str) -> None:
        """From a signal handler or another thread: drain all workers and end."""
        self._leaving = self._leaving or reason
        self._wake.set()

    def run(self) -> None:
        """Until asked to leave, or, with `until_empty`, until the queue has nothing more for us."""
        self._sweep()
        self._outbox.start()
        self._reporter.event("started", f"supervisor of {self._host} started")
        dismissed_in_s = 0.0
        try:
            while self._leaving is None and not (self._until_empty and self._is_empty()):
                self._round()
                self._wake.wait(self._settings.sample_s)
            dismissed_in_s = self._dismiss(self._leaving or self._why_empty)
        finally:
            for worker in self._workers:
                worker.kill()
            self._preparation.stop()
            self._outbox.stop(last_words_s(dismissed_in_s))

    def _round(self) -> None:
        previous = self._averages.latest if self._averages.started else None
        self._averages.add(read_host_sample(previous))
        self._reap()
        self._look_after_workers()
        self._hear()
        decision = self._decide()
        if decision.verdict is GateVerdict.ADMIT:
            self._spawn()
        elif decision.reason is Reason.MEMORY_NEVER:
            self.never = decision.text
            self.leave(decision.text)
        elif decision.verdict is GateVerdict.DRAIN:
            self._drains_s = (*self._drains_s, time.monotonic())
            drained = youngest(tuple(worker.view(worker.status) for worker in self._workers))
            self._drain(next(one for one in self._workers if one.name == drained.name), decision.text)
        self._reporter.decided(decision)
        self._report()

    def _hear(self) -> None:
        """What the machine manager says; and nothing to do for long, where nobody says anything."""
        now_s = time.monotonic()
        self._activity.look(now_s, [worker.status for worker in self._workers])
        state, idle_s = self._outbox.queue_state, self._activity.idle_s(now_s)
        if state.leave:
            self.leave("the machine manager ends this machine")
        elif may_leave(idle_s, self._leave_idle_s, state.manager_silent_s):
            self.leave(f"no work for {idle_s:.0f} s, and no machine manager")

    def _report(self, force: bool = False) -> None:
        activity = self._activity.figures(time.monotonic(), self._leaving is not None)
        figures = {**activity, **limit_figures(self._limits)}
        self._reporter.report(self._averages, self._workers, self._temp(), figures, force)

    def _decide(self) -> Decision:
        seen = [(worker, worker.status) for worker in self._workers]
        hour_ago_s = time.monotonic() - 3600
        self._drains_s = tuple(moment_s for moment_s in self._drains_s if moment_s > hour_ago_s)
        if any(status.images_done for _, status in seen):
            self._failed_starts_s = ()
        statuses = (*(status for _, status in seen), *self._past)
        estimate = learned_estimate(self._settings, self._outbox.queue_state.statistics, statuses)
        views = tuple(worker.view(status, estimate) for worker, status in seen)
        state = self._outbox.queue_state
        outstanding = state.outstanding
        claimable = outstanding is not None and outstanding.next_in_s == 0
        inputs = GateInput(
            now_s=time.monotonic(),
            covered_s=self._averages.covered_s,
            cpu_pct=self._averages.cpu_pct,
            memory=allotted_memory(self._settings, views, estimate) or self._averages.memory,
            pressure_pct=self._averages.pressure_pct,
            temp=self._temp(),
            active_chunks=state.active_chunks,
            claimable_chunks=outstanding.pending if outstanding is not None and claimable else 0,
            queue_error=state.error,
            preparing=self._preparation.look(self._averages.oom_kills),
        )
        history = History(views, estimate, self._drains_s, self._failed_starts_s)
        self._room = room_of_host(inputs.memory, self._limits, self._averages.latest.cpus)
        rooms = [worker.room for worker, _ in seen]
        decision, stated = choose_size(inputs, self._limits, history, rooms, outstanding, self._room)
        self._next = estimate, stated
        if not any(is_warming(view, inputs.now_s, self._limits) for view in views if not view.draining):
            self._warm_up.release()
        if decision.verdict is not GateVerdict.ADMIT:
            self._warm_up.stop_waiting()
        elif not self._warm_up.acquire():
            return others_first(decision)
        return decision

    def _temp(self) -> TempUse:
        """Nothing is left where it cannot be counted."""
        temp_dir = self._settings.temp_dir
        try:
            temp_dir.mkdir(parents=True, exist_ok=True)
            return read_temp_use(temp_dir, self._settings.temp_limit_bytes)
        except OSError as error:
            return TempUse(0, 0, f"WORKER_TEMP_DIR={temp_dir}: {error.strerror}")

    def _sweep(self) -> None:
        """A folder that is out of reach is what the gate says of it, and no reason to end."""
        with suppress(OSError):
            for name in sweep_temp(self._settings.temp_dir):
                log.info("removed what a dead worker left: %s", name)

    def _spawn(self) -> None:
        prune_logs(self._settings.logs_path, LOGS_KEPT)
        self._started += 1
        name = f"{self._host}-{self._mark}-{self._started}"
        try:
            worker = start_worker(
                self._worker_command, name, self._host, self._settings.logs_path, *self._next
            )
        except OSError as error:
            self._failed_starts_s = (*self._failed_starts_s, time.monotonic())
            self._reporter.event("crashed", f"{name} could not be started: {error}", name)
            return
        self._workers.append(worker)
        self._reporter.event("spawned", f"{name} is process {worker.process.pid}", name)

    def _drain(self, worker: WorkerProcess, reason: str) -> None:
        worker.ask_to_leave()
        self._reporter.event("drained", reason, worker.name)

    def _reap(self) -> None:
        """Take leave of every worker whose process has ended; its chunks are free again at once."""
        for worker in [worker for worker in self._workers if worker.process.poll() is not None]:
            self._workers.remove(worker)
            status = worker.status
            asked = worker.asked_to_leave_s is not None
            code, stall_s = worker.process.returncode, worker.stalled_for_s
            ended = explain_exit(code, self._averages.oom_kills, stall_s, asked, worker.was_stopped)
            self._exits.handle(worker, status, ended)
            self._activity.ended(status)
            if status.chunks_done:
                self._past.append(status)
            if ended.images_may_be_cause and (status.ready_s is None or not self._exits.host_is_proven):
                self._failed_starts_s = (*self._failed_starts_s, time.monotonic())
            worker.page.close()
            self._sweep()

    def _look_after_workers(self) -> None:
        settings, now_s = self._settings, time.monotonic()
        for worker in self._workers:
            status = worker.status
            rotate_log(worker.log, int(settings.log_mb * MB), settings.log_files)
            if worker.asked_to_leave_s is not None:
                if now_s - worker.asked_to_leave_s > LEAVE_S:
                    worker.kill()
                continue
            stalled_for_s = worker.stall_s(status, now_s, settings.load_s, settings.stall_s)
            if stalled_for_s is not None and worker.stalled_for_s is None:
                worker.stalled_for_s = stalled_for_s
                worker.was_stopped = is_stopped(worker.process.pid)
                worker.kill()
            elif status.state == "idle" and now_s - status.progress_s > settings.idle_s:
                self._drain(worker, f"{worker.name} found no work for {settings.idle_s:g} s")

    @property
    def was_asked_to_leave(self) -> bool:
        return self._leaving is not None

    def _is_empty(self) -> bool:
        """Nothing pending or active, said by the queue after the last worker had a chunk."""
        if any(worker.status.chunks for worker in self._workers) or self._quiet_since_s is None:
            self._quiet_since_s = time.monotonic()
            return False
        left = (state := self._outbox.queue_state).outstanding
        if left is None or state.read_s <= self._quiet_since_s or state.wishes:
            return False
        self._why_empty = state.why_empty(self._room)
        return left.pending <= too_large(left.stated, self._room)[0] and not left.active

    def _dismiss(self, reason: str) -> float:
        """Ask all workers to leave, and wait until they have; how many seconds that took."""
        log.info("leaving: %s", reason)
        self._reporter.event("stopped", f"supervisor of {self._host} leaves: {reason}")
        self._warm_up.release()
        for worker in self._workers:
            worker.ask_to_leave()
        start_s = time.monotonic()
        while self._workers:
            if time.monotonic() - start_s > LEAVE_S:
                for worker in self._workers:
                    worker.kill()
            self._reap()
            time.sleep(0.05)
        self._report(force=True)
        return time.monotonic() - start_s
