"""Records (Workitems and their like), subscriptions, event reports, and the change feed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_TABLES = (
    "changes",
    "reports",
    "events",
    "subscribers",
    "step_subscriptions",
    "global_subscriptions",
    "deleted_records",
    "record_totals",
    "record_keys",
    "records",
)


def upgrade() -> None:
    op.create_table(
        "records",
        sa.Column("id", _id, primary_key=True),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("uid", sa.Text, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("attributes", sa.LargeBinary, nullable=False),
        sa.Column("private", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("modified_at", sa.Float, nullable=False),
        sa.Column("due_at", sa.Float),
        sqlite_autoincrement=True,
    )
    op.create_index("records_uid", "records", ["kind", "uid"], unique=True)
    op.create_index("records_order", "records", ["kind", "position", "id"])
    op.create_index("records_due", "records", ["due_at"], sqlite_where=sa.text("due_at IS NOT NULL"))
    op.create_table(
        "record_keys",
        sa.Column("key", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.Text, primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("record", _id, sa.ForeignKey("records.id"), primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "record_totals",
        sa.Column("key", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "deleted_records",
        sa.Column("kind", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("uid", sa.Text, primary_key=True),
        sa.Column("deleted_at", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "global_subscriptions",
        sa.Column("id", _id, primary_key=True),
        sa.Column("ae_title", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("deletion_lock", sa.Integer, nullable=False),
        sa.Column("filter", sa.Text, nullable=False),
        sa.Column("last", _id),
        sa.Column("subscribed_at", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("global_subscriptions_ae_title", "global_subscriptions", ["ae_title"])
    op.create_table(
        "step_subscriptions",
        sa.Column("record", _id, sa.ForeignKey("records.id"), primary_key=True, autoincrement=False),
        sa.Column("ae_title", sa.Text, primary_key=True),
        sa.Column("state", sa.Integer, nullable=False),
        sa.Column("subscribed_at", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("step_subscriptions_ae_title", "step_subscriptions", ["ae_title"])
    op.create_table(
        "subscribers",
        sa.Column("ae_title", sa.Text, primary_key=True),
        sa.Column("acknowledged", sa.BigInteger, nullable=False),
        sa.Column("dropped", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "events",
        sa.Column("id", _id, primary_key=True),
        sa.Column("report", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("events_created_at", "events", ["created_at"])
    op.create_table(
        "reports",
        sa.Column("id", _id, primary_key=True),
        sa.Column("ae_title", sa.Text, nullable=False),
        sa.Column("event", _id, sa.ForeignKey("events.id"), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("reports_ae_title", "reports", ["ae_title", "id"])
    op.create_index("reports_event", "reports", ["event"])
    op.create_table(
        "changes",
        sa.Column("id", _id, primary_key=True),
        sa.Column("action", sa.Integer, nullable=False),
        sa.Column("study_instance_uid", sa.Text, nullable=False),
        sa.Column("series_instance_uid", sa.Text, nullable=False),
        sa.Column("sop_instance_uid", sa.Text, nullable=False),
        sa.Column("sop_class_uid", sa.Text, nullable=False),
        sa.Column("changed_at", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    # An archive that was there before has its Instances in the feed, in the order in which they came.
    op.execute(
        "INSERT INTO changes (action, study_instance_uid, series_instance_uid, sop_instance_uid, sop_class_uid,"
        " changed_at) SELECT 1, s.study_instance_uid, s.series_instance_uid, i.sop_instance_uid, i.sop_class_uid,"
        " i.stored_at FROM instances i JOIN series s ON s.id = i.series ORDER BY i.stored_at, i.id"
    )


def downgrade() -> None:
    for name in _TABLES:
        op.drop_table(name)
