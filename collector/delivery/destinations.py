"""Where points go: the text of COLLECTOR_CARBON as frozen values, and which Carbon of a cluster keeps a
path.

That is told by the consistent-hash ring of carbon-relay, to the letter: relay, cluster and collector must
agree on every path, so the quirks are kept: 16-bit positions, the text of a Python tuple as a node's key,
and a position that is taken moves one on. Pure.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import md5
from typing import Literal
from urllib.parse import parse_qs

from cloud_monitor.metrics.paths import clean

Protocol = Literal["pickle", "plain"]
HashType = Literal["carbon_ch", "fnv1a_ch"]

DEFAULT_PORT: dict[Protocol, int] = {"pickle": 2004, "plain": 2003}

_SCHEMES: dict[str, tuple[Protocol, bool]] = {
    "tcp": ("pickle", False),
    "tcp+plain": ("plain", False),
    "tls": ("pickle", True),
    "tls+plain": ("plain", True),
}
_HOST_PORT = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+(?:%\w+)?)\]|(?P<host>[A-Za-z0-9._-]+))(?::(?P<port>\d{1,5}))?"
)
_ACCEPTED = (
    "accepted: host:port, [IPv6]:port, tcp+plain://, tls:// or tls+plain:// before them, or a cluster "
    "ring://host:port:instance;host:port:instance?replication=1"
)
_POINTS_OF_NODE = 100  # on the ring
_Name = tuple[str, str | None]  # host and instance


class RenderFailed(Exception):
    """The store's /render does not answer as one should; the message says which and how."""


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int
    protocol: Protocol = "pickle"
    tls: bool = False

    def __str__(self) -> str:
        scheme = next(name for name, means in _SCHEMES.items() if means == (self.protocol, self.tls))
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'' if scheme == 'tcp' else scheme + '://'}{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Node:
    """One Carbon; a ring knows it by host and instance, as carbon-relay's DESTINATIONS do."""

    address: Address
    instance: str | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """What is to get every point: a single Carbon, or a cluster that shares them out by a ring."""

    text: str
    nodes: tuple[Node, ...]
    replication: int = 1
    diverse: bool = True  # replicas on different hosts, carbon's DIVERSE_REPLICAS
    hash_type: HashType = "carbon_ch"

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
    if text.startswith("ring"):
        return _parse_ring(text)
    scheme, separator, rest = text.rpartition("://")
    if separator and scheme not in _SCHEMES:
        raise ValueError(f"{text!r}: unknown scheme; {_ACCEPTED}")
    address = _parse_address(rest, *_SCHEMES[scheme if separator else "tcp"])
    return Destination(str(address), (Node(address),))


def _parse_ring(text: str) -> Destination:
    """`ring[+tls][+plain]://host:port[:instance];...[?replication=N&diverse=no&hash=fnv1a_ch]`."""
    match = re.fullmatch(
        r"ring(?P<tls>\+tls)?(?P<plain>\+plain)?://(?P<nodes>[^?]+)(\?(?P<options>.*))?", text
    )
    if not match:
        raise ValueError(f"{text!r} is not a cluster; {_ACCEPTED}")
    protocol: Protocol = "plain" if match["plain"] else "pickle"
    nodes = tuple(
        _parse_node(part.strip(), protocol, bool(match["tls"])) for part in match["nodes"].split(";")
    )
    names = {(node.address.host, node.instance) for node in nodes}
    if len(names) < len(nodes):
        raise ValueError(f"{text!r}: two nodes on one host need different instances")
    options = {
        name: values[-1] for name, values in parse_qs(match["options"] or "", keep_blank_values=True).items()
    }
    replication = options.pop("replication", "1")
    diverse = options.pop("diverse", "yes")
    hash_type = options.pop("hash", "carbon_ch")
    if options or not replication.isdigit() or not 1 <= int(replication) <= len(nodes):
        raise ValueError(
            f"{text!r}: accepted after ?: replication=1 to {len(nodes)}, diverse=yes|no, hash=fnv1a_ch"
        )
    if diverse not in ("yes", "no") or hash_type not in ("carbon_ch", "fnv1a_ch"):
        raise ValueError(f"{text!r}: accepted are diverse=yes or no, hash=carbon_ch or fnv1a_ch")
    ring_hash: HashType = "fnv1a_ch" if hash_type == "fnv1a_ch" else "carbon_ch"
    return Destination(text, nodes, int(replication), diverse == "yes", ring_hash)


def _parse_node(text: str, protocol: Protocol, tls: bool) -> Node:
    match = re.fullmatch(r"(?P<address>(\[[^\]]+\]|[^:]+):\d+)(:(?P<instance>[A-Za-z0-9_-]+))?", text)
    if not match:
        raise ValueError(f"{text!r} is not host:port:instance")
    return Node(_parse_address(match["address"], protocol, tls), match["instance"])


def _parse_address(text: str, protocol: Protocol, tls: bool) -> Address:
    match = _HOST_PORT.fullmatch(text)
    port = int(match["port"] or DEFAULT_PORT[protocol]) if match else 0
    if not match or not 0 < port < 65536:
        raise ValueError(f"{text!r} is not host:port; {_ACCEPTED}")
    return Address(match["ipv6"] or match["host"], port, protocol, tls)


class Ring:
    def __init__(self, destination: Destination) -> None:
        self._replication = destination.replication
        self._diverse = destination.diverse
        self._hash_type = destination.hash_type
        self._nodes: dict[_Name, Node] = {
            (node.address.host, node.instance): node for node in destination.nodes
        }
        self._entries: list[tuple[int, _Name]] = []
        taken: set[int] = set()
        for name in self._nodes:
            for index in range(_POINTS_OF_NODE):
                key = f"{index}-{name[1]}" if self._hash_type == "fnv1a_ch" else f"{name}:{index}"
                position = _position(key, self._hash_type)
                while position in taken:
                    position += 1
                taken.add(position)
                insort(self._entries, (position, name))

    def nodes_of(self, path: str) -> tuple[Node, ...]:
        """The nodes that keep this path, as many as the replication factor asks for."""
        chosen: list[_Name] = []
        hosts: set[str] = set()
        for name in self._walk(path):
            if self._diverse and name[0] in hosts:
                continue
            hosts.add(name[0])
            chosen.append(name)
            if len(chosen) == self._replication:
                break
        return tuple(self._nodes[name] for name in chosen)

    def _walk(self, path: str) -> Iterator[_Name]:
        """Nodes in ring order from the path's position on, each once."""
        start = bisect_left(self._entries, (_position(path, self._hash_type),))
        size = len(self._entries)
        yield from dict.fromkeys(self._entries[(start + step) % size][1] for step in range(size))


def _position(key: str, hash_type: HashType) -> int:
    if hash_type == "fnv1a_ch":
        number = 0x811C9DC5
        for byte in key.encode():
            number = (number ^ byte) * 0x01000193 % (1 << 32)
        return (number >> 16) ^ (number & 0xFFFF)
    return int(md5(key.encode(), usedforsecurity=False).hexdigest()[:4], 16)
