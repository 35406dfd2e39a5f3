"""Results carry their least and mean confidence, their notes and their batch, for order and filters. Only
columns here: worker.queue.database.migrate fills them, in pieces.
"""

import sqlalchemy as sa
from alembic import op

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for column in (
        sa.Column("batch_id", Id),
        sa.Column("least_confidence", sa.Double()),
        sa.Column("mean_confidence", sa.Double()),
        sa.Column("notes", sa.Text()),
    ):
        op.add_column("results", column)
    known = sa.text("least_confidence IS NOT NULL")
    op.create_index(
        "results_by_confidence",
        "results",
        ["batch_id", "least_confidence", "chunk_id", "number"],
        postgresql_where=known,
        sqlite_where=known,
    )
    to_fill = sa.text("batch_id IS NULL")
    op.create_index(
        "results_to_fill", "results", ["chunk_id"], postgresql_where=to_fill, sqlite_where=to_fill
    )
