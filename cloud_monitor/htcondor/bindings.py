"""The one door to HTCondor's Python bindings: `htcondor2`, or the older `htcondor` where only that exists.

Every call can block for ever and holds the GIL meanwhile, so callers live in a process that can be killed,
and what they ask is told by `progress.report`. Failures are one class whose text names the peer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

from cloud_monitor.htcondor.ads import Ad
from cloud_monitor.system import progress


class CondorFailed(RuntimeError):
    """A daemon of HTCondor did not answer as it should; the text names it."""


def _import_bindings() -> tuple[Any, Any]:
    try:
        return import_module("htcondor2"), import_module("classad2")
    except ImportError:
        pass
    try:  # HTCondor before 24: the same calls, some under another name
        return import_module("htcondor"), import_module("classad")
    except ImportError:
        raise CondorFailed(
            "HTCondor's Python bindings are missing: pip install htcondor, in a version like the pool's"
        ) from None


_htcondor, _classad = _import_bindings()
_FAILURES: tuple[type[Exception], ...] = (
    _htcondor.HTCondorException,
    getattr(_classad, "ClassAdException", RuntimeError),  # the older module raises built-in ones
    ArithmeticError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
_AdType = getattr(_htcondor, "AdType", None) or _htcondor.AdTypes
_QueryOpt = getattr(_htcondor, "QueryOpt", None) or _htcondor.QueryOpts
_DaemonType = getattr(_htcondor, "DaemonType", None) or _htcondor.DaemonTypes
_SLOT = getattr(_AdType, "Slot", None) or _AdType.Startd
_DAEMONS = {"schedd": _AdType.Schedd, "negotiator": _AdType.Negotiator, "collector": _AdType.Collector}
_LOCATION = ("Name", "MyAddress", "AddressV1", "CondorVersion", "CondorPlatform", "Machine")


def query_slots(pool: str, constraint: str, attributes: Sequence[str]) -> list[Ad]:
    """pool: the address of a collector daemon (host:port), "" for the one this host is configured for."""
    peer = f"HTCondor collector {pool or _configured_pool()}"
    return [Ad(ad, peer) for ad in _query(pool, _SLOT, constraint, attributes, "slots")]


def query_daemons(pool: str, role: str, constraint: str, attributes: Iterable[str]) -> list[Ad]:
    """role: schedd, negotiator or collector."""
    peer = f"HTCondor collector {pool or _configured_pool()}"
    return [Ad(ad, peer) for ad in _query(pool, _DAEMONS[role], constraint, tuple(attributes), f"{role} ads")]


def _query(pool: str, ad_type: Any, constraint: str, attributes: Sequence[str], what: str) -> list[Any]:
    name = f"HTCondor collector {pool or _configured_pool()}"
    progress.report(f"asking {name} for {what}")
    try:
        collector = _htcondor.Collector(pool) if pool else _htcondor.Collector()
        found: list[Any] = collector.query(ad_type, constraint, list(attributes))
    except _FAILURES as error:
        raise CondorFailed(
            f"{name} gave no {what}: {error} (is it up, and may this host read? try condor_status)"
        ) from None
    return found


def limit_query_time(pools: Sequence[str], most_s: float) -> None:
    """Let no collector daemon use up more of this process's time where there are others to ask.

    HTCondor waits QUERY_TIMEOUT (a minute, mostly) for each of a high-availability pair, and then passes over
    the one that was silent for as long as the process lives.
    """
    if len(pools) > 1 or "," in (pools[0] if pools and pools[0] else _configured_pool()):
        configured = str(_htcondor.param.get("QUERY_TIMEOUT") or "")
        least = min(int(configured), int(most_s)) if configured.isdecimal() else int(most_s)
        _htcondor.param["QUERY_TIMEOUT"] = str(max(1, least))


def local_schedd_name() -> str:
    """What this host's schedd calls itself; "" where none is configured or up."""
    progress.report("looking for the schedd of this host")
    try:
        return str(_htcondor.Collector().locate(_DaemonType.Schedd)["Name"])
    except _FAILURES:  # a host without a schedd has no figures of it
        return ""


def find_schedd(name: str, pools: Sequence[str], setting: str) -> Any:
    """The schedd of that name, as the first of the pools that knows it tells; "" is this host's own.

    setting: the one that names schedds, for the failure's text.
    """
    if not name:
        progress.report("looking for the schedd of this host")
        try:
            return _htcondor.Schedd()
        except _FAILURES as error:
            raise CondorFailed(
                f"no schedd on this host: {error} (start it, or name others in {setting})"
            ) from None
    failures = []
    for pool in pools or ("",):
        try:
            ads = _query(pool, _DAEMONS["schedd"], f"Name == {quote(name)}", _LOCATION, "schedd ads")
        except CondorFailed as error:  # another one may know it
            failures.append(str(error))
            continue
        if ads:
            return _htcondor.Schedd(ads[0])
    if failures:
        raise CondorFailed(f"schedd {name} is not found: {'; '.join(failures)}")
    raise CondorFailed(
        f"no collector daemon knows schedd {name} (condor_status -schedd lists those it knows)"
    )


def first_schedd(pool: str) -> Any:
    """Any schedd of the pool; most have one."""
    ads = _query(pool, _DAEMONS["schedd"], "true", _LOCATION, "schedd ads")
    if not ads:
        raise CondorFailed(f"HTCondor collector {pool} knows no schedd")
    return _htcondor.Schedd(ads[0])


def query_groups(
    schedd: Any, name: str, attributes: Sequence[str], constraint: str = "true", limit: int = -1
) -> list[Ad]:
    """One ad per combination of the attributes' values among the schedd's jobs, with JobCount.

    The schedd groups all its jobs, then applies the constraint to the groups: it sees the attributes and Id
    (1, 2, ... in the queue's order), nothing else. An attribute that is an expression brings along those it
    refers to. At most `limit` groups are sent.
    """
    name = _schedd_name(name)
    progress.report(f"asking {name} for counts of jobs")
    try:
        found: list[Any] = schedd.query(
            constraint, projection=list(attributes), limit=limit, opts=_QueryOpt.GroupBy
        )
    except _FAILURES as error:
        raise CondorFailed(
            f"{name} gave no counts of jobs: {error} (is it up, and may this host read? try condor_q)"
        ) from None
    return [Ad(ad, name) for ad in found]


def query_jobs(
    schedd: Any, name: str, constraint: str, attributes: Sequence[str], limit: int = -1
) -> list[Ad]:
    """At most `limit` of the schedd's jobs, in the order of its queue, with these attributes only."""
    name = _schedd_name(name)
    progress.report(f"asking {name} for a list of jobs")
    try:
        found: list[Any] = schedd.query(constraint, projection=list(attributes), limit=limit)
    except _FAILURES as error:
        raise CondorFailed(
            f"{name} gave no list of jobs: {error} (is it up, and may this host read? try condor_q)"
        ) from None
    return [Ad(ad, name) for ad in found]


def submit_jobs(schedd: Any, name: str, description: Mapping[str, str], count: int, spool: bool) -> int:
    """Queue so many jobs, with `spool` after their files were sent to the schedd; the cluster's number."""
    name = _schedd_name(name)
    progress.report(f"submitting jobs to {name}")
    try:
        result = schedd.submit(_htcondor.Submit(dict(description)), count=count, spool=spool)
        if spool:
            schedd.spool(result)
        return int(result.cluster())
    except _FAILURES as error:
        raise CondorFailed(f"{name} took no jobs: {error} (may this user? try condor_submit)") from None


def remove_jobs(schedd: Any, name: str, constraint: str, reason: str) -> int:
    """Have jobs removed, those that run by the soft kill; how many there were."""
    name = _schedd_name(name)
    progress.report(f"removing jobs from {name}")
    try:
        result = schedd.act(_htcondor.JobAction.Remove, constraint, reason=(reason, 0))
        return int(result["TotalSuccess"])
    except _FAILURES as error:
        raise CondorFailed(f"{name} removed no jobs: {error} (may this user? try condor_rm)") from None


def _schedd_name(name: str) -> str:
    return f"schedd {name}" if name else "the schedd of this host"


def parse_expression(text: str) -> Any | None:
    """A ClassAd expression, or None where the text is none. The parser takes functions that do not exist."""
    try:
        return _classad.ExprTree(text)
    except _FAILURES:  # whose text says only that it failed
        return None


def is_error(text: str) -> bool:
    """Whether a constant expression evaluates to the error value, as a call of an unknown function does."""
    try:
        return bool(_classad.ExprTree(f"isError({text})").eval() is True)
    except _FAILURES:
        return False


def references(expression: Any) -> set[str]:
    """Names of the attributes of a job that an expression looks at."""
    scoped = [name.split(".") for name in _classad.ClassAd().externalRefs(expression)]
    own = [names[1:] if names[0].lower() == "my" else names for names in scoped]
    return {names[0] for names in own if names and names[0] and names[0].lower() != "target"}


def text_of(value: object) -> str:
    """A string attribute; "" where it is absent or of another type."""
    return value if isinstance(value, str) else ""


def number_of(value: object) -> float:
    """A numeric attribute, 0 likewise."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0


def quote(text: str) -> str:
    """A ClassAd string literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _configured_pool() -> str:
    return str(_htcondor.param.get("COLLECTOR_HOST") or "of this host (COLLECTOR_HOST is not configured)")
