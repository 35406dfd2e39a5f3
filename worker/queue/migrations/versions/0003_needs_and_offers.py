"""What a batch needs of its workers as its operator stated; what a machine is, and what a group can have."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for table in ("batches", "chunks"):
        op.add_column(table, sa.Column("memory_mb", sa.BigInteger()))
        op.add_column(table, sa.Column("cpus", sa.Double()))
    op.add_column("machines", _text("cloud_size"))
    for name in ("cores", "memory_gb", "storage_gb", "bandwidth_mbps", "gpus"):
        op.add_column("machines", sa.Column(name, sa.Double(), nullable=False, server_default=sa.text("0")))
    offers = sa.Column("offers", sa.JSON(), nullable=False, server_default=sa.text("'[]'"))
    op.add_column("machine_groups", offers)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, server_default=sa.text("''"))
