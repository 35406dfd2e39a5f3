"""What is trouble of a VM or job, for whoever cuts, orders, filters or colours a list."""

from __future__ import annotations

import pytest

from cloud_monitor.inventory import IN_TROUBLE, STATES_IN_TROUBLE, is_unregistered, vm_rank


def test_the_states_in_trouble() -> None:
    assert {"error", "lost", "held"} == IN_TROUBLE
    assert {*IN_TROUBLE, "unreg"} == STATES_IN_TROUBLE


@pytest.mark.parametrize(
    ("status", "registered", "rank"),
    [
        ("error", True, 0), ("lost", True, 0), ("unknown", None, 0), ("running", False, 1),
        ("running", None, 2), ("running", True, 2), ("starting", False, 2),
    ],
)  # fmt: skip
def test_vms_in_trouble_come_first(status: str, registered: bool | None, rank: int) -> None:
    assert vm_rank(status, registered) == rank
    assert is_unregistered(status, registered) == (rank == 1)
