"""Where points go: the text of COLLECTOR_CARBON as frozen values (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from collector.paths import clean

PICKLE_PORT = 2004
PLAIN_PORT = 2003

Protocol = Literal["pickle", "plain"]

_SCHEMES: dict[str, tuple[Protocol, bool]] = {
    "tcp": ("pickle", False),
    "tcp+plain": ("plain", False),
    "tls": ("pickle", True),
    "tls+plain": ("plain", True),
}
_ACCEPTED = (
    "host:port, [IPv6]:port, tcp://, tcp+plain://, tls:// or tls+plain://host:port, or a cluster "
    "ring://host:port:instance;host:port:instance?replication=1"
)


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int
    protocol: Protocol = "pickle"
    tls: bool = False

    def __str__(self) -> str:
        scheme = next(name for name, kind in _SCHEMES.items() if kind == (self.protocol, self.tls))
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'' if scheme == 'tcp' else scheme + '://'}{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Node:
    """One Carbon of a cluster: carbon-relay's ring knows it by host and instance."""

    address: Address
    instance: str | None


@dataclass(frozen=True, slots=True)
class Destination:
    """One place that is to get every point: a single Carbon, or a cluster that shares them out."""

    text: str  # as it was configured
    nodes: tuple[Node, ...]
    replication: int = 1

    @property
    def name(self) -> str:
        """Its name in metric paths and file names."""
        return clean(self.text)


def parse_destinations(text: str) -> tuple[Destination, ...]:
    """Read a comma-separated list; ValueError says which part is wrong and what would be accepted."""
    destinations = tuple(_parse(part) for part in (part.strip() for part in text.split(",")) if part)
    texts = [destination.text for destination in destinations]
    for text in texts:
        if texts.count(text) > 1:
            raise ValueError(f"{text} is given twice")
    return destinations


def _parse(text: str) -> Destination:
    if text.startswith("ring://"):
        return _parse_ring(text)
    address = _parse_address(text)
    return Destination(str(address), (Node(address, None),))


def _parse_ring(text: str) -> Destination:
    """`ring://host:port[:instance];...[?replication=N]`, nodes as in carbon-relay's DESTINATIONS."""
    body, _, query = text.removeprefix("ring://").partition("?")
    nodes = []
    for part in body.split(";"):
        match = re.fullmatch(
            r"(?P<address>(\[[^\]]+\]|[^:\[\]]+)(:\d+))(:(?P<instance>[A-Za-z0-9_-]+))?", part.strip()
        )
        if not match:
            raise ValueError(f"{part!r} in {text!r} is not host:port:instance")
        nodes.append(Node(_parse_address(match["address"]), match["instance"]))
    options = parse_qs(query, keep_blank_values=True)
    replication = options.pop("replication", ["1"])[-1]
    if options or not replication.isdigit() or not 1 <= int(replication) <= len(nodes):
        raise ValueError(
            f"{text!r}: only ?replication= from 1 to the number of nodes ({len(nodes)}) is accepted"
        )
    if len({(node.address.host, node.instance) for node in nodes}) < len(nodes):
        raise ValueError(f"{text!r}: two nodes of one host need different instances")
    return Destination(text, tuple(nodes), int(replication))


def _parse_address(text: str) -> Address:
    scheme, separator, rest = text.rpartition("://")
    protocol, tls = _SCHEMES.get(scheme if separator else "tcp", (None, False))
    if protocol is None:
        raise ValueError(f"{text!r}: unknown scheme; accepted: {_ACCEPTED}")
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}; accepted: {_ACCEPTED}") from None
    if not host or parts.path or parts.query or parts.username or re.search(r"[\s/;]", host) or port == 0:
        raise ValueError(f"{text!r} is not a destination; accepted: {_ACCEPTED}")
    return Address(host, port or (PICKLE_PORT if protocol == "pickle" else PLAIN_PORT), protocol, tls)
