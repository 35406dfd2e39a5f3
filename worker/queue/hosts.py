"""What supervisors leave in the queue for people: their load, their gate's decisions, events."""

from __future__ import annotations

from sqlalchemy import Connection, and_, insert, select, update

from worker.queue.database.sql import db_now, insert_or_replace, storable
from worker.queue.model import DecisionNote, HostReport
from worker.queue.schema import decisions, events, hosts


def report_host(connection: Connection, report: HostReport) -> None:
    values = {
        "environment": report.environment,
        "workers": report.workers,
        "loading": report.loading,
        "cpu_pct": report.cpu_pct,
        "memory_pct": report.memory_pct,
        "temp_bytes": report.temp_bytes,
        "figures": dict(report.figures),
        "workers_detail": [dict(worker) for worker in report.workers_detail],
        "version": report.version,
    }
    statement = insert_or_replace(connection, hosts, ["seen_at", *values])
    connection.execute(statement.values(name=report.host, seen_at=db_now(), **values))


def note_decision(connection: Connection, decision: DecisionNote) -> None:
    """A decision like the host's last one on the subject is counted there."""
    last = connection.execute(
        select(decisions)
        .where(decisions.c.host == decision.host, decisions.c.subject == decision.subject)
        .order_by(decisions.c.id.desc())
        .limit(1)
    ).one_or_none()
    newest = {"text": decision.text, "figures": dict(decision.figures), "last_at": db_now()}
    if last is not None and (last.admitted, last.reason) == (decision.admitted, decision.reason):
        same = and_(decisions.c.id == last.id)
        connection.execute(update(decisions).where(same).values(times=decisions.c.times + 1, **newest))
        return
    key = {"host": decision.host, "subject": decision.subject}
    outcome = {"admitted": decision.admitted, "reason": decision.reason, "times": 1, "first_at": db_now()}
    connection.execute(insert(decisions).values(**key, **outcome, **newest))


def add_event(
    connection: Connection,
    kind: str,
    message: str,
    host: str | None = "",
    worker: str | None = "",
    chunk: int | None = None,
) -> None:
    values = {"kind": kind, "message": storable(message), "host": host or "", "worker": worker or ""}
    connection.execute(insert(events).values(at=db_now(), chunk_id=chunk, **values))
