"""Names that jobs bring along."""

from __future__ import annotations

import pytest

from cloud_monitor.htcondor.ads import Ad
from collector.sources.htcondor.jobs import hash_user
from collector.sources.htcondor.tally import group_of, split_group


@pytest.mark.parametrize(
    ("accounting_group", "owner", "group"),
    [
        ("group_higgs.prod.alice", "alice", "group_higgs.prod"),
        ("group_higgs.first.last", "first.last", "group_higgs"),
        ("group_higgs.robot", "alice", "group_higgs"),
        ("group_higgs.robot@example.org", "alice", "group_higgs"),
        ("group_higgs", "alice", "group_higgs"),
        ("alice", "alice", "alice"),
        ("", "alice", ""),
    ],
)
def test_the_group_of_an_accounting_group(accounting_group: str, owner: str, group: str) -> None:
    assert split_group(accounting_group, [owner]) == group


@pytest.mark.parametrize(
    ("ad", "group"),
    [
        ({"AcctGroup": "ligo.dev", "AcctGroupUser": "albert.einstein"}, "ligo.dev"),
        ({"AcctGroupUser": "marie.curie", "AccountingGroup": "marie.curie"}, ""),
        ({"AcctGroupUser": "marie.curie", "AccountingGroup": "ligo.marie.curie"}, "ligo"),
        ({"AccountingGroup": "ligo.dev.alice"}, "ligo.dev"),
        ({}, ""),
    ],
)
def test_the_group_of_a_job(ad: dict[str, str], group: str) -> None:
    assert group_of(Ad({"Owner": "alice", **ad})) == group


def test_hashed_users_depend_on_the_key() -> None:
    assert hash_user("alice", b"k") == hash_user("alice", b"k")
    assert len({hash_user("alice", b"k"), hash_user("alice", b""), hash_user("bob", b"k")}) == 3
