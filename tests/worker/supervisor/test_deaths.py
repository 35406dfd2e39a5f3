"""Every way a worker can end has a name, and only those that an image may have caused blame one."""

from __future__ import annotations

import pytest

from worker.runner.exit_status import explain_death


@pytest.mark.parametrize(
    ("return_code", "oom_kills", "stall_s", "name", "in_order", "blames"),
    [
        (0, 0, None, "left", True, False),
        (75, 0, None, "late", False, False),
        (3, 0, None, "exit 3", False, True),
        (-11, 0, None, "SIGSEGV", False, True),
        (-6, 0, None, "SIGABRT", False, True),
        (-9, 0, None, "SIGKILL", False, False),
        (-9, 1, None, "OOM", False, True),
        (-11, 1, None, "SIGSEGV", False, True),
        (-15, 0, None, "SIGTERM", False, False),
        (-9, 0, 301.0, "stalled", False, True),
        (-63, 0, None, "signal 63", False, True),
    ],
)
def test_names_and_blames(
    return_code: int, oom_kills: int, stall_s: float | None, name: str, in_order: bool, blames: bool
) -> None:
    death = explain_death(return_code, oom_kills, stall_s)
    assert (death.name, death.in_order, death.blames) == (name, in_order, blames)
    assert death.text
