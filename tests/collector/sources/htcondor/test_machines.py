"""The cloud of a machine."""

from __future__ import annotations

import re

from collector.sources.htcondor.machines import MachineFacts, name_cloud


def test_clouds_by_attribute_and_by_name() -> None:
    pattern = re.compile(r"^(?P<cloud>[a-z ]+)-(?P<vmtype>[a-z]+)?\d")
    none = MachineFacts("", "", 0, 0)
    assert name_cloud("east-big7.example", none, pattern) == ("east", "big")
    assert name_cloud("east-7.example", none, pattern) == ("east", "vm")
    assert name_cloud("east-big7.example", MachineFacts("west", "", 0, 0), pattern) == ("west", "big")
    assert name_cloud("other.example", none, pattern) == ("", "")
    assert name_cloud("other.example", none, None) == ("", "")
