"""What of the outside world a test needs: each service's marker comes from the code that starts the service.

Whatever starts one calls `need("graphite")`. At collection a test gets the markers of all such calls that it,
its fixtures and its helpers in `tests` lead to; one that leads to none gets `fast`. When it runs, `need`
refuses what the markers do not name, in the programs it starts too: no test can be `fast` by mistake.
"""

from __future__ import annotations

import os
import shutil
import types
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from tests.services.support import absent

SERVICES = {
    "apache": "an Apache with mod_wsgi",
    "prometheus-alertmanager": "Prometheus's Alertmanager",
    "azurite": "Azurite, run by node",
    "browser": "Chromium",
    "containers": "the images of make containers, and podman",
    "podman": "podman",
    "cron": "Debian's cron daemon",
    "condor": "an HTCondor pool",
    "decimer": "the weights of DECIMER",
    "ec2": "an EC2 of its own, as moto plays it",
    "fleet": "a supervisor with its workers, for seconds",
    "graphite": "Carbon and graphite-web",
    "made": "what is made of a copy of the tree: a whole chain, a wheel",
    "nova": "an OpenStack Nova, run by make test-clouds alone",
    "npm": "the packages of package-lock.json",
    "postgres": "a PostgreSQL server",
    "prometheus": "a Prometheus",
    "promtool": "Prometheus's promtool",
    "programs": "programs of the project that are at work for seconds, a benchmark's too",
    "root": "the rights of root",
    "victoriametrics": "VictoriaMetrics",
    "systemd-analyze": "systemd's checker of units",
    "strace": "the tracer of system calls strace",
    "wrk": "the load generator wrk",
}
GRANTED = "CLOUD_MONITOR_TEST_NEEDS"  # environment: the services that the running test may come to


def need(*services: str) -> None:
    """Say that the caller starts these; fails where the running test is not marked with them."""
    granted = os.environ.get(GRANTED)
    if granted is not None and (missing := set(services) - set(granted.split(","))):
        test = os.environ.get("PYTEST_CURRENT_TEST", "this test").split(" ")[0]
        marks = " and ".join(f"@pytest.mark.{service}" for service in sorted(missing))
        pytest.fail(f"{test} starts what it is not marked with: add {marks}", pytrace=False)


def find_program(name: str, package: str) -> str:
    """The path of a program that is a service of its own, of the named Debian package."""
    need(name)
    if path := shutil.which(name):
        return path
    absent(f"{name} (Debian package {package}) is not installed")


def needs_of(item: pytest.Item) -> set[str]:
    """The services of a test: its markers, and what its code and that of its fixtures lead to."""
    found = {mark.name for mark in item.iter_markers() if mark.name in SERVICES}
    function = getattr(item, "function", None)
    if function is not None:
        found |= reached(function)
    definitions: dict[str, Any] = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    for chain in definitions.values():
        for definition in chain:
            found |= reached(definition.func)
    return found


@cache
def reached(start: object) -> frozenset[str]:
    """Services that a function or class of the tests comes to by way of others in `tests`."""
    found: set[str] = set()
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        for code, names in _bodies(waiting.pop()):
            if id(code) in seen:
                continue
            seen.add(id(code))
            used = set(code.co_names)
            if any(names.get(name) in (need, find_program) for name in used):
                found |= {constant for constant in code.co_consts if constant in SERVICES}
            for name in used & names.keys():
                value = names[name]
                if isinstance(value, types.ModuleType):
                    waiting += [vars(value)[other] for other in used & vars(value).keys() if _is_ours(value)]
                else:
                    waiting.append(value)
    return frozenset(found)


def _bodies(thing: object) -> Iterator[tuple[types.CodeType, dict[str, Any]]]:
    """The code of a function of the tests, or of each method of a class of theirs, with its global names."""
    while hasattr(thing, "__wrapped__"):
        thing = thing.__wrapped__
    if isinstance(thing, type):
        if _is_ours(thing):
            for method in vars(thing).values():
                yield from _bodies(getattr(method, "fget", method))
    elif isinstance(thing, types.FunctionType) and _is_ours(thing):
        codes = [thing.__code__]
        while codes:
            code = codes.pop()
            yield code, thing.__globals__
            codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]


def _is_ours(thing: object) -> bool:
    name = thing.__name__ if isinstance(thing, types.ModuleType) else getattr(thing, "__module__", "")
    return str(name).startswith(("tests.", "bench."))
