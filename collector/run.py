"""One run: ask the sources, make the points, bring them to every destination."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cloud_monitor.metrics.paths import STEP_S
from cloud_monitor.output import changed_lines
from collector.compose import Composed, compose
from collector.delivery.carbon import Timeouts, TlsFiles
from collector.delivery.deliver import deliver, find_orphaned, read_spool_figures, senders_of
from collector.delivery.readback import Readback
from collector.delivery.sender import Options, Report, Sender
from collector.isolate import SourceOutcome
from collector.settings import DeliverySettings, InventorySettings, Settings, SpoolSettings
from collector.tasks import ChosenTasks, run_tasks
from collector.zerofill import merge_seen, read_seen, write_seen

if TYPE_CHECKING:
    from collector.inventory.push import Page, Push

log = logging.getLogger("collector")

ALL_DELIVERED, SOME_FAILED, NOTHING_DELIVERED = 0, 1, 3
_MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Run:
    """What one run begins with."""

    timestamp: int  # of its points: Unix seconds, floored to STEP_S
    started_s: float  # monotonic
    seen: Mapping[str, int]  # when each path last had a value
    senders: tuple[Sender, ...]


@dataclass(frozen=True, slots=True)
class RunResult:
    composed: Composed
    reports: tuple[Report, ...] = ()
    problems: tuple[str, ...] = field(default=())

    @property
    def exit_code(self) -> int:
        if not any(report.delivered for report in self.reports):
            return NOTHING_DELIVERED
        failed = self.composed.failures or self.problems or any(report.problems for report in self.reports)
        return SOME_FAILED if failed else ALL_DELIVERED


def begin_run(settings: Settings, started_s: float) -> Run:
    """`started_s` is when the process began (monotonic)."""
    timestamp = int(time.time()) // STEP_S * STEP_S
    return Run(timestamp, started_s, read_seen(_seen_file(settings)), tuple(make_senders(settings)))


def collect_points(
    settings: Settings, tasks: Sequence[str], run: Run, keep_state: bool = True
) -> tuple[Composed, tuple[SourceOutcome, ...]]:
    """This minute's points, and what they were made of."""
    outcomes = run_tasks(settings, tasks, run.timestamp, keep_state)
    duration_s = time.monotonic() - run.started_s
    spools = read_spool_figures(run.senders)
    return compose(
        settings, outcomes, run.seen, spools, run.timestamp, duration_s, int(time.time())
    ), outcomes


def run_once(settings: Settings, tasks: ChosenTasks, started_s: float) -> RunResult:
    """Collect, then send. What fails is logged by name; a dead peer or a full disk raises nothing."""
    run = begin_run(settings, started_s)
    composed, outcomes = collect_points(settings, tasks.names, run)
    for failure in composed.failures:
        log.error("%s", failure)
    notes = [f"{outcome.source}: {note}" for outcome in outcomes for note in outcome.collected.notes]
    notes += tasks.advice.values()
    for note in changed_lines(notes, settings.state_dir / "notes.txt"):
        log.warning("%s", note)
    deadline_s = started_s + settings.run_timeout_s
    push = start_push(settings, outcomes, run.timestamp, deadline_s) if settings.has_inventory else None
    reports = deliver(composed.points, run.senders, _options(settings), run.timestamp, deadline_s)
    for report in reports:
        _log_report(report)
    orphaned = find_orphaned(settings.state_dir / "spool", run.senders)
    problems = [describe_orphaned(path, points) for path, points in orphaned]
    if push is not None and (problem := push.finish()):
        problems.append(problem)
    seen = _seen_file(settings)
    try:
        write_seen(seen, merge_seen(run.seen, composed.measured, run.timestamp))
    except OSError as error:
        problems.append(f"{seen}: {error.strerror}: counts that vanish now will not be sent as 0")
    for problem in problems:
        log.error("%s", problem)
    return RunResult(composed, tuple(reports), tuple(problems))


def _seen_file(settings: SpoolSettings) -> Path:
    return settings.state_dir / "seen.json"


def start_push(
    settings: Settings, outcomes: Sequence[SourceOutcome], timestamp: int, deadline_s: float
) -> Push:
    """Compose the inventory and send it in a thread of its own; a run without one imports nothing of this."""
    from collector.inventory.compose import compose_inventory
    from collector.inventory.encode import encode_inventory
    from collector.inventory.push import Push

    def make_body() -> bytes:
        return encode_inventory(compose_inventory(settings, outcomes, timestamp))

    timeouts = make_timeouts(settings)
    patience_s = timeouts.connect_s + 2 * timeouts.write_s
    return Push(make_page(settings), min(deadline_s, time.monotonic() + patience_s)).start(
        make_body, timeouts
    )


def make_page(settings: InventorySettings) -> Page:
    """The status page of a configured inventory."""
    from collector.inventory.push import Page

    assert settings.inventory_token_file is not None
    files = settings.inventory_token_file, settings.inventory_ca_file
    return Page(settings.inventory_url, settings.grid, *files)


def describe_orphaned(path: Path, points: int) -> str:
    return (
        f"{path}: {points} points wait for a Carbon that is not in COLLECTOR_CARBON any more; rename the "
        "file to that of another destination of the same protocol, which must have none yet, while no run is "
        "going, or remove it"
    )


def make_senders(settings: DeliverySettings) -> list[Sender]:
    """The ways to every Carbon. The store that can be read back is the first destination's."""
    senders: list[Sender] = []
    for index, destination in enumerate(settings.carbon):
        readback = make_readback(settings, destination.name) if settings.proof and index == 0 else None
        senders += senders_of(destination, settings.state_dir / "spool", readback)
    return senders


def make_readback(settings: DeliverySettings, destination: str) -> Readback | None:
    """destination: the clean name of the first one, whose points the store shows; None without a store."""
    if not settings.graphite_url:
        return None
    return Readback(
        settings.graphite_url,
        settings.graphite_timeout_s,
        settings.carbon_ca_file,
        lambda slot: settings.own_path("proof", destination=destination, slot=slot),
    )


def make_timeouts(settings: DeliverySettings) -> Timeouts:
    return Timeouts(settings.connect_timeout_s, settings.write_timeout_s)


def make_tls(settings: DeliverySettings) -> TlsFiles:
    return TlsFiles(settings.carbon_ca_file, settings.carbon_cert_file, settings.carbon_key_file)


def _options(settings: DeliverySettings) -> Options:
    return Options(
        timeouts=make_timeouts(settings),
        tls=make_tls(settings),
        spool_age_max_s=settings.spool_max_age_s,
        spool_bytes_max=settings.spool_max_mb * _MB,
        replay_points=settings.replay_points_per_run,
    )


def _log_report(report: Report) -> None:
    address = report.sender.address
    for problem in report.problems:
        log.error("%s", problem)
    if not report.delivered:
        fate = (
            "kept in " + str(report.sender.spool_path)
            if report.kept
            else "LOST: they could not be kept either"
        )
        log.error("%s: %d points not delivered, %s", address, report.points, fate)
    if report.replayed_points:
        log.warning(
            "%s: %d points delivered late, %d still wait",
            address,
            report.replayed_points,
            report.waiting_points,
        )
