"""The fleet's hosts and what was decided on them, as the queue's figures tell: read, never written."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, func, select

from worker.answers.confidence import DOUBTFUL_BELOW
from worker.queue.schema import VERSIONS_SINCE, decisions, hosts
from worker.queue.statistics.figures import SILENT_S, DecisionFigures, HostFigures


def read_hosts(connection: Connection, now: float, revision: str) -> tuple[HostFigures, ...]:
    says_version = revision >= VERSIONS_SINCE
    columns = [column for column in hosts.c if says_version or column is not hosts.c.version]
    last_ids = select(func.max(decisions.c.id)).group_by(decisions.c.host, decisions.c.subject)
    query = select(decisions).where(decisions.c.id.in_(last_ids)).order_by(decisions.c.last_at.desc())
    last = [decision_of(row) for row in connection.execute(query)]
    return tuple(
        HostFigures(
            name=row.name,
            seen_at=row.seen_at,
            alive=row.seen_at >= now - SILENT_S,
            environment=row.environment,
            workers=row.workers,
            loading=row.loading,
            cpu_pct=row.cpu_pct,
            memory_pct=row.memory_pct,
            temp_bytes=row.temp_bytes,
            figures=row.figures,
            workers_detail=tuple(row.workers_detail),
            decisions=tuple(decision for decision in last if decision.host == row.name),
            version=row.version if says_version else "",
        )
        for row in connection.execute(select(*columns).order_by(hosts.c.name))
    )


def read_doubtful_below(connection: Connection) -> float:
    """The least confidence under which an answer is doubtful, as the host that reported last has it set."""
    reports = connection.execute(select(hosts.c.figures).order_by(hosts.c.seen_at.desc())).scalars()
    said = (figures.get("doubtful_below") for figures in reports)
    return next((float(below) for below in said if isinstance(below, int | float)), DOUBTFUL_BELOW)


def decision_of(row: Row[Any]) -> DecisionFigures:
    return DecisionFigures(
        host=row.host,
        subject=row.subject,
        admitted=row.admitted,
        reason=row.reason,
        text=row.text,
        times=row.times,
        first_at=row.first_at,
        last_at=row.last_at,
        figures=row.figures,
    )
