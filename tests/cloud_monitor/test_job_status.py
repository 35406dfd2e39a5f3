"""Names of job statuses."""

from __future__ import annotations

from cloud_monitor.htcondor.job_status import status_of


def test_statuses_of_later_versions_are_counted_as_unknown() -> None:
    assert [status_of(value) for value in (0, 6, 8, -1, "1", None, 1.0)] == [
        "unexpanded", "transferring_output", "unknown", "unknown", "unknown", "unknown", "unknown"
    ]  # fmt: skip
