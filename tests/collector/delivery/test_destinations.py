"""The consistent-hash ring agrees with carbon's own code, node by node and path by path."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
from pathlib import Path

from collector.delivery.deliver import senders_of
from collector.delivery.destinations import Ring, parse_destinations

CARBON_ROUTER = """
import json, sys
from carbon.routers import ConsistentHashingRouter
from carbon.util import parseDestinations
def route(asked):
    class Settings:
        REPLICATION_FACTOR = asked["replication"]
        DIVERSE_REPLICAS = asked["diverse"]
        ROUTER_HASH_TYPE = asked["hash"]
    router = ConsistentHashingRouter(Settings)
    for destination in parseDestinations(asked["nodes"]):
        router.addDestination(destination)
    return [list(router.getDestinations(path)) for path in asked["paths"]]
print(json.dumps([route(asked) for asked in json.load(sys.stdin)]))
"""

CLUSTERS = {
    "three hosts": ["carbon1:2004:a", "carbon2:2004:a", "carbon3:2004:a"],
    "instances of one host": ["10.0.0.1:2004:a", "10.0.0.1:2104:b", "10.0.0.1:2204:c", "10.0.0.2:2004:a"],
    "without instances": ["Carbon-A.example:2004", "carbon-b.example:2004"],
    "one": ["127.0.0.1:2004:x"],
    "ipv6": ["[::1]:2004:a", "[fe80::2]:2004:b"],
    "many": [f"10.1.{number // 4}.1:{2004 + number % 4}:i{number % 4}" for number in range(20)],
}


def test_agrees_with_carbons_router(carbon_python: Path) -> None:
    """All clusters, both hashes, with and without replicas, in one process of carbon's Python."""
    dice = random.Random(7)
    paths = [
        f"grids.g{dice.randrange(9)}.clouds.c{dice.randrange(99)}.vms.x.s{number}" for number in range(400)
    ]
    cases = itertools.product(
        CLUSTERS.values(), ((1, True), (2, True), (2, False)), ("carbon_ch", "fnv1a_ch")
    )
    asked, ours = [], []
    for nodes, (replicas, diverse), hash_type in cases:
        replication = min(replicas, len(nodes))
        query = f"?replication={replication}&diverse={'yes' if diverse else 'no'}&hash={hash_type}"
        ring = Ring(parse_destinations("ring://" + ";".join(nodes) + query)[0])
        ours.append(
            [[[n.address.host, n.address.port, n.instance] for n in ring.nodes_of(path)] for path in paths]
        )
        asked.append(
            {
                "nodes": nodes,
                "paths": paths,
                "replication": replication,
                "diverse": diverse,
                "hash": hash_type,
            }
        )
    answer = subprocess.run(
        [carbon_python, "-c", CARBON_ROUTER],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    for question, own, carbons in zip(asked, ours, json.loads(answer.stdout), strict=True):
        assert own == carbons, question["nodes"]
    used = {str(chosen) for chosen in ours[0]}
    assert len(used) == 3  # the comparison is of a ring that does share out


def test_every_point_goes_to_exactly_the_nodes_of_its_path(tmp_path: Path) -> None:
    (destination,) = parse_destinations("ring://a:1:x;b:1:x;c:1:x?replication=2")
    senders = senders_of(destination, tmp_path)
    assert len({sender.spool_path for sender in senders}) == 3
    for number in range(200):
        path = f"grids.g.heartbeat.s{number}"
        assert sum(sender.keeps(path) for sender in senders) == 2
