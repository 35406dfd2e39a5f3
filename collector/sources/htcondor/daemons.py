"""Figures of schedds, negotiators and collector daemons, as they advertise them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from cloud_monitor.htcondor.ads import Ad
from cloud_monitor.htcondor.bindings import local_schedd_name, query_daemons, quote, text_of
from cloud_monitor.metrics.daemon_figures import OF_DAEMON
from cloud_monitor.metrics.paths import build_path, clean
from collector.sources.htcondor.peers import Pools


class Daemon(NamedTuple):
    role: str  # schedd, negotiator or collector
    name: str
    figures: Mapping[str, float]  # those that it advertises


def query_daemon_figures(pools: Pools, schedds: Sequence[str], owner: bool) -> list[Daemon]:
    """The given schedds (none: this host's), and unless another host owns the grid what serves each pool."""
    names = [name for name in schedds or (local_schedd_name(),) if name]
    wanted = {"schedd": " || ".join(f"Name == {quote(name)}" for name in names) or "false"}
    if owner:
        wanted |= {"negotiator": "true", "collector": "true"}
    daemons: dict[tuple[str, str], Daemon] = {}
    for pool in pools.names:
        for role, constraint in wanted.items():
            attributes = ["Name", *(figure.attribute for figure in OF_DAEMON[role])]
            for ad in pools.ask(pool, partial(query_daemons, pool, role, constraint, attributes)):
                daemon = read_daemon(role, ad)
                daemons[role, daemon.name] = daemon
    return list(daemons.values())


def read_daemon(role: str, ad: Ad) -> Daemon:
    values = ((figure, ad.get(figure.attribute)) for figure in OF_DAEMON[role])
    figures = {figure.name: value * figure.scale for figure, value in values if type(value) in (int, float)}
    return Daemon(role, text_of(ad.get("Name")), figures)


def count_slots(daemons: Iterable[Daemon]) -> int:
    """Slots of all pools as their collector daemons count them."""
    return int(sum(daemon.figures.get("slots", 0) for daemon in daemons if daemon.role == "collector"))


def daemons_values(grid: str, daemons: Iterable[Daemon]) -> Iterator[tuple[str, float]]:
    for daemon in daemons:
        name = clean(daemon.name)
        for figure, value in daemon.figures.items():
            yield build_path(f"condor_{daemon.role}_{figure}", grid=grid, name=name), value
