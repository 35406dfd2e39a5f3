"""Every way a worker can end has a name, and only some may have been caused by an image."""

from __future__ import annotations

import pytest

from worker.runner.worker_status import explain_exit


@pytest.mark.parametrize(
    ("return_code", "oom_kills", "stall_s", "name", "in_order", "images_may_be_cause"),
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
def test_names_and_causes(
    return_code: int,
    oom_kills: int,
    stall_s: float | None,
    name: str,
    in_order: bool,
    images_may_be_cause: bool,
) -> None:
    ended = explain_exit(return_code, oom_kills, stall_s)
    assert (ended.name, ended.in_order, ended.images_may_be_cause) == (name, in_order, images_may_be_cause)
    assert ended.text


def test_who_was_asked_to_leave_while_starting_has_not_crashed() -> None:
    ended = explain_exit(-15, 0, None, asked_to_leave=True)
    assert (ended.name, ended.in_order, ended.images_may_be_cause) == ("left", True, False)
    stopped = explain_exit(-9, 0, 301.0, was_stopped=True)
    assert (stopped.name, stopped.images_may_be_cause) == ("stopped", False)
    late = explain_exit(-9, 0, None, asked_to_leave=True)
    assert (late.name, late.in_order, late.images_may_be_cause) == ("late", False, False)
    assert explain_exit(-11, 0, None, asked_to_leave=True).name == "SIGSEGV"
