"""Names of the values of JobStatus, as the manual's appendix on job attributes has them."""

from __future__ import annotations

STATUSES = {
    0: "unexpanded", 1: "idle", 2: "running", 3: "removed", 4: "completed", 5: "held",
    6: "transferring_output", 7: "suspended",
}  # fmt: skip
UNKNOWN = "unknown"  # a status of a later HTCondor: counted, never dropped


def status_of(job_status: object) -> str:
    return STATUSES.get(job_status, UNKNOWN) if isinstance(job_status, int) else UNKNOWN
