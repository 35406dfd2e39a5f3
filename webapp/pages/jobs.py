"""Jobs by type and status, as a grid's, a cloud's, a user's or a group's table. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from webapp.model.health import Health
from webapp.model.judge import held_share
from webapp.model.tree import Counts
from webapp.pages.tables import Column, Table, natural, occurring, row_of, words

STATUSES = (
    "total",
    "idle",
    "running",
    "completed",
    "held",
)  # the others have a column when there are such jobs


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
