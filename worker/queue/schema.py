"""The tables, the same in SQLite and PostgreSQL. A change here needs a migration beside the others in
`migrations/`.

Times are seconds since the epoch by the database's clock. A chunk without a deadline is due at NO_DEADLINE,
so that one index gives the order of claims on both databases.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    select,
    text,
)

REVISION = "0009"  # of the newest migration
READABLE_SINCE = "0001"  # migrations since then only add what `statistics` does not read, or asks for
MACHINES_SINCE = "0003"  # machines and their groups have all that is read of them
CONFIDENCE_SINCE = "0004"  # results have columns of confidence and notes
PAGES_SINCE = "0005"  # images may be pages of a file
HOLD_SINCE = "0006"  # the whole fleet may be held
PICTURES_SINCE = "0007"  # results are found by the hash of their picture's file
WISHES_SINCE = "0008"  # batches are asked for from outside
VERSIONS_SINCE = "0009"  # hosts say what they run
NO_DEADLINE = 253_402_300_800.0  # the year 10000

PENDING, ACTIVE, DONE, FAILED, CANCELLED = STATES = ("pending", "active", "done", "failed", "cancelled")
UNFINISHED = (PENDING, ACTIVE)
ENDED = (DONE, FAILED, CANCELLED)

metadata = MetaData()
Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only an INTEGER primary key


def partial_index(name: str, condition: str, *columns: ColumnElement[Any]) -> Index:
    """Of the rows that meet a condition; queries find it by the condition's own words."""
    return Index(name, *columns, postgresql_where=text(condition), sqlite_where=text(condition))


batches = Table(
    "batches",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("deadline", Double),
    Column("model", Text),
    # Chunks added later are paused too
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", Double, nullable=False),
    Column("memory_mb", BigInteger),  # of 10^6 bytes, that one worker on it takes; None: as learned
    Column("cpus", Double),
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("batch_id", Id, ForeignKey("batches.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("directory", Text, nullable=False),
    Column("part", Integer, nullable=False),  # of the directory, from 0
    Column("model", Text),  # the batch's
    Column("state", Text, nullable=False),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    Column("priority", SmallInteger, nullable=False),  # as asked for
    # the same, raised as the deadline nears: claims go by it
    Column("urgency", SmallInteger, key="effective_priority", nullable=False),
    Column("due", Double, nullable=False),  # the deadline, or NO_DEADLINE
    Column("missed", Boolean, nullable=False, server_default=text("false")),
    Column("not_before", Double, nullable=False, server_default=text("0")),  # backoff
    Column("token", Integer, nullable=False, server_default=text("0")),  # counted up by each claim
    # In a row, without a result stored between
    Column("faults", Integer, nullable=False, server_default=text("0")),
    Column("lease_until", Double),
    Column("worker", Text),
    Column("host", Text),
    Column("engine", Text),
    Column("images_total", Integer, nullable=False),
    Column("images_done", Integer, nullable=False, server_default=text("0")),  # with a result, also an error
    Column("images_failed", Integer, nullable=False, server_default=text("0")),  # of them with an error
    Column("cpu_s", Double, nullable=False, server_default=text("0")),  # of all attempts
    Column("wall_s", Double, nullable=False, server_default=text("0")),
    Column("peak_memory_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("file", Text),  # the stored file that counts
    Column("error", Text),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("memory_mb", BigInteger),  # the batch's
    Column("cpus", Double),
    # Of its images, those that may be files of several pages by their names
    Column("documents", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("batch_id", "directory", "part"),
    postgresql_with={"fillfactor": 70},  # renewals and progress are updated in place
    sqlite_autoincrement=True,  # no id twice: result files are put under it
)
partial_index(
    "chunks_to_claim",
    "state = 'pending' AND NOT paused",
    chunks.c.effective_priority.desc(),
    chunks.c.due,
    chunks.c.id,
)
partial_index("chunks_active", "state = 'active'", chunks.c.id)
# There must be none by state alone: SQLite would claim by it, and sort
partial_index("chunks_by_deadline", "NOT missed", chunks.c.due)

attempts = Table(
    "attempts",
    metadata,
    Column("chunk_id", Id, ForeignKey("chunks.id", ondelete="CASCADE"), primary_key=True),
    Column("token", Integer, primary_key=True),
    Column("worker", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("engine", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("claimed_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("outcome", Text),  # done | released | failed | crashed | expired | cancelled
    Column("error", Text),
    Column("cpu_s", Double),
    Column("wall_s", Double),
    Column("peak_memory_bytes", BigInteger),
    sqlite_with_rowid=False,
)
Index("attempts_by_end", attempts.c.ended_at)

images = Table(
    "images",
    metadata,
    Column("chunk_id", Id, ForeignKey("chunks.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    # was in flight when a worker crashed: tried alone
    Column("suspect", Boolean, key="quarantined", nullable=False, server_default=text("false")),
    Column("crashes", SmallInteger, nullable=False, server_default=text("0")),  # of workers that had it alone
    Column("page", Integer),  # from 1 on; None: of a file with one, or that nobody has looked into
    sqlite_with_rowid=False,
)

results = Table(
    "results",
    metadata,
    Column("chunk_id", Id, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("token", Integer, nullable=False),  # of the attempt, which knows engine and model
    Column("smiles", Text),
    Column("tokens", Text, nullable=False),  # a JSON list
    Column("confidences", LargeBinary, nullable=False),  # single precision, little-endian
    Column("truncated", Boolean, nullable=False),
    Column("error", Text),
    Column("precision", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("stored_at", Double, nullable=False),
    # Of what is above, for filters and order. Without a batch: stored by a program that did not know them
    Column("batch_id", Id),
    Column("least_confidence", Double),
    Column("mean_confidence", Double),
    Column("notes", Text),  # a JSON object: name to evidence
    sqlite_with_rowid=False,
)

partial_index(
    "results_by_confidence",
    "least_confidence IS NOT NULL",
    results.c.batch_id,
    results.c.least_confidence,
    results.c.chunk_id,
    results.c.number,
)
partial_index(
    "results_by_picture",
    "smiles IS NOT NULL",
    results.c.batch_id,
    results.c.sha256,
)
partial_index("results_to_fill", "batch_id IS NULL", results.c.chunk_id)
partial_index("results_failed", "error IS NOT NULL", results.c.chunk_id)

events = Table(
    "events",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Double, nullable=False),
    Column("kind", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("worker", Text, nullable=False),
    Column("chunk_id", Id),
)
Index("events_by_time", events.c.at)

hosts = Table(
    "hosts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("seen_at", Double, nullable=False),
    Column("environment", Text, nullable=False),
    Column("workers", Integer, nullable=False),
    Column("loading", Integer, nullable=False),
    Column("cpu_pct", Double, nullable=False),
    Column("memory_pct", Double, nullable=False),
    Column("temp_bytes", BigInteger, nullable=False),
    Column("figures", JSON, nullable=False),
    Column("workers_detail", JSON, nullable=False),
    # Of the software that its supervisor runs; "": of before 0009, which does not say
    Column("version", Text, nullable=False, server_default=text("''")),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("host", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("admitted", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("figures", JSON, nullable=False),  # of the newest
    Column("times", Integer, nullable=False),  # in a row
    Column("first_at", Double, nullable=False),
    Column("last_at", Double, nullable=False),
)
Index("decisions_by_host", decisions.c.host, decisions.c.subject, decisions.c.id)
Index("decisions_by_time", decisions.c.last_at)

samples = Table(  # progress of the whole queue, for rates
    "samples",
    metadata,
    Column("at", Double, primary_key=True),
    Column("images_done", BigInteger, nullable=False),
    Column("chunks_done", BigInteger, nullable=False),
)

fleet_hold = Table(  # one row while the whole fleet is held
    "fleet_hold",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("since", Double, nullable=False),
    Column("held_by", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=text("''")),
)

machines = Table(  # made, or to be made, in a cloud; a host has the name of its machine
    "machines",
    metadata,
    Column("name", Text, primary_key=True),
    Column("group_name", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("provider_id", Text),  # None: the cloud has not said yet
    Column("size", Text, nullable=False),
    Column("state", Text, nullable=False),  # wished | booting | running | draining | deleting | gone
    Column("reason", Text, nullable=False),  # of its state, a sentence
    Column("fault", Text, nullable=False, server_default=text("''")),  # in the cloud's words
    Column("asked_by", Text, nullable=False, server_default=text("''")),  # "": the rule
    Column("kept", Boolean, nullable=False, server_default=text("false")),  # not the rule's to end
    Column("spot", Boolean, nullable=False, server_default=text("false")),
    Column("price_per_hour", Double, nullable=False, server_default=text("0")),
    Column("images_done", BigInteger, nullable=False, server_default=text("0")),
    Column("busy_s", Double, nullable=False, server_default=text("0")),  # in which it had a chunk
    Column("created_at", Double, nullable=False),
    Column("joined_at", Double),  # its supervisor's first report
    Column("leave_at", Double),  # told to leave
    Column("missing_at", Double),  # not in the cloud's list since
    Column("gone_at", Double),
    Column("cloud_size", Text, nullable=False, server_default=text("''")),  # what the cloud calls it
    Column("cores", Double, nullable=False, server_default=text("0")),  # 0, as below: not known
    Column("memory_gb", Double, nullable=False, server_default=text("0")),
    Column("storage_gb", Double, nullable=False, server_default=text("0")),
    Column("bandwidth_mbps", Double, nullable=False, server_default=text("0")),
    Column("gpus", Double, nullable=False, server_default=text("0")),
)
Index("machines_by_state", machines.c.state)
Index("machines_by_group", machines.c.group_name, machines.c.created_at)

machine_groups = Table(
    "machine_groups",
    metadata,
    Column("name", Text, primary_key=True),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    Column("least", Integer),  # in place of the configuration's
    Column("most", Integer),
    Column("young_deaths", Integer, nullable=False, server_default=text("0")),  # in a row
    Column("retry_at", Double, nullable=False, server_default=text("0")),  # no machine is made before
    Column("stopped", Text, nullable=False, server_default=text("''")),  # why, until an operator resumes it
    Column("fault", Text, nullable=False, server_default=text("''")),  # the last one, in the cloud's words
    Column("wanted", Integer, nullable=False, server_default=text("0")),
    Column("reason", Text, nullable=False, server_default=text("''")),
    Column("text", Text, nullable=False, server_default=text("''")),
    Column("figures", JSON, nullable=False, server_default=text("'{}'")),
    Column("memory", JSON, nullable=False, server_default=text("'{}'")),  # of the rule
    Column("decided_at", Double),
    Column("offers", JSON, nullable=False, server_default=text("'[]'")),  # its places, as machines.Offer
)

machine_wishes = Table(  # of operators, for the manager to fulfil
    "machine_wishes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Text, nullable=False),  # create | delete | pause | resume | limits
    Column("group_name", Text, nullable=False, server_default=text("''")),
    Column("machine", Text, nullable=False, server_default=text("''")),
    Column("details", JSON, nullable=False, server_default=text("'{}'")),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", Double, nullable=False),
    Column("done_at", Double),
    Column("outcome", Text, nullable=False, server_default=text("''")),
)
Index("machine_wishes_open", machine_wishes.c.done_at, machine_wishes.c.id)

manager_lease = Table(  # one row: who manages the machines
    "manager_lease",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("holder", Text, nullable=False),
    Column("token", Integer, nullable=False),  # counted up by each that takes it
    Column("lease_until", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
)

batch_wishes = Table(  # for a supervisor to carry out
    "batch_wishes",
    metadata,
    Column("id", Id, primary_key=True),
    # What whoever asks may write
    Column("kind", Text, nullable=False),  # submit | pause | resume | cancel | retry | deadline
    Column("batch", Text, nullable=False),  # its name
    Column("details", JSON, nullable=False, server_default=text("'{}'")),
    Column("asked_by", Text, nullable=False),
    Column("request_key", Text),  # chosen by who asks: asked again with it, nothing is done twice
    Column("asked_at", Double, nullable=False),
    # What supervisors write
    Column("batch_id", Id),  # of the batch that a submission has made
    Column("holder", Text, nullable=False, server_default=text("''")),  # host that submits it
    Column("token", Integer, nullable=False, server_default=text("0")),  # counted up by each that takes it
    Column("lease_until", Double, nullable=False, server_default=text("0")),
    Column("not_before", Double, nullable=False, server_default=text("0")),  # backoff
    Column("faults", Integer, nullable=False, server_default=text("0")),
    Column("progress", Text, nullable=False, server_default=text("''")),  # or the last fault
    Column("done_at", Double),
    Column("outcome", Text, nullable=False, server_default=text("''")),
    UniqueConstraint("asked_by", "request_key"),
    sqlite_autoincrement=True,  # no number twice: audits name it
)
Index("batch_wishes_open", batch_wishes.c.done_at, batch_wishes.c.id)

submit_sources = Table(  # one row a supervisor that carries out wishes
    "submit_sources",
    metadata,
    Column("host", Text, primary_key=True),
    Column("prefixes", JSON, nullable=False),  # what may be submitted there; none: nothing
    Column("seen_at", Double, nullable=False),
)


def batch_id_of(connection: Connection, name: str) -> int | None:
    """None where there is no batch of that name."""
    return connection.execute(select(batches.c.id).where(batches.c.name == name)).scalar_one_or_none()
