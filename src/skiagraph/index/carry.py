"""What a new index takes over from an old one: everything that blobs do not tell.

Records, subscriptions, event reports and the change feed with all their numbers, and which Instances were committed.
Part by part: where the old index is damaged, what can be read is taken.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from skiagraph.index.base import ChangeAction
from skiagraph.index.connections import revision

_PARTS: dict[str, tuple[str, ...]] = {
    "records": ("records", "record_keys", "record_totals", "deleted_records"),
    "subscriptions": ("global_subscriptions", "step_subscriptions"),
    "event reports": ("subscribers", "events", "reports"),
    "change feed": ("changes",),
}
_BEFORE_RECORDS = "0001"  # the revision that had none of this

_COUNTS = {
    "records": "SELECT count(*) FROM records",
    "subscriptions": "SELECT (SELECT count(*) FROM global_subscriptions)"
    " + (SELECT count(*) FROM step_subscriptions WHERE state > 0)",
    "event reports": "SELECT count(*) FROM reports",
    "change feed": "SELECT count(*) FROM changes",
}

# The feed ends with what is there now: Instances that the old index did not have come to it, lost ones leave.
_LATEST = (
    "CREATE TEMP TABLE latest AS SELECT study_instance_uid, series_instance_uid, sop_instance_uid, sop_class_uid,"
    " action, max(id) AS id FROM main.changes GROUP BY 1, 2, 3"
)
_STORED = (
    "CREATE TEMP TABLE stored AS SELECT s.study_instance_uid, s.series_instance_uid, i.sop_instance_uid,"
    " i.sop_class_uid, i.stored_at FROM main.instances i JOIN main.series s ON s.id = i.series"
)
_SAME = (
    "l.study_instance_uid = s.study_instance_uid AND l.series_instance_uid = s.series_instance_uid"
    " AND l.sop_instance_uid = s.sop_instance_uid"
)
_COLUMNS = "study_instance_uid, series_instance_uid, sop_instance_uid, sop_class_uid"
_COME = (
    f"INSERT INTO main.changes (action, {_COLUMNS}, changed_at)"  # noqa: S608
    f" SELECT {ChangeAction.STORED.value}, {_COLUMNS}, stored_at FROM stored s"
    f" WHERE NOT EXISTS (SELECT 1 FROM latest l WHERE {_SAME} AND l.action <> {ChangeAction.DELETED.value})"
    " ORDER BY stored_at"
)
_LEFT = (
    f"INSERT INTO main.changes (action, {_COLUMNS}, changed_at)"  # noqa: S608
    f" SELECT {ChangeAction.DELETED.value}, {_COLUMNS}, ? FROM latest l"
    f" WHERE l.action <> {ChangeAction.DELETED.value} AND NOT EXISTS (SELECT 1 FROM stored s WHERE {_SAME}) ORDER BY id"
)
_COMMITTED = (
    "UPDATE main.instances SET committed_at = o.committed_at FROM old.instances o"
    " WHERE o.key = instances.key AND o.sop_instance_uid = instances.sop_instance_uid"
)


@dataclass(frozen=True, slots=True)
class Carried:
    """What was taken over."""

    numbers: dict[str, int]
    """How many of each part there are now."""
    lost: tuple[str, ...] = ()
    """Parts that could not be read: of these the new index has nothing, but a feed that begins anew."""


def is_index(path: Path) -> bool:
    """Whether a file is an index, at first sight."""
    return _revision(path) is not None


def carry(old: Path | None, new: Path) -> Carried:
    """Take over what an old index has into a new one that was made from the blobs. Nobody else may use either."""
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        before = None if old is None else _revision(old)
        lost = tuple(_PARTS)
        if before is not None:
            connection.execute("ATTACH ? AS old", (str(old),))
            parts = () if before == _BEFORE_RECORDS else (*_PARTS, "commitments")
            lost = tuple(part for part in parts if not _take(connection, part))
        numbers = {part: int(connection.execute(count).fetchone()[0]) for part, count in _COUNTS.items()}
        return Carried(numbers, lost)


def _revision(path: Path) -> str | None:
    """The revision of an index; None where there is none that can be read."""
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(path)) as connection:
            return revision(connection)
    except sqlite3.Error:
        return None


def _take(connection: sqlite3.Connection, part: str) -> bool:
    """Copy one part whole, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if part == "commitments":
            connection.execute(_COMMITTED)
        else:
            for table in _PARTS[part]:
                _copy(connection, table)
        if part == "change feed":
            connection.execute(_LATEST)
            connection.execute(_STORED)
            connection.execute(_COME)
            connection.execute(_LEFT, (time.time(),))
            connection.execute("DROP TABLE latest")
            connection.execute("DROP TABLE stored")
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        return False
    return True


def _copy(connection: sqlite3.Connection, table: str) -> None:
    columns = ", ".join(row[1] for row in connection.execute(f"PRAGMA main.table_info({table})"))
    there = " WHERE record IN (SELECT id FROM main.records)" if table == "step_subscriptions" else ""
    connection.execute(f"DELETE FROM main.{table}")  # noqa: S608
    connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM old.{table}{there}")  # noqa: S608
    # Numbers are never used again, those of what is gone neither
    number = connection.execute("SELECT seq FROM old.sqlite_sequence WHERE name = ?", (table,)).fetchone()
    if number is not None:
        connection.execute("DELETE FROM main.sqlite_sequence WHERE name = ?", (table,))
        connection.execute("INSERT INTO main.sqlite_sequence (name, seq) VALUES (?, ?)", (table, number[0]))
