"""`--check`: reach every source and destination, and print what answered as a table."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from cloud_monitor.metrics.catalog import BY_KEY
from cloud_monitor.metrics.paths import STEP_S, build_path
from cloud_monitor.settings import SettingsRefused
from cloud_monitor.system.probe import probe_folder
from collector.delivery.carbon import (
    WRONG_PORT,
    SendFailed,
    TlsFiles,
    check_receiver,
    make_context,
    send_frames,
)
from collector.delivery.deliver import find_orphaned
from collector.delivery.destinations import RenderFailed
from collector.delivery.frames import encode_frame
from collector.delivery.graphite import RenderAnswer, fetch_render
from collector.delivery.readback import SLOTS, Readback
from collector.delivery.sender import Sender
from collector.inventory.push import PushFailed, check_page, read_token
from collector.lock import StateDirOpen, make_state_dir, refuse_open_state_dir
from collector.model import Point
from collector.run import (
    describe_orphaned,
    make_page,
    make_readback,
    make_senders,
    make_timeouts,
    make_tls,
)
from collector.settings import DeliverySettings, GridSettings, Settings
from collector.sources.cloudscheduler.client import CloudSchedulerFailed, read_credentials
from collector.sources.htcondor.configuration import ConfigurationUnreadable, check_configuration
from collector.tasks import CONDOR_TASKS, JOB_LIST, choose_tasks, run_tasks

CLOCK_OFF_S = 30  # more, and points fall into the wrong minute
_CHECK_SLOT = SLOTS  # a run's markers are below
ARRIVAL_S = 30.0  # a store shows new series after up to 12 s
_OWNER_WITHIN_S = 10 * STEP_S


class CheckRow(NamedTuple):
    kind: str  # source, destination, state, store
    name: str
    level: str  # ok, warning, failed; off: not asked here
    text: str


def check(
    settings: Settings, environment: Mapping[str, str], as_json: bool, arrival_s: float = ARRIVAL_S
) -> int:
    """Print the table; 0 where everything answered (warnings do not count), else 1.

    arrival_s: how long a point that was taken is looked for in the store.
    """
    rows = [*_check_sources(settings, environment), *_check_destinations(settings, arrival_s)]
    rows += _check_inventory(settings) if settings.has_inventory else []
    rows.append(_check_state(settings))
    rows += _check_layout(settings)
    rows += _check_orphaned(settings)
    rows += _check_store(settings)
    if as_json:
        for row in rows:
            print(json.dumps(row._asdict()))
    else:
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True))
            print("  ".join([*cells, row.text]))
    return int(any(row.level == "failed" for row in rows))


class _CertificatesUnusable(Exception):
    """What they are said to be is in no such file."""


def _check_certificates(files: TlsFiles) -> None:
    if all(os.access(file, os.R_OK) for file in files.given):  # others are told one by one
        try:
            make_context(files)
        except OSError as error:
            raise _CertificatesUnusable(error.strerror) from None


def refuse_unusable(settings: Settings, environment: Mapping[str, str]) -> None:
    """For `config check`: raise SettingsRefused, in the words of a run, a line for each file and folder that
    is not as a run wants it. Nobody is asked, nothing is made."""
    checks: list[Callable[[], object]] = [lambda: refuse_open_state_dir(settings.state_dir)]
    tasks = choose_tasks(settings, environment).names
    if CONDOR_TASKS[0] in tasks:
        checks.append(lambda: check_configuration(settings, environment))
    if "cloudscheduler" in tasks:
        checks.append(lambda: read_credentials(settings))
    if any(sender.address.tls for sender in make_senders(settings)):
        checks.append(lambda: _check_certificates(make_tls(settings)))
    token_file = settings.inventory_token_file
    if settings.has_inventory and token_file is not None:
        checks.append(lambda: read_token(token_file))
    problems = []
    for run_check in checks:
        try:
            run_check()
        except (
            StateDirOpen, ConfigurationUnreadable, CloudSchedulerFailed, PushFailed, _CertificatesUnusable,
        ) as error:  # fmt: skip
            problems.append(str(error))
        except OSError:  # of the folder, which is told with the others
            pass
    if problems:
        raise SettingsRefused("\n".join(problems))


def _check_sources(settings: Settings, environment: Mapping[str, str]) -> Iterator[CheckRow]:
    timestamp = int(time.time()) // STEP_S * STEP_S
    tasks = choose_tasks(settings, environment)
    for outcome in run_tasks(settings, tasks.names, timestamp, keep_state=False):
        found = outcome.collected
        amount = f"{len(found.jobs)} jobs" if outcome.source == JOB_LIST else f"{len(found.values)} values"
        text = outcome.error or f"{amount} in {outcome.duration_s:.2f} s"
        if outcome.source in tasks.found:
            text += f" ({tasks.found[outcome.source]})"
        yield CheckRow("source", outcome.source, "failed" if outcome.error else "ok", text)
    for source, reason in tasks.absent.items():
        yield CheckRow("source", source, "warning" if source in tasks.advice else "off", reason)


def _check_destinations(settings: DeliverySettings, arrival_s: float) -> Iterator[CheckRow]:
    for sender in make_senders(settings):
        started_s = time.monotonic()
        try:
            check_receiver(sender.address, make_timeouts(settings), make_tls(settings))
        except SendFailed as error:
            yield CheckRow("destination", str(sender.address), "failed", str(error))
            continue
        took_ms = 1000 * (time.monotonic() - started_s)
        text = f"took and closed a connection in {took_ms:.0f} ms"
        readback = None
        if sender.destination == settings.carbon[0].name:
            readback = make_readback(settings, sender.destination)
        if readback is None:
            yield CheckRow("destination", str(sender.address), "ok", f"{text}; cannot be read back")
        else:
            yield _check_arrival(settings, sender, readback, text, arrival_s)


def _check_arrival(
    settings: DeliverySettings, sender: Sender, readback: Readback, text: str, arrival_s: float
) -> CheckRow:
    """Send one point of the collector's own and look for it in the store."""
    name, timestamp = str(sender.address), int(time.time()) // STEP_S * STEP_S
    marker = readback.make_marker(_CHECK_SLOT, sender.keeps)
    frame = encode_frame([Point(marker.path, timestamp, marker.value)], sender.address.protocol)
    sent_s = time.monotonic()
    try:
        send_frames(sender.address, [frame], make_timeouts(settings), make_tls(settings))
        while not readback.shows(marker, timestamp):
            if time.monotonic() - sent_s > arrival_s:
                problem = f"{name} took a point, and {readback.url} does not show it after {arrival_s:g} s"
                wrong = WRONG_PORT[sender.address.protocol]  # a busy one may have ended after we did
                text = f"{problem}: do they belong together? Or, {wrong}"
                return CheckRow("destination", name, "failed", text)
            time.sleep(0.5)
    except SendFailed as error:
        return CheckRow("destination", name, "failed", str(error))
    except RenderFailed as error:
        return CheckRow("destination", name, "warning", f"{text}; cannot be read back: {error}")
    took_s = time.monotonic() - sent_s
    return CheckRow("destination", name, "ok", f"{text}; a point was read back after {took_s:.1f} s")


def _check_inventory(settings: Settings) -> Iterator[CheckRow]:
    """The status page, and whether the secret for it is one."""
    page = make_page(settings)
    try:
        check_page(page, make_timeouts(settings))
    except PushFailed as error:
        yield CheckRow("destination", page.address, "failed", str(error))
        return
    yield CheckRow("destination", page.address, "ok", "would take the list of VMs and jobs")
    if page.token_file.stat().st_mode & 0o004:
        text = "every user of this host can read the secret: chmod o-r"
        yield CheckRow("destination", str(page.token_file), "warning", text)
    if not page.is_private:
        text = "the secret goes over the network unencrypted: give the page's https address"
        yield CheckRow("destination", page.address, "warning", text)


def _check_state(settings: DeliverySettings) -> CheckRow:
    directory = settings.state_dir
    try:
        make_state_dir(directory)
        probe_folder(directory)
        free_bytes = os.statvfs(directory).f_bavail * os.statvfs(directory).f_frsize
    except StateDirOpen as error:
        return CheckRow("state", str(directory), "failed", str(error))
    except OSError as error:
        return CheckRow(
            "state", str(directory), "failed", f"{error.strerror}: what is not delivered cannot be kept"
        )
    free_mb = free_bytes >> 20
    wanted_mb = int(settings.spool_max_mb * len(settings.carbon))
    if free_mb < wanted_mb:
        return CheckRow(
            "state", str(directory), "warning", f"{free_mb} MB free, the spools may take {wanted_mb} MB"
        )
    return CheckRow("state", str(directory), "ok", f"can be written, {free_mb} MB free")


def _check_layout(settings: DeliverySettings) -> Iterator[CheckRow]:
    """On a machine where the state is where `setup --system` puts it."""
    from cloud_monitor.setup import find_departures
    from cloud_monitor.system.installation import STATE

    if settings.state_dir.is_relative_to(STATE):
        for departure in find_departures("collector"):
            yield CheckRow("state", "layout", "warning", departure)


def _check_orphaned(settings: DeliverySettings) -> Iterator[CheckRow]:
    for path, points in find_orphaned(settings.state_dir / "spool", make_senders(settings)):
        yield CheckRow("state", path.name, "warning", describe_orphaned(path, points))


def _check_store(settings: Settings) -> Iterator[CheckRow]:
    """A second owner of the grid, and a clock that is off, show where points can be read back."""
    url = settings.graphite_url
    if not url:
        yield CheckRow(
            "store",
            "COLLECTOR_GRAPHITE_URL",
            "warning",
            "not set: a second owner cannot be seen, nor delivered points read back",
        )
        if not settings.has_inventory:  # at whose arrival the page compares the clocks
            text = "cannot tell: no COLLECTOR_GRAPHITE_URL and no COLLECTOR_INVENTORY_URL; is NTP running?"
            yield CheckRow("store", "clock", "warning", text)
        return
    now = int(time.time())
    owners = BY_KEY["owner"].template.format(grid=settings.grid, owner="*")
    try:
        answer = fetch_render(url, [owners], now - _OWNER_WITHIN_S, now, settings.graphite_timeout_s)
    except RenderFailed as error:
        yield CheckRow("store", url, "failed", str(error))
        return
    yield CheckRow("store", url, "ok", "answers /render")
    yield judge_owners(settings, answer)
    yield judge_clock(url, answer)


def judge_owners(settings: GridSettings, answer: RenderAnswer) -> CheckRow:
    own = build_path("owner", grid=settings.grid, owner=settings.host)
    others = sorted(
        path.rpartition(".")[2] for path, values in answer.values.items() if values and path != own
    )
    name = f"owner of {settings.grid}"
    if others and settings.owner:
        text = (
            f"{', '.join(others)} writes the totals too; COLLECTOR_OWNER=false belongs on all hosts but one"
        )
        return CheckRow("store", name, "warning", text)
    if not others and not settings.owner:
        return CheckRow(
            "store",
            name,
            "warning",
            "no collector writes this grid's totals; one host needs COLLECTOR_OWNER=true",
        )
    return CheckRow("store", name, "ok", settings.host if settings.owner else ", ".join(others))


def judge_clock(url: str, answer: RenderAnswer) -> CheckRow:
    ahead_s = answer.clock_ahead_s
    if ahead_s is None:
        return CheckRow("store", "clock", "warning", f"{url} does not tell its time")
    if abs(ahead_s) > CLOCK_OFF_S:
        side = "behind" if ahead_s > 0 else "ahead of"
        return CheckRow(
            "store", "clock", "warning", f"this host is {abs(ahead_s):.0f} s {side} {url}: is NTP running?"
        )
    return CheckRow("store", "clock", "ok", f"within {max(1, abs(round(ahead_s)))} s of the store's")
