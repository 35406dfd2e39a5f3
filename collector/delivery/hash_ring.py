"""Which Carbon of a cluster keeps a metric: the consistent-hash ring of carbon-relay, to the letter (pure).

Relay, cluster and collector must agree on every path, so the quirks are kept: 16-bit positions, the text of a
Python tuple as a node's key, and a position that is taken moves one on.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from hashlib import md5

from collector.delivery.destinations import Destination, HashType, Node

_POINTS_OF_NODE = 100

_Name = tuple[str, str | None]  # (host, instance)


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
