"""The tables of what is asked of batches from outside, of the same database as schema.py's."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Double, Index, Integer, Table, Text, UniqueConstraint, text

from worker.queue.schema import Id, metadata

WISHES_SINCE = "0008"  # the schema that has all of this

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
