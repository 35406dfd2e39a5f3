"""One run: ask the sources, make the points, bring them to every destination."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cloud_monitor.metrics.paths import STEP_S
from collector.compose import Composed, compose
from collector.delivery.carbon import Timeouts, TlsFiles
from collector.delivery.deliver import deliver, find_forsaken, lanes_of, read_spool_figures
from collector.delivery.readback import Proof
from collector.delivery.sender import Lane, Options, Report
from collector.isolate import Outcome
from collector.settings import Settings
from collector.tasks import gather
from collector.zerofill import merge_seen, read_seen, write_seen

if TYPE_CHECKING:
    from collector.inventory.push import Page, Push

log = logging.getLogger("collector")

ALL_DELIVERED, SOME_FAILED, NOTHING_DELIVERED = 0, 1, 3
_MB = 1 << 20


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


def collect_points(
    settings: Settings, tasks: Sequence[str], started_s: float, keep_state: bool = True
) -> tuple[Composed, tuple[Outcome, ...]]:
    """This minute's points, and what they were made of; `started_s` is when the run began (monotonic)."""
    timestamp = int(time.time()) // STEP_S * STEP_S
    outcomes = gather(settings, tasks, timestamp, keep_state)
    duration_s = time.monotonic() - started_s
    seen = read_seen(settings.state_dir / "seen.json")
    spools = read_spool_figures(make_lanes(settings))
    return compose(settings, outcomes, seen, spools, timestamp, duration_s), outcomes


def run_once(settings: Settings, tasks: Sequence[str], started_s: float) -> RunResult:
    """Collect, then send. What fails is logged by name; a dead peer or a full disk raises nothing."""
    composed, outcomes = collect_points(settings, tasks, started_s)
    for failure in composed.failures:
        log.error("%s", failure)
    deadline_s = started_s + settings.run_timeout_s
    timestamp = composed.points[0].timestamp
    lanes = make_lanes(settings)
    push = start_push(settings, outcomes, timestamp, deadline_s) if settings.has_inventory else None
    reports = deliver(composed.points, lanes, _options(settings), timestamp, deadline_s)
    for report in reports:
        _log_report(report)
    problems = [
        tell_forsaken(path, points) for path, points in find_forsaken(settings.state_dir / "spool", lanes)
    ]
    if push is not None and (problem := push.finish()):
        problems.append(problem)
    try:
        seen = settings.state_dir / "seen.json"
        write_seen(seen, merge_seen(read_seen(seen), composed.measured, timestamp))
    except OSError as error:
        problems.append(f"{seen}: {error.strerror}: counts that vanish now will not be sent as 0")
    for problem in problems:
        log.error("%s", problem)
    return RunResult(composed, tuple(reports), tuple(problems))


def start_push(settings: Settings, outcomes: Sequence[Outcome], timestamp: int, deadline_s: float) -> Push:
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


def make_page(settings: Settings) -> Page:
    """The status page of a configured inventory."""
    from collector.inventory.push import Page

    assert settings.inventory_token_file is not None
    files = settings.inventory_token_file, settings.inventory_ca_file
    return Page(settings.inventory_url, settings.grid, *files)


def tell_forsaken(path: Path, points: int) -> str:
    return (
        f"{path}: {points} points wait for a Carbon that is not in COLLECTOR_CARBON any more; rename the "
        "file to that of another destination of the same protocol while no run is going, or remove it"
    )


def make_lanes(settings: Settings) -> list[Lane]:
    """The ways to every Carbon. The store that can be read back is the first destination's."""
    lanes: list[Lane] = []
    for index, destination in enumerate(settings.carbon):
        name = destination.name
        proof = None
        if settings.proof and settings.graphite_url and index == 0:
            proof = Proof(
                settings.graphite_url,
                settings.graphite_timeout_s,
                settings.carbon_ca_file,
                lambda turn, name=name: settings.own_path("proof", destination=name, turn=turn),  # type: ignore[misc]
            )
        lanes += lanes_of(destination, settings.state_dir / "spool", proof)
    return lanes


def make_timeouts(settings: Settings) -> Timeouts:
    return Timeouts(settings.connect_timeout_s, settings.write_timeout_s)


def make_tls(settings: Settings) -> TlsFiles:
    return TlsFiles(settings.carbon_ca_file, settings.carbon_cert_file, settings.carbon_key_file)


def _options(settings: Settings) -> Options:
    return Options(
        timeouts=make_timeouts(settings),
        tls=make_tls(settings),
        spool_age_max_s=settings.spool_max_age_s,
        spool_bytes_max=settings.spool_max_mb * _MB,
        replay_points=settings.replay_points_per_run,
    )


def _log_report(report: Report) -> None:
    address = report.lane.address
    for problem in report.problems:
        log.error("%s", problem)
    if not report.delivered:
        fate = (
            "kept in " + str(report.lane.spool_path) if report.kept else "LOST: they could not be kept either"
        )
        log.error("%s: %d points not delivered, %s", address, report.points, fate)
    if report.replayed_points:
        log.warning(
            "%s: %d points delivered late, %d still wait",
            address,
            report.replayed_points,
            report.waiting_points,
        )
