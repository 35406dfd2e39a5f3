"""The schedd of an HTCondor pool, asked in a child process: the bindings can block for ever, with the GIL."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from cloud_monitor.system.child import ChildCall, run_calls
from cloud_monitor.system.text import error_text
from worker.condor.jobs import FLEET_ATTRIBUTE, JobState, read_job
from worker.errors import WorkerError

_TIMEOUT_S = 60
_SHOWN = ("ClusterId", "ProcId", "JobStatus", "RemoteHost", "EnteredCurrentStatus", "HoldReason")


class Pool:
    def __init__(self, schedd: str, collector: str) -> None:
        """schedd: its name, "" for this host's, or for any of the pool that collector names; collector:
        host:port of the pool's, "" as configured."""
        self._schedd = schedd
        self._collector = collector

    def list_jobs(self, fleet: str) -> list[JobState]:
        """Jobs of the fleet, oldest first."""
        rows = self._ask(lambda schedd: _list(schedd, self._schedd, fleet))
        return [JobState(**row) for row in rows]

    def add_jobs(self, description: Mapping[str, str], count: int) -> int:
        """Queue so many jobs; the cluster's number. To a schedd elsewhere their files are sent first."""
        return int(self._ask(lambda schedd: _add(schedd, self._schedd, description, count)))

    def remove_jobs(self, fleet: str) -> int:
        """Have all jobs of the fleet removed, those that run by the soft kill; how many there were."""
        return int(self._ask(lambda schedd: _remove(schedd, self._schedd, fleet)))

    def query(self, constraint: str, attributes: Sequence[str]) -> list[dict[str, Any]]:
        """These attributes, of the jobs that fulfil the constraint."""
        found: list[dict[str, Any]] = self._ask(
            lambda schedd: _query(schedd, self._schedd, constraint, attributes)
        )
        return found

    def remove(self, constraint: str, reason: str) -> int:
        """Have these jobs removed, those that run by the soft kill; how many there were."""
        return int(self._ask(lambda schedd: _remove_jobs(schedd, self._schedd, constraint, reason)))

    def _ask(self, question: Callable[[Any], object]) -> Any:
        return ask(
            lambda: question(_find(self._schedd, self._collector)), f"schedd {self._schedd or 'of this host'}"
        )


def ask(question: Callable[[], object], name: str, timeout_s: float = _TIMEOUT_S) -> Any:
    """What question() gives, a value of JSON, in a child killed after timeout_s. Raises WorkerError."""
    call = ChildCall(lambda: json.dumps(question()).encode(), timeout_s)
    answer = run_calls({name: call}, lambda error: error_text(error) or type(error).__name__)[name]
    if answer.body is None:
        raise WorkerError(f"{name}: {answer.error}")
    return json.loads(answer.body)


# The child alone imports the bindings, whose libraries take 20 MB.


def _find(name: str, collector: str) -> Any:
    from cloud_monitor.htcondor.bindings import CondorFailed, find_schedd, first_schedd

    try:
        if collector and not name:
            return first_schedd(collector)
        return find_schedd(name, (collector,), "WORKER_CONDOR_SCHEDD")
    except CondorFailed as error:
        raise WorkerError(
            f"{error}. Does HTCondor run there? WORKER_CONDOR_POOL={collector or '(unset)'} says where, else "
            "HTCondor's own configuration (CONDOR_CONFIG)"
        ) from None


def _of_fleet(fleet: str) -> str:
    return f'{FLEET_ATTRIBUTE} == "{fleet}"'


def _list(schedd: Any, name: str, fleet: str) -> list[dict[str, Any]]:
    from cloud_monitor.htcondor.bindings import query_jobs

    ads = query_jobs(schedd, name, _of_fleet(fleet), _SHOWN)
    return [
        asdict(read_job(ad)) for ad in sorted(ads, key=lambda ad: (ad.get("ClusterId"), ad.get("ProcId")))
    ]


def _query(schedd: Any, name: str, constraint: str, attributes: Sequence[str]) -> list[dict[str, Any]]:
    from cloud_monitor.htcondor.bindings import query_jobs

    ads = query_jobs(schedd, name, constraint, attributes)
    return [{attribute: ad.get(attribute) for attribute in attributes} for ad in ads]


def _add(schedd: Any, name: str, description: Mapping[str, str], count: int) -> int:
    from cloud_monitor.htcondor.bindings import submit_jobs

    return submit_jobs(schedd, name, description, count, spool=bool(name))


def _remove(schedd: Any, name: str, fleet: str) -> int:
    return _remove_jobs(schedd, name, _of_fleet(fleet), "withdrawn by the fleet's operator")


def _remove_jobs(schedd: Any, name: str, constraint: str, reason: str) -> int:
    from cloud_monitor.htcondor.bindings import remove_jobs

    return remove_jobs(schedd, name, constraint, reason)
