"""Which sources a run asks, and asking them all at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple

from collector.isolate import SourceOutcome, Task, run_isolated
from collector.model import Collected
from collector.settings import SOURCES, Settings
from collector.sources.htcondor.configuration import (
    CondorConfiguration,
    find_configuration,
    use_configuration,
)

CONDOR_TASKS = ("condor_jobs", "condor_slots")
JOB_LIST = "condor_joblist"
COMMAND_PREFIX = "command-"  # before a command's name, in the name of its task
_OWNERS = ("cloudscheduler", "fleet", "azure")  # asked by one host of a grid


class ChosenTasks(NamedTuple):
    """names: tasks of a run. absent: each source that is not asked, with why. advice: of some of these, what
    to do, since leaving them out looks like an oversight. found: of some tasks, by which configuration."""

    names: tuple[str, ...]
    absent: Mapping[str, str]
    advice: Mapping[str, str]
    found: Mapping[str, str]


def choose_tasks(settings: Settings, environment: Mapping[str, str]) -> ChosenTasks:
    """What a run asks; `auto` takes every source that is configured on this host."""
    wanted: set[str] = set(settings.sources)
    absent: dict[str, str] = {}
    advice: dict[str, str] = {}
    may_ask_condor = not wanted.isdisjoint({"auto", "condor"})
    condor = find_configuration(settings, environment) if may_ask_condor else CondorConfiguration("")
    if "auto" in wanted:
        wanted |= {"host", "commands"}
        advice = {"condor": condor.advice} if condor.advice else {}
        unset = {
            "condor": (
                bool(condor.found),
                condor.advice or "no condor_config, and neither COLLECTOR_CONDOR_CONFIG nor others set",
            ),
            "cloudscheduler": (
                bool(settings.cloud_status_command or settings.cloudscheduler_url),
                "neither COLLECTOR_CLOUDSCHEDULER_URL nor COLLECTOR_CLOUD_STATUS_COMMAND is set",
            ),
            "fleet": (bool(settings.fleet_database_url), "COLLECTOR_FLEET_DATABASE_URL is not set"),
            "azure": (settings.has_azure, "COLLECTOR_AZURE_VMS and its like are not set"),
        }
        wanted |= {name for name, (is_configured, _) in unset.items() if is_configured}
        absent = {name: f"not configured: {why}" for name, (_, why) in unset.items() if name not in wanted}
        advice |= {
            name: f"{name} is left out although {given} is set: {unset[name][1]}"
            for name in _OWNERS
            if name in absent and (given := _any_setting_of(name, settings))
        }
    absent |= {
        name: "not among COLLECTOR_SOURCES" for name in SOURCES if name not in wanted and name not in absent
    }
    if not settings.commands and "commands" in wanted:
        absent["commands"] = "not configured: COLLECTOR_COMMANDS is not set"
    if not settings.owner:
        absent |= dict.fromkeys(
            wanted.intersection(_OWNERS),
            "COLLECTOR_OWNER is false: the host that sends the grid's totals asks it",
        )
    names = (
        *(("host",) if "host" in wanted else ()),
        *(CONDOR_TASKS if "condor" in wanted else ()),
        *((JOB_LIST,) if "condor" in wanted and settings.lists_jobs else ()),
        *(name for name in _OWNERS if name in wanted and settings.owner),
        *(f"{COMMAND_PREFIX}{name}" for name in settings.commands if "commands" in wanted),
    )
    found = dict.fromkeys((*CONDOR_TASKS, JOB_LIST), condor.found) if condor.found else {}
    return ChosenTasks(names, absent, advice, found)


def _any_setting_of(source: str, settings: Settings) -> str:
    """The first that is given of those which are for this source alone; "" where none is."""
    given = sorted(name for name in settings.model_fields_set if name.startswith(f"{source}_"))
    return f"COLLECTOR_{given[0].upper()}" if given else ""


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
    use_configuration(settings)
    from collector.sources.htcondor.jobs import collect

    return collect(settings, timestamp)


def _collect_condor_slots(settings: Settings, timestamp: int, keep_state: bool) -> Collected:
    use_configuration(settings)
    from collector.sources.htcondor.slots import collect

    return collect(settings, timestamp)


def _collect_condor_joblist(settings: Settings, timestamp: int, keep_state: bool) -> Collected:
    use_configuration(settings)
    from collector.sources.htcondor.joblist import collect

    return collect(settings)


def _collect_cloudscheduler(settings: Settings, timestamp: int, keep_state: bool) -> Collected:
    from collector.sources.cloudscheduler.client import collect

    return collect(settings)


def _collect_fleet(settings: Settings, timestamp: int, keep_state: bool) -> Collected:
    from collector.sources.fleet import collect

    return collect(settings, timestamp)


def _collect_azure(settings: Settings, timestamp: int, keep_state: bool) -> Collected:
    from collector.sources.azure.source import collect

    return collect(settings, timestamp, keep_state)


_COLLECTORS = {
    "host": _collect_host,
    "condor_jobs": _collect_condor_jobs,
    "condor_slots": _collect_condor_slots,
    JOB_LIST: _collect_condor_joblist,
    "cloudscheduler": _collect_cloudscheduler,
    "fleet": _collect_fleet,
    "azure": _collect_azure,
}
