"""When Instances were committed (Storage Commitment)."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("instances", sa.Column("committed_at", sa.Float))


def downgrade() -> None:
    op.drop_column("instances", "committed_at")
