"""Lists of single VMs and jobs, as collectors send them and the page takes and shows them: how much one
holds, and what counts as trouble, by which they are cut, ordered, filtered and coloured (pure).
"""

from __future__ import annotations

LIST_VERSION = 1  # of its JSON
LIST_BYTES_MAX = 4 << 20  # unpacked
LISTED_MAX = 20_000  # VMs, and jobs
YEAR_2100_S = 4_102_444_800  # later times are milliseconds, or somebody's joke

ERROR, HELD = "error", "held"  # statuses of a VM and of a job
LOST = "lost"  # a VM that HTCondor knows, and the cloud scheduler does not
UNREGISTERED = "unreg"  # a VM that runs, and that HTCondor does not know: a state beside its status
IN_TROUBLE = frozenset({ERROR, LOST, HELD})  # statuses that are trouble by themselves
STATES_IN_TROUBLE = IN_TROUBLE | {UNREGISTERED}
_UNKNOWN = "unknown"  # what the cloud scheduler calls so: it may be anything


def is_unregistered(status: str, registered: bool | None) -> bool:
    """`registered` is None where HTCondor was not asked, or did not say."""
    return status == "running" and registered is False


def vm_rank(status: str, registered: bool | None) -> int:
    """The order of VMs in a list that may be cut: those in trouble, or that may be, come first."""
    if status in IN_TROUBLE or status == _UNKNOWN:
        return 0
    return 1 if is_unregistered(status, registered) else 2
