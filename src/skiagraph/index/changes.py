"""The change feed: what became of Instances, in order and without gaps.

Numbers are given inside the transaction that makes the change, and writers take turns: a reader who sees a number
sees all before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from skiagraph.index.base import ChangeAction, FeedEntry
from skiagraph.index.entities import Connection
from skiagraph.values import ResourcePath

FARTHEST = 2**62
"""Numbers beyond are the same as this."""

Entry: TypeAlias = "tuple[ChangeAction, str, str, str, str, float]"
"""Action, Study, Series and SOP Instance UID, SOP Class UID, and when, in seconds since the epoch."""

_INSERT = (
    "INSERT INTO changes (action, study_instance_uid, series_instance_uid, sop_instance_uid, sop_class_uid, changed_at)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
_SELECT = (
    "SELECT id, action, study_instance_uid, series_instance_uid, sop_instance_uid, sop_class_uid, changed_at"
    " FROM changes WHERE id > ? ORDER BY id LIMIT ?"
)


def append(connection: Connection, entries: Sequence[Entry]) -> None:
    """Add entries inside the transaction that the caller holds."""
    connection.executemany(_INSERT, entries)


def feed(connection: Connection, after: int, limit: int) -> list[FeedEntry]:
    """Return the entries behind a number."""
    return [
        FeedEntry(number, ChangeAction(action), ResourcePath(study, series, instance), sop_class, changed_at)
        for number, action, study, series, instance, sop_class, changed_at in connection.execute(
            _SELECT, (min(after, FARTHEST), limit)
        )
    ]
