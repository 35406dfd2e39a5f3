"""Machines: their rows, groups, operators' wishes, and the lease of the one manager."""

import sqlalchemy as sa
from alembic import op

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "machines",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text()),
        sa.Column("size", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("asked_by", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("kept", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("spot", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("price_per_hour", sa.Double(), nullable=False, server_default=sa.text("0")),
        sa.Column("images_done", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("busy_s", sa.Double(), nullable=False, server_default=sa.text("0")),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("joined_at", sa.Double()),
        sa.Column("leave_at", sa.Double()),
        sa.Column("missing_at", sa.Double()),
        sa.Column("gone_at", sa.Double()),
    )
    op.create_index("machines_by_state", "machines", ["state"])
    op.create_index("machines_by_group", "machines", ["group_name", "created_at"])
    op.create_table(
        "machine_groups",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("least", sa.Integer()),
        sa.Column("most", sa.Integer()),
        sa.Column("young_deaths", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("retry_at", sa.Double(), nullable=False, server_default=sa.text("0")),
        sa.Column("stopped", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("fault", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("wanted", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("reason", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("text", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("figures", sa.JSON(), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("memory", sa.JSON(), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("decided_at", sa.Double()),
    )
    op.create_table(
        "machine_wishes",
        sa.Column("id", Id, primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("group_name", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("machine", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("details", sa.JSON(), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.Column("done_at", sa.Double()),
        sa.Column("outcome", sa.Text(), nullable=False, server_default=sa.text("''")),
    )
    op.create_index("machine_wishes_open", "machine_wishes", ["done_at", "id"])
    op.create_table(
        "manager_lease",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
    )
