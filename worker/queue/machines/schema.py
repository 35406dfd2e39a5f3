"""The tables of machines, of the same database as schema.py's."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, Index, Integer, Table, Text, text

from worker.queue.schema import Id, metadata

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
