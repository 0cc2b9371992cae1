"""The tables of the index, as SQLAlchemy Core sees them.

A Study, a Series and an Instance are one row each. What is asked often stands in columns of its own, with the
index that serves it; everything else stays in `attributes` (Study and Series) or in the document of the Instance.

Orders are total and depend on content alone, so that an index that was rebuilt answers alike:
Studies newest first, Series of a Study and Instances of a Series by their number, all others by UID.
"""

from __future__ import annotations

import sqlalchemy as sa

REVISION = "0003"
"""The newest revision in `migrations`."""

NO_NUMBER = 2**63 - 1
"""In `series_number` and `instance_number`: there is none, or it is not a number. Sorts last."""

metadata = sa.MetaData()

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite numbers rows only under this very name

studies = sa.Table(
    "studies",
    metadata,
    sa.Column("id", _id, primary_key=True),
    sa.Column("study_instance_uid", sa.Text, nullable=False, unique=True),
    # Microseconds (as `standard.date_time` counts them), negative so that ascending is newest first; 0 without date.
    sa.Column("recency", sa.BigInteger, nullable=False),
    sa.Column("accession_number", sa.Text),
    sa.Column("study_id", sa.Text),
    sa.Column("patient_id", sa.Text),
    sa.Column("study_description", sa.Text),
    sa.Column("patient_birth_date", sa.BigInteger),
    sa.Column("patient_sex", sa.Text),
    # Component groups, normalised by `standard.person_name`.
    sa.Column("patient_name_alphabetic", sa.Text),
    sa.Column("patient_name_ideographic", sa.Text),
    sa.Column("patient_name_phonetic", sa.Text),
    sa.Column("referring_physician_name_alphabetic", sa.Text),
    sa.Column("referring_physician_name_ideographic", sa.Text),
    sa.Column("referring_physician_name_phonetic", sa.Text),
    # 1: a column above can not tell the whole truth (several values, unusual form); the reference predicate must.
    sa.Column("irregular", sa.Integer, nullable=False),
    sa.Column("modalities", sa.Text, nullable=False),  # JSON arrays, sorted
    sa.Column("sop_classes", sa.Text, nullable=False),
    sa.Column("number_of_series", sa.Integer, nullable=False),
    sa.Column("number_of_instances", sa.Integer, nullable=False),
    sa.Column("version", sa.LargeBinary, nullable=False),
    # Which Instance each attribute comes from (`fold`): the key of most of them, and the exceptions as JSON.
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("sources", sa.Text),
    sa.Column("answer", sa.LargeBinary, nullable=False),
    sa.Column("attributes", sa.LargeBinary, nullable=False),
    sa.Index("studies_order", "recency", "study_instance_uid"),
    sa.Index("studies_patient_id", "patient_id"),
    sa.Index("studies_accession_number", "accession_number"),
    sa.Index("studies_study_id", "study_id"),
    sa.Index("studies_patient_name_alphabetic", "patient_name_alphabetic"),
    sa.Index("studies_patient_name_ideographic", "patient_name_ideographic"),
    sa.Index("studies_patient_name_phonetic", "patient_name_phonetic"),
    sa.Index("studies_referring_physician_name_alphabetic", "referring_physician_name_alphabetic"),
    sa.Index("studies_irregular", "irregular", sqlite_where=sa.text("irregular = 1")),
    sqlite_autoincrement=True,  # a number is never used again: a reader may still hold it
)

series = sa.Table(
    "series",
    metadata,
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
    sa.Index("series_uid", "series_instance_uid", "study_instance_uid", unique=True),
    sa.Index("series_order", "study", "series_number", "series_instance_uid", unique=True),
    sa.Index("series_modality", "modality", "study"),
    sa.Index("series_performed", "performed"),
    sa.Index("series_irregular", "irregular", sqlite_where=sa.text("irregular = 1")),
    sqlite_autoincrement=True,  # a number is never used again: a reader may still hold it
)

instances = sa.Table(
    "instances",
    metadata,
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
    # Digests of what the Instance says about its Study and Series: alike ones need no second look (`fold`).
    sa.Column("study_digest", sa.BigInteger, nullable=False),
    sa.Column("series_digest", sa.BigInteger, nullable=False),
    sa.Column("document_size", sa.BigInteger, nullable=False),  # bytes, not compressed
    sa.Column("answer", sa.LargeBinary, nullable=False),
    sa.Column("committed_at", sa.Float),  # when Storage Commitment was given, seconds since the epoch
    sa.Index("instances_order", "series", "instance_number", "sop_instance_uid"),
    sa.Index("instances_sop_class_uid", "sop_class_uid", "series"),
    sa.Index("instances_irregular", "irregular", sqlite_where=sa.text("irregular = 1")),
    sqlite_autoincrement=True,  # a number is never used again: a reader may still hold it
)

documents = sa.Table(  # the metadata of an Instance, compressed; what is beyond the first part in document_parts
    "documents",
    metadata,
    sa.Column("instance", _id, sa.ForeignKey("instances.id"), primary_key=True, autoincrement=False),
    sa.Column("parts", sa.Integer, nullable=False),
    sa.Column("bulkdata", sa.LargeBinary),
    sa.Column("document", sa.LargeBinary, nullable=False),
)

document_parts = sa.Table(
    "document_parts",
    metadata,
    sa.Column("instance", _id, sa.ForeignKey("instances.id"), primary_key=True, autoincrement=False),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),  # from 1
    sa.Column("document", sa.LargeBinary, nullable=False),
)

frames = sa.Table(  # where the frames of encapsulated pixel data lie, many to a row
    "frames",
    metadata,
    sa.Column("instance", _id, sa.ForeignKey("instances.id"), primary_key=True, autoincrement=False),
    sa.Column("block", sa.Integer, primary_key=True, autoincrement=False),  # (frame - 1) // rows.FRAMES_PER_ROW
    sa.Column("spans", sa.LargeBinary, nullable=False),
)

deleted = sa.Table(  # what was there: 410 instead of 404
    "deleted",
    metadata,
    sa.Column("study_instance_uid", sa.Text, primary_key=True),
    sa.Column("series_instance_uid", sa.Text, primary_key=True),
    sa.Column("sop_instance_uid", sa.Text, primary_key=True),
    sa.Column("deleted_at", sa.Float, nullable=False),
    sqlite_with_rowid=False,
)

totals = sa.Table(  # one row: what would take long to count
    "totals",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("studies", sa.BigInteger, nullable=False),
    sa.Column("series", sa.BigInteger, nullable=False),
    sa.Column("instances", sa.BigInteger, nullable=False),
    sa.Column("deleted", sa.BigInteger, nullable=False),
)

# Data sets that are no Instances of a Study -----------------------------------------------------------------------

records = sa.Table(  # Workitems, worklist entries and their like, each kind by the UID that names it
    "records",
    metadata,
    sa.Column("id", _id, primary_key=True),
    sa.Column("kind", sa.Integer, nullable=False),  # `standard.kind.Kind.number`
    sa.Column("uid", sa.Text, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),  # microseconds: what the kind is ordered by
    sa.Column("version", sa.Integer, nullable=False),  # goes up with each change: the compare of compare-and-set
    sa.Column("attributes", sa.LargeBinary, nullable=False),  # DICOM JSON, compressed
    sa.Column("private", sa.Text, nullable=False),  # JSON that no answer shows: locks, performers
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("modified_at", sa.Float, nullable=False),
    sa.Column("due_at", sa.Float),  # when the server itself has something to do with it
    sa.Index("records_uid", "kind", "uid", unique=True),
    sa.Index("records_order", "kind", "position", "id"),
    sa.Index("records_due", "due_at", sqlite_where=sa.text("due_at IS NOT NULL")),
    sqlite_autoincrement=True,
)

record_keys = sa.Table(  # which records have a value in a match key, in the order of the answers
    "record_keys",
    metadata,
    sa.Column("key", sa.Integer, primary_key=True, autoincrement=False),  # `standard.kind.Kind.key`
    sa.Column("value", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("record", _id, sa.ForeignKey("records.id"), primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

record_totals = sa.Table(  # how many records there are: of a kind, a day, a value of few, and these with the pivot
    "record_totals",
    metadata,
    sa.Column("key", sa.Integer, primary_key=True, autoincrement=False),  # `Kind.totals`
    sa.Column("value", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

deleted_records = sa.Table(  # what was there: 410 instead of 404
    "deleted_records",
    metadata,
    sa.Column("kind", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("uid", sa.Text, primary_key=True),
    sa.Column("deleted_at", sa.Float, nullable=False),
    sqlite_with_rowid=False,
)

# Subscriptions and event reports ----------------------------------------------------------------------------------

global_subscriptions = sa.Table(  # of a subscriber to all Workitems up to `last`; open ones to those to come too
    "global_subscriptions",
    metadata,
    sa.Column("id", _id, primary_key=True),
    sa.Column("ae_title", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),  # well-known UID: global or filtered
    sa.Column("deletion_lock", sa.Integer, nullable=False),
    sa.Column("filter", sa.Text, nullable=False),  # query string; "" of the global one
    sa.Column("last", _id),  # NULL: open
    sa.Column("subscribed_at", sa.Float, nullable=False),
    sa.Index("global_subscriptions_ae_title", "ae_title"),
    sqlite_autoincrement=True,
)

step_subscriptions = sa.Table(  # to one Workitem; outranks the global ones
    "step_subscriptions",
    metadata,
    sa.Column("record", _id, sa.ForeignKey("records.id"), primary_key=True, autoincrement=False),
    sa.Column("ae_title", sa.Text, primary_key=True),
    sa.Column("state", sa.Integer, nullable=False),  # 0 not subscribed, 1 without deletion lock, 2 with
    sa.Column("subscribed_at", sa.Float, nullable=False),
    sa.Index("step_subscriptions_ae_title", "ae_title"),
    sqlite_with_rowid=False,
)

subscribers = sa.Table(  # up to where a subscriber has acknowledged its reports
    "subscribers",
    metadata,
    sa.Column("ae_title", sa.Text, primary_key=True),
    sa.Column("acknowledged", sa.BigInteger, nullable=False),
    sa.Column("dropped", sa.BigInteger, nullable=False),  # last report that was dropped unread, 0: none
    sqlite_with_rowid=False,
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", _id, primary_key=True),
    sa.Column("report", sa.LargeBinary, nullable=False),  # DICOM JSON without the Message ID
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Index("events_created_at", "created_at"),
    sqlite_autoincrement=True,
)

reports = sa.Table(  # an event that a subscriber has to hear of; its number orders all
    "reports",
    metadata,
    sa.Column("id", _id, primary_key=True),
    sa.Column("ae_title", sa.Text, nullable=False),
    sa.Column("event", _id, sa.ForeignKey("events.id"), nullable=False),
    sa.Index("reports_ae_title", "ae_title", "id"),
    sa.Index("reports_event", "event"),
    sqlite_autoincrement=True,
)

changes = sa.Table(  # what became of Instances, in order and without gaps: the change feed
    "changes",
    metadata,
    sa.Column("id", _id, primary_key=True),
    sa.Column("action", sa.Integer, nullable=False),  # 1 stored, 2 replaced, 3 deleted
    sa.Column("study_instance_uid", sa.Text, nullable=False),
    sa.Column("series_instance_uid", sa.Text, nullable=False),
    sa.Column("sop_instance_uid", sa.Text, nullable=False),
    sa.Column("sop_class_uid", sa.Text, nullable=False),
    sa.Column("changed_at", sa.Float, nullable=False),
    sqlite_autoincrement=True,  # a number is never used again
)
