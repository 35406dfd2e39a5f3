"""Slices that together are everything."""

from __future__ import annotations

import re

import classad2
from hypothesis import given
from hypothesis import strategies as st

from collector.sources.htcondor.placements import slices


@given(
    st.lists(
        st.from_regex(
            r"slot1(_[0-9])?(@[a-z]{1,3}[0-9]{0,2}(\.[a-z0-9]{1,2}){0,2})?"
            r"@[a-z]{1,3}[0-9]{0,3}[a-z]?(\.[a-z0-9]{1,3}){0,2}",
            fullmatch=True,
        )
    ),
    st.sampled_from([0, 10, 11, 40, 99, 1000]),
)
def test_slices_select_every_slot_once(names: list[str], expected: int) -> None:
    constraints = [classad2.ExprTree(text) for text in slices(expected, 10, "Name")]
    for name in [*names, None]:
        ad = classad2.ClassAd({"Name": name} if name else {})
        assert [constraint.eval(ad) for constraint in constraints].count(True) == 1


def test_slices_spread_hosts_by_their_numbers() -> None:
    pattern = re.compile(r'regexp\("(.*?)", Name\)')
    first = pattern.search(slices(100, 20, "Name")[0])
    assert first
    hosts = [f"slot1@node{number:04d}.example2.org" for number in range(1000)]
    assert sum(bool(re.search(first[1], host)) for host in hosts) == 200
