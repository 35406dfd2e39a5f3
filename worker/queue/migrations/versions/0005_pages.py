"""Pages of documents are images of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("images", sa.Column("page", sa.Integer()))
    op.add_column("chunks", sa.Column("documents", sa.Integer(), nullable=False, server_default=sa.text("0")))
