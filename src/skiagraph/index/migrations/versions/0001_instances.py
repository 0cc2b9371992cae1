"""Studies, Series and Instances."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# What SQLite's planner is told about a large archive: rows of the table, then rows for each value of the first column
# of the index, of the first two, … Fixed, so that plans are the same in every archive and in the tests.
_STATISTICS = {
    ("studies", "sqlite_autoindex_studies_1"): "100000 1",
    ("studies", "studies_order"): "100000 2 1",
    ("studies", "studies_patient_id"): "100000 4",
    ("studies", "studies_accession_number"): "100000 2",
    ("studies", "studies_study_id"): "100000 10",
    ("studies", "studies_patient_name_alphabetic"): "100000 4",
    ("studies", "studies_patient_name_ideographic"): "100000 4",
    ("studies", "studies_patient_name_phonetic"): "100000 4",
    ("studies", "studies_referring_physician_name_alphabetic"): "100000 300",
    ("studies", "studies_irregular"): "100 100",
    ("series", "series_uid"): "500000 1 1",
    ("series", "series_order"): "500000 5 1 1",
    ("series", "series_modality"): "500000 5000 2",
    ("series", "series_performed"): "500000 3",
    ("series", "series_irregular"): "100 100",
    ("instances", "sqlite_autoindex_instances_1"): "20000000 1",
    ("instances", "sqlite_autoindex_instances_2"): "20000000 1",
    ("instances", "instances_order"): "20000000 40 1 1",
    ("instances", "instances_sop_class_uid"): "20000000 4000 40",
    ("instances", "instances_irregular"): "100 100",
}
_TABLES = ("deleted", "totals", "frames", "document_parts", "documents", "instances", "series", "studies")


def upgrade() -> None:
    op.create_table(
        "studies",
        sa.Column("id", _id, primary_key=True),
        sa.Column("study_instance_uid", sa.Text, nullable=False, unique=True),
        sa.Column("recency", sa.BigInteger, nullable=False),
        sa.Column("accession_number", sa.Text),
        sa.Column("study_id", sa.Text),
        sa.Column("patient_id", sa.Text),
        sa.Column("study_description", sa.Text),
        sa.Column("patient_birth_date", sa.BigInteger),
        sa.Column("patient_sex", sa.Text),
        sa.Column("patient_name_alphabetic", sa.Text),
        sa.Column("patient_name_ideographic", sa.Text),
        sa.Column("patient_name_phonetic", sa.Text),
        sa.Column("referring_physician_name_alphabetic", sa.Text),
        sa.Column("referring_physician_name_ideographic", sa.Text),
        sa.Column("referring_physician_name_phonetic", sa.Text),
        sa.Column("irregular", sa.Integer, nullable=False),
        sa.Column("modalities", sa.Text, nullable=False),
        sa.Column("sop_classes", sa.Text, nullable=False),
        sa.Column("number_of_series", sa.Integer, nullable=False),
        sa.Column("number_of_instances", sa.Integer, nullable=False),
        sa.Column("version", sa.LargeBinary, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("sources", sa.Text),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("attributes", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("studies_order", "studies", ["recency", "study_instance_uid"])
    for name in (
        "patient_id",
        "accession_number",
        "study_id",
        "patient_name_alphabetic",
        "patient_name_ideographic",
        "patient_name_phonetic",
        "referring_physician_name_alphabetic",
    ):
        op.create_index(f"studies_{name}", "studies", [name])
    op.create_index("studies_irregular", "studies", ["irregular"], sqlite_where=sa.text("irregular = 1"))
    op.create_table(
        "series",
        sa.Column("id", _id, primary_key=True),
        sa.Column("study", _id, sa.ForeignKey("studies.id"), nullable=False),
        sa.Column("study_instance_uid", sa.Text, nullable=False),
        sa.Column("series_instance_uid", sa.Text, nullable=False),
        sa.Column("series_number", sa.BigInteger, nullable=False),
        sa.Column("modality", sa.Text),
        sa.Column("series_description", sa.Text),
        sa.Column("performed", sa.BigInteger),
        sa.Column("irregular", sa.Integer, nullable=False),
        sa.Column("sop_classes", sa.Text, nullable=False),
        sa.Column("number_of_instances", sa.Integer, nullable=False),
        sa.Column("version", sa.LargeBinary, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("sources", sa.Text),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("attributes", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("series_uid", "series", ["series_instance_uid", "study_instance_uid"], unique=True)
    op.create_index("series_order", "series", ["study", "series_number", "series_instance_uid"], unique=True)
    op.create_index("series_modality", "series", ["modality", "study"])
    op.create_index("series_performed", "series", ["performed"])
    op.create_index("series_irregular", "series", ["irregular"], sqlite_where=sa.text("irregular = 1"))
    op.create_table(
        "instances",
        sa.Column("id", _id, primary_key=True),
        sa.Column("series", _id, sa.ForeignKey("series.id"), nullable=False),
        sa.Column("sop_instance_uid", sa.Text, nullable=False, unique=True),
        sa.Column("sop_class_uid", sa.Text, nullable=False),
        sa.Column("instance_number", sa.BigInteger, nullable=False),
        sa.Column("irregular", sa.Integer, nullable=False),
        sa.Column("transfer_syntax_uid", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("dataset_offset", sa.BigInteger, nullable=False),
        sa.Column("has_preamble", sa.Integer, nullable=False),
        sa.Column("prefix_digest", sa.LargeBinary, nullable=False),
        sa.Column("dataset_digest", sa.LargeBinary, nullable=False),
        sa.Column("frames", sa.BigInteger, nullable=False),
        sa.Column("pixel_tag", sa.Text, nullable=False),
        sa.Column("pixel_vr", sa.Text, nullable=False),
        sa.Column("pixel_offset", sa.BigInteger, nullable=False),
        sa.Column("pixel_length", sa.BigInteger, nullable=False),
        sa.Column("encapsulated", sa.Integer, nullable=False),
        sa.Column("video", sa.Integer, nullable=False),
        sa.Column("frame_bits", sa.BigInteger, nullable=False),
        sa.Column("pixel_problem", sa.Text),
        sa.Column("stored_at", sa.Float, nullable=False),
        sa.Column("study_digest", sa.BigInteger, nullable=False),
        sa.Column("series_digest", sa.BigInteger, nullable=False),
        sa.Column("document_size", sa.BigInteger, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("instances_order", "instances", ["series", "instance_number", "sop_instance_uid"])
    op.create_index("instances_sop_class_uid", "instances", ["sop_class_uid", "series"])
    op.create_index("instances_irregular", "instances", ["irregular"], sqlite_where=sa.text("irregular = 1"))
    op.create_table(
        "documents",
        sa.Column("instance", _id, sa.ForeignKey("instances.id"), primary_key=True, autoincrement=False),
        sa.Column("parts", sa.Integer, nullable=False),
        sa.Column("bulkdata", sa.LargeBinary),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "document_parts",
        sa.Column("instance", _id, sa.ForeignKey("instances.id"), primary_key=True, autoincrement=False),
        sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "frames",
        sa.Column("instance", _id, sa.ForeignKey("instances.id"), primary_key=True, autoincrement=False),
        sa.Column("block", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("spans", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "deleted",
        sa.Column("study_instance_uid", sa.Text, primary_key=True),
        sa.Column("series_instance_uid", sa.Text, primary_key=True),
        sa.Column("sop_instance_uid", sa.Text, primary_key=True),
        sa.Column("deleted_at", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    totals = op.create_table(
        "totals",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("studies", sa.BigInteger, nullable=False),
        sa.Column("series", sa.BigInteger, nullable=False),
        sa.Column("instances", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(totals, [{"id": 1, "studies": 0, "series": 0, "instances": 0, "deleted": 0}])
    if op.get_bind().dialect.name == "sqlite":
        op.execute("ANALYZE sqlite_master")  # makes the table of statistics
        for (table_name, index), statistics in _STATISTICS.items():
            op.execute(
                sa.text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:table, :index, :statistics)").bindparams(
                    table=table_name, index=index, statistics=statistics
                )
            )


def downgrade() -> None:
    for name in _TABLES:
        op.drop_table(name)
