"""What is PostgreSQL's own: how a connection is set up, directly or through a pool (PgBouncer), and what the
server's error codes mean for whoever waits.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from worker.queue.model import QueueRefused

CONNECT_OPTIONS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # ms until unanswered bytes end the connection
    "application_name": "cloud-monitor worker",
    "client_encoding": "UTF8",
}
# Of the session; behind a pool in transaction mode, which keeps none, each transaction's
SESSION = {
    "statement_timeout": "60s",
    "lock_timeout": "20s",
    "idle_in_transaction_session_timeout": "60s",
    "enable_bitmapscan": "off",  # before its first ANALYZE a full queue would be sorted for each claim
    "jit": "off",
}
POOLED = "pooled"  # key of a connection's notes: a pool is between it and the server
NO_PREPARED = "prepare_threshold"  # an option of the URL that is the driver's, not libpq's

# What a server says when it is not, or no longer, the one to write to: a standby after a switchover (25006),
# one that ends, crashed or starts (57P0x), one that ended an idle transaction (25P03); a pool
# without a server (class 08). The connection goes, and whoever has the name by then is asked.
OUTAGES = ("25006", "57P01", "57P02", "57P03", "57P05", "25P03", "08")
REFUSALS = {
    "42501": "grant this role what it lacks (USAGE and CREATE on the schema, or membership in the role that "
    "owns the tables)",
    "22P05": "the database cannot hold all texts: make it with ENCODING 'UTF8' TEMPLATE template0",
}


def sqlstate_of(error: Exception) -> str:
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def is_outage(error: Exception) -> bool:
    return sqlstate_of(error).startswith(OUTAGES)


def explain_refusal(error: Exception) -> str | None:
    """What to do about what the server will refuse again; None where it is no such thing."""
    return REFUSALS.get(sqlstate_of(error))


def refuse_unknown_options(url: URL) -> None:
    import psycopg  # who has SQLite need not wait for it

    names = dict.fromkeys(name for name in url.query if name != NO_PREPARED)
    try:
        psycopg.conninfo.make_conninfo(**dict.fromkeys(names, ""))
    except psycopg.ProgrammingError as error:
        raise QueueRefused(f"WORKER_DATABASE_URL: {error}") from None
    if url.query.get(NO_PREPARED, "0") != "0":
        raise QueueRefused(f"WORKER_DATABASE_URL: {NO_PREPARED}: expected 0, for a pool such as PgBouncer")


def open_postgresql(url: URL, read_only: bool) -> Engine:
    """A pool in between is found by the server process's number, which such a pool cannot know beforehand, or
    told by `?prepare_threshold=0`: then nothing is left in the session, and no statement prepared. Nothing is
    asked for at the start of a connection, where PgBouncer refuses it.
    """
    options = {key: value for key, value in CONNECT_OPTIONS.items() if key not in url.query}
    session = {} if "options" in url.query else dict(SESSION)
    is_told = NO_PREPARED in url.query
    url = url.difference_update_query([NO_PREPARED])
    if read_only:
        session["default_transaction_read_only"] = "on"
        engine = create_engine(url, connect_args=options, pool_size=2, isolation_level="REPEATABLE READ")
    else:
        engine = create_engine(url, connect_args=options, pool_size=2, max_overflow=4)

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, record: Any) -> None:
        as_it_was, connection.autocommit = connection.autocommit, True
        threshold, connection.prepare_threshold = connection.prepare_threshold, None
        pid = connection.execute("SELECT pg_backend_pid()").fetchone()[0]
        record.info[POOLED] = is_told or pid != connection.info.backend_pid
        if not record.info[POOLED]:
            connection.prepare_threshold = threshold
            connection.execute("; ".join(f"SET {name} = '{value}'" for name, value in session.items()) or ";")
        connection.autocommit = as_it_was

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.info.get(POOLED) and not is_automatic(connection):
            local = session | ({"transaction_read_only": "on"} if read_only else {})
            local.pop("default_transaction_read_only", None)
            connection.exec_driver_sql(
                "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in local.items()) or ";"
            )

    return engine


def is_automatic(connection: Connection) -> bool:
    """Each statement is a transaction."""
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
