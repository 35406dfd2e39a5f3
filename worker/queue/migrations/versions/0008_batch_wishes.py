"""What is asked of batches from outside, and which supervisors carry it out."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
EMPTY, ZERO = sa.text("''"), sa.text("0")


def upgrade() -> None:
    op.create_table(
        "batch_wishes",
        sa.Column("id", ID, primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("request_key", sa.Text()),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.Column("batch_id", ID),
        sa.Column("holder", sa.Text(), nullable=False, server_default=EMPTY),
        sa.Column("token", sa.Integer(), nullable=False, server_default=ZERO),
        sa.Column("lease_until", sa.Double(), nullable=False, server_default=ZERO),
        sa.Column("not_before", sa.Double(), nullable=False, server_default=ZERO),
        sa.Column("faults", sa.Integer(), nullable=False, server_default=ZERO),
        sa.Column("progress", sa.Text(), nullable=False, server_default=EMPTY),
        sa.Column("done_at", sa.Double()),
        sa.Column("outcome", sa.Text(), nullable=False, server_default=EMPTY),
        sa.UniqueConstraint("asked_by", "request_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("batch_wishes_open", "batch_wishes", ["done_at", "id"])
    op.create_table(
        "submit_sources",
        sa.Column("host", sa.Text(), primary_key=True),
        sa.Column("prefixes", sa.JSON(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
    )
