"""Results are found by the hash of their picture's file, which each has from the first schema on."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    is_read = sa.text("smiles IS NOT NULL")
    op.create_index(
        "results_by_picture",
        "results",
        ["batch_id", "sha256"],
        postgresql_where=is_read,
        sqlite_where=is_read,
    )
