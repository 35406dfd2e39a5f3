"""The schedd of an HTCondor pool, asked in a child process: the bindings can block for ever, with the GIL."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from worker.condor.jobs import FLEET_ATTRIBUTE, JobState, read_job
from worker.errors import WorkerError

T = TypeVar("T")

_TIMEOUT_S = 60
_SHOWN = ("ClusterId", "ProcId", "JobStatus", "RemoteHost", "EnteredCurrentStatus", "HoldReason")


class Pool:
    def __init__(self, schedd: str, collector: str) -> None:
        """schedd: its name, "" for this host's; collector: host:port of the pool's, "" as configured."""
        self._schedd = schedd
        self._collector = collector

    def list_jobs(self, fleet: str) -> list[JobState]:
        """Jobs of the fleet, oldest first."""
        return self._ask(lambda schedd: _list(schedd, fleet))

    def add_jobs(self, description: Mapping[str, str], count: int) -> int:
        """Queue so many jobs; the cluster's number. To a schedd elsewhere their files are sent first."""
        return self._ask(lambda schedd: _add(schedd, description, count, spool=bool(self._schedd)))

    def remove_jobs(self, fleet: str) -> int:
        """Have all jobs of the fleet removed, those that run by the soft kill; how many there were."""
        return self._ask(lambda schedd: _remove(schedd, fleet))

    def _ask(self, question: Callable[[Any], T]) -> T:
        return in_child(
            lambda: question(_find(self._schedd, self._collector)),
            f"schedd {self._schedd or 'of this host'}",
        )


def in_child(question: Callable[[], T], name: str, timeout_s: float = _TIMEOUT_S) -> T:
    """What question() gives in a forked process, which is killed after timeout_s. Raises WorkerError."""
    context = multiprocessing.get_context("fork")
    reading, writing = context.Pipe(duplex=False)
    child = context.Process(target=_answer, args=(question, writing), daemon=True)
    child.start()
    writing.close()
    try:
        if not reading.poll(timeout_s):
            raise WorkerError(f"{name} gave no answer within {timeout_s:g} s")
        worked, answer = reading.recv()
    except EOFError:
        raise WorkerError(f"{name}: the process that asked it died") from None
    finally:
        child.kill()
        child.join()
    if not worked:
        raise WorkerError(f"{name}: {answer}")
    found: T = answer
    return found


def _answer(question: Callable[[], object], pipe: Connection) -> None:
    try:
        pipe.send((True, question()))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        pipe.send((False, str(error) or type(error).__name__))


def _bindings() -> Any:
    try:
        return import_module("htcondor2")
    except ImportError:
        raise WorkerError("HTCondor's Python bindings are missing: pip install htcondor") from None


def _find(name: str, collector: str) -> Any:
    htcondor = _bindings()
    try:
        if not name and not collector:
            return htcondor.Schedd()
        pool = htcondor.Collector(collector) if collector else htcondor.Collector()
        found = pool.locate(htcondor.DaemonType.Schedd, name or None)
    except htcondor.HTCondorException as error:
        raise WorkerError(
            f"{error} Does HTCondor run there? WORKER_CONDOR_POOL={collector or '(unset)'} says where, else "
            "HTCondor's own configuration (CONDOR_CONFIG)"
        ) from None
    if found is None:
        raise WorkerError(f"no collector daemon knows schedd {name!r}: see WORKER_CONDOR_SCHEDD")
    return htcondor.Schedd(found)


def _of_fleet(fleet: str) -> str:
    return f'{FLEET_ATTRIBUTE} == "{fleet}"'


def _list(schedd: Any, fleet: str) -> list[JobState]:
    ads = schedd.query(_of_fleet(fleet), projection=list(_SHOWN))
    return [read_job(ad) for ad in sorted(ads, key=lambda ad: (ad["ClusterId"], ad["ProcId"]))]


def _add(schedd: Any, description: Mapping[str, str], count: int, spool: bool) -> int:
    submit = _bindings().Submit(dict(description))
    result = schedd.submit(submit, count=count, spool=spool)
    if spool:
        schedd.spool(result)
    return int(result.cluster())


def _remove(schedd: Any, fleet: str) -> int:
    htcondor = _bindings()
    result = schedd.act(
        htcondor.JobAction.Remove, _of_fleet(fleet), reason=("withdrawn by the fleet's operator", 0)
    )
    return int(result["TotalSuccess"])
