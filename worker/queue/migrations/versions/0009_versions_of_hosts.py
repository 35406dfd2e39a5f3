"""What each host runs: the version of its supervisor, which hosts of before do not say."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("hosts", sa.Column("version", sa.Text(), nullable=False, server_default=sa.text("''")))
