"""Jobs by type and status, as the table of a grid, cloud, user or group; held jobs by reason. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from webapp.model.health import Health
from webapp.model.judge import held_share
from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Counts, Grid
from webapp.pages.tables import Column, Table, below, natural, occurring, row_of, words

STATUSES = (
    "total",
    "idle",
    "running",
    "completed",
    "held",
)  # the others have a column when there are such jobs

# HoldReasonCode of a job ad, by the names that HTCondor gives the codes.
REASONS = {
    0: "Unspecified", 1: "UserRequest", 2: "GlobusGramError", 3: "JobPolicy", 4: "CorruptedCredential",
    5: "JobPolicyUndefined", 6: "FailedToCreateProcess", 7: "UnableToOpenOutput", 8: "UnableToOpenInput",
    9: "UnableToOpenOutputStream", 10: "UnableToOpenInputStream", 11: "InvalidTransferAck",
    12: "TransferOutputError", 13: "TransferInputError", 14: "IwdError", 15: "SubmittedOnHold",
    16: "SpoolingInput", 17: "JobShadowMismatch", 18: "InvalidTransferGoAhead", 19: "HookPrepareJobFailure",
    20: "MissedDeferredExecutionTime", 21: "StartdHeldJob", 22: "UnableToInitUserLog",
    23: "FailedToAccessUserAccount", 24: "NoCompatibleShadow", 25: "InvalidCronSettings", 26: "SystemPolicy",
    27: "SystemPolicyUndefined", 28: "GlexecChownSandboxToUser", 29: "PrivsepChownSandboxToUser",
    30: "GlexecChownSandboxToCondor", 31: "PrivsepChownSandboxToCondor", 32: "MaxTransferInputSizeExceeded",
    33: "MaxTransferOutputSizeExceeded", 34: "JobOutOfResources", 35: "InvalidDockerImage",
    36: "FailedToCheckpoint", 37: "EC2UserError", 38: "EC2InternalError", 39: "EC2AdminError",
    40: "EC2ConnectionProblem", 41: "EC2ServerError", 42: "EC2InstancePotentiallyLostError",
    43: "PreScriptFailed", 44: "PostScriptFailed", 45: "SingularityTestFailed", 46: "JobDurationExceeded",
    47: "JobExecuteExceeded", 48: "HookShadowPrepareJobFailure", 49: "CannotSwitchPrimaryGroup",
}  # fmt: skip

_MEANINGS = {
    1: "condor_hold by a user or an administrator",
    3: "the job's own periodic_hold or on_exit_hold",
    6: "the executable could not be started",
    12: "the output files did not come back",
    13: "the input files did not get there",
    14: "the working directory is not accessible",
    15: "submitted with hold = true",
    16: "waits for its input to be spooled",
    21: "the execute host put it on hold",
    26: "the administrator's SYSTEM_PERIODIC_HOLD",
    32: "more input than the limit allows",
    33: "more output than the limit allows",
    34: "used more memory, disk or CPU than it had asked for",
    35: "the container image could not be used",
    46: "ran longer than allowed_job_duration",
    47: "executed longer than allowed_execute_duration",
}


def jobs_table(
    jobs: Mapping[str, Counts],
    health: Health,
    at: str,
    *,
    caption: str = "Jobs",
    heading: str = "Type",
    below: str = "jobs",
) -> Table:
    """Rows of `jobs`, `all` first; `at` is the path above `below`."""
    known = {status for counts in jobs.values() for status in counts}
    statuses = (*(status for status in STATUSES if status in known), *occurring(jobs.values(), STATUSES))
    names = sorted(jobs, key=lambda name: (name != "all", name == "other", natural(name)))
    return Table(
        caption=caption,
        heading=heading,
        at=at,
        columns=tuple(Column(words(status), f"{below}.$.{status}") for status in statuses),
        rows=tuple(
            row_of(
                "All" if name == "all" else name,
                jobs[name],
                statuses,
                health.view,
                {"held": health.tone("held_pct", held_share(jobs[name]))},
                key=name,
            )
            for name in names
        ),
    )


def reason_of(code: str) -> str:
    """`34 JobOutOfResources: used more memory ...`, or the number alone where it is not known."""
    number = int(code) if code.isdecimal() else -1
    name = REASONS.get(number, "")
    meaning = _MEANINGS.get(number, "")
    return f"{code} {name}{': ' if meaning else ''}{meaning}".strip()


def held_table(grid: Grid, view: SnapshotView) -> Table:
    """Jobs by reason, the most first."""
    counts = grid.held
    codes: Sequence[str] = sorted(counts, key=lambda code: (-(counts[code].value or 0), code))
    return Table(
        "Held jobs",
        "Reason",
        (Column("Jobs", below("held", code="$")),),
        tuple(row_of(reason_of(code), {"jobs": counts[code]}, ("jobs",), view, key=code) for code in codes),
        f"grids.{grid.name}",
    )
