"""Which sources a run asks, and asking them all at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from collector.isolate import SourceOutcome, Task, run_isolated
from collector.model import Collected
from collector.settings import Settings

CONDOR_TASKS = ("condor_jobs", "condor_slots")
JOB_LIST = "condor_joblist"
COMMAND_PREFIX = "command-"  # before a command's name, in the name of its task

# where HTCondor looks for its configuration, the home of its own user apart
_CONDOR_FILES = ("/etc/condor/condor_config", "/usr/local/etc/condor_config", "/var/lib/condor/condor_config")


def choose_tasks(settings: Settings, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the tasks of a run; `auto` takes every source that is configured on this host."""
    wanted = set(settings.sources)
    if "auto" in wanted:
        wanted |= {"host", "commands"}
        if _has_condor(settings, environment):
            wanted.add("condor")
        if settings.cloud_status_command or settings.cloudscheduler_url:
            wanted.add("cloudscheduler")
        if settings.fleet_database_url:
            wanted.add("fleet")
    return (
        *(("host",) if "host" in wanted else ()),
        *(CONDOR_TASKS if "condor" in wanted else ()),
        *((JOB_LIST,) if "condor" in wanted and settings.lists_jobs else ()),
        *(name for name in ("cloudscheduler", "fleet") if name in wanted and settings.owner),
        *(f"{COMMAND_PREFIX}{name}" for name in settings.commands if "commands" in wanted),
    )


def _has_condor(settings: Settings, environment: Mapping[str, str]) -> bool:
    if settings.condor_schedds or settings.condor_collectors or environment.get("CONDOR_CONFIG"):
        return True
    home = environment.get("HOME")
    own = (f"{home}/.condor/user_config", f"{home}/.condor/condor_config") if home else ()
    return any(Path(name).exists() for name in (*own, *_CONDOR_FILES))


def run_tasks(
    settings: Settings, names: Iterable[str], timestamp: int, keep_state: bool
) -> tuple[SourceOutcome, ...]:
    """Run the tasks side by side, each in a process of its own that imports only what it needs."""
    return run_isolated({name: _task(settings, name, timestamp, keep_state) for name in names})


def _task(settings: Settings, name: str, timestamp: int, keep_state: bool) -> Task:
    if name.startswith(COMMAND_PREFIX):
        command = name.removeprefix(COMMAND_PREFIX)
        timeout_s = settings.commands[command].timeout_s or settings.command_timeout_s
        return Task(partial(_collect_command, settings, command), timeout_s)
    return Task(partial(_COLLECTORS[name], settings, timestamp, keep_state), settings.source_timeout_s)


# Each imports its module in the child, so that no process carries another source's libraries.


def _collect_command(settings: Settings, name: str) -> Collected:
    from collector.sources.commands import collect_command

    return collect_command(settings, name)


def _collect_host(settings: Settings, timestamp: int, keep_state: bool) -> Collected:
    from collector.sources.host import collect

    return collect(settings, keep_state)


def _collect_condor_jobs(settings: Settings, timestamp: int, keep_state: bool) -> Collected:
    from collector.sources.htcondor.jobs import collect

    return collect(settings, timestamp)


def _collect_condor_slots(settings: Settings, timestamp: int, keep_state: bool) -> Collected:
    from collector.sources.htcondor.slots import collect

    return collect(settings, timestamp)


def _collect_condor_joblist(settings: Settings, timestamp: int, keep_state: bool) -> Collected:
    from collector.sources.htcondor.joblist import collect

    return collect(settings)


def _collect_cloudscheduler(settings: Settings, timestamp: int, keep_state: bool) -> Collected:
    from collector.sources.cloudscheduler.client import collect

    return collect(settings)


def _collect_fleet(settings: Settings, timestamp: int, keep_state: bool) -> Collected:
    from collector.sources.fleet import collect

    return collect(settings, timestamp)


_COLLECTORS = {
    "host": _collect_host,
    "condor_jobs": _collect_condor_jobs,
    "condor_slots": _collect_condor_slots,
    JOB_LIST: _collect_condor_joblist,
    "cloudscheduler": _collect_cloudscheduler,
    "fleet": _collect_fleet,
}
