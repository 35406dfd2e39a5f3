"""The values of JobStatus and their names, as the manual's appendix on job attributes has them."""

from __future__ import annotations

UNEXPANDED, IDLE, RUNNING, REMOVED, COMPLETED, HELD, TRANSFERRING_OUTPUT, SUSPENDED = range(8)
STATUSES = {
    UNEXPANDED: "unexpanded",
    IDLE: "idle",
    RUNNING: "running",
    REMOVED: "removed",
    COMPLETED: "completed",
    HELD: "held",
    TRANSFERRING_OUTPUT: "transferring_output",
    SUSPENDED: "suspended",
}
UNKNOWN = "unknown"  # a status of a later HTCondor: counted, never dropped


def status_of(job_status: object) -> str:
    # A truth value and the bindings' undefined are integers to Python, and would be idle or running.
    return STATUSES.get(job_status, UNKNOWN) if type(job_status) is int else UNKNOWN
