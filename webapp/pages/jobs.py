"""Jobs by type and status, as a grid's, a cloud's, a user's or a group's table. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from webapp.moment import Moment
from webapp.pages.cells import WARN
from webapp.pages.tables import Column, Table, natural, occurring, row_of, words
from webapp.tree import Counts

STATUSES = (
    "total",
    "idle",
    "running",
    "completed",
    "held",
)  # the others have a column when there are such jobs
TONES = {"held": WARN, "error": WARN}


def jobs_table(
    jobs: Mapping[str, Counts],
    moment: Moment,
    at: str,
    *,
    caption: str = "Jobs",
    heading: str = "Type",
    below: str = "jobs",
) -> Table:
    """Rows of `jobs`, `all` first; `at` is the path above `below`."""
    statuses = (*STATUSES, *occurring(jobs.values(), STATUSES))
    names = sorted(jobs, key=lambda name: (name != "all", name == "other", natural(name)))
    return Table(
        caption=caption,
        heading=heading,
        at=at,
        columns=tuple(Column(words(status), f"{below}.$.{status}") for status in statuses),
        rows=tuple(
            row_of("All" if name == "all" else name, jobs[name], statuses, moment, TONES, key=name)
            for name in names
        ),
    )
