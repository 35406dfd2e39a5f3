"""How a run's tests are dealt out to its processes: by file, those that share something dear together.

pytest-xdist's own marker for this, xdist_group, is without effect under pytest 9.
"""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

TOGETHER = {
    "tests/browser/": "the browser tests' deployment",
    "tests/collector/sources/htcondor/": "the HTCondor pool",
    "tests/worker/condor/": "the HTCondor pool",
    "tests/acceptance/test_inventory.py": "the HTCondor pool",
}


def unit_of(test: str) -> str:
    """What a test is dealt out with, by its name: its file, or what several files share."""
    file = test.split("::")[0]
    return next((shared for place, shared in TOGETHER.items() if file.startswith(place)), file)


class Together(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
