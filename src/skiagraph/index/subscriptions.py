"""Subscriptions to Workitems, and the queues of event reports — PS3.4 CC.2.3, Table CC.2.3-2.

A global subscription is one row, however many Workitems there are: it covers those with an id up to `last`, and those
to come while it is open (`last` is NULL). A row for one Workitem outranks it. Of several global rows of an AE that
cover a Workitem the oldest counts, as a further global subscription changes nothing for what is subscribed already.
A filter is looked at when a subscription or a Workitem is made; what matches gets a row of its own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from functools import lru_cache

from skiagraph.index.base import QueuedReport, Record, RecordSearch, Trimmed
from skiagraph.index.changes import FARTHEST
from skiagraph.index.entities import Connection
from skiagraph.index.record_search import RecordSearching
from skiagraph.standard import matching
from skiagraph.standard.kind import Kind
from skiagraph.standard.matching import Condition
from skiagraph.wire import record_query

_ANY = 10**6  # conditions of a filter: they were counted when it was accepted

NOT_SUBSCRIBED, WITHOUT_LOCK, WITH_LOCK = 0, 1, 2

_SET = (
    "INSERT INTO step_subscriptions (record, ae_title, state, subscribed_at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET state = excluded.state, subscribed_at = excluded.subscribed_at"
)
_SET_AGAIN = "UPDATE step_subscriptions SET state = ?, subscribed_at = ? WHERE ae_title = ? AND state = 0"
_STATE = "SELECT state FROM step_subscriptions WHERE record = ? AND ae_title = ?"
_COVERED = (
    "SELECT deletion_lock, subscribed_at FROM global_subscriptions"
    " WHERE ae_title = ? AND filter = '' AND (last IS NULL OR last >= ?) ORDER BY id LIMIT 1"
)
_OF_STEP = (
    "SELECT ae_title FROM step_subscriptions WHERE record = ? AND state > 0"
    " UNION SELECT g.ae_title FROM global_subscriptions g WHERE g.filter = '' AND (g.last IS NULL OR g.last >= ?)"
    " AND NOT EXISTS (SELECT 1 FROM step_subscriptions s WHERE s.record = ? AND s.ae_title = g.ae_title)"
    " ORDER BY 1"
)
_LOCKED = "SELECT 1 FROM step_subscriptions WHERE record = ? AND state = 2 AND subscribed_at >= ? LIMIT 1"
_COVERING = (
    "SELECT g.ae_title, g.deletion_lock, g.subscribed_at FROM global_subscriptions g"
    " WHERE g.filter = '' AND (g.last IS NULL OR g.last >= ?)"
    " AND NOT EXISTS (SELECT 1 FROM step_subscriptions s WHERE s.record = ? AND s.ae_title = g.ae_title) ORDER BY g.id"
)
_ALL = (
    "SELECT ae_title FROM step_subscriptions WHERE state > 0 UNION SELECT ae_title FROM global_subscriptions ORDER BY 1"
)
_OPEN = "SELECT filter, deletion_lock FROM global_subscriptions WHERE ae_title = ? AND target = ? AND last IS NULL"
_SUBSCRIBE = (
    "INSERT INTO global_subscriptions (ae_title, target, deletion_lock, filter, subscribed_at) VALUES (?, ?, ?, ?, ?)"
)
_CLOSE = (
    "UPDATE global_subscriptions SET last = (SELECT coalesce(max(id), 0) FROM records)"
    " WHERE ae_title = ? AND target = ? AND last IS NULL"
)
# Closed filtered ones: what they matched has rows of its own. Closed ones that an older one covers as far.
_DROP_NEEDLESS = (
    "DELETE FROM global_subscriptions WHERE ae_title = ? AND last IS NOT NULL AND (filter <> '' OR EXISTS"
    " (SELECT 1 FROM global_subscriptions g WHERE g.ae_title = global_subscriptions.ae_title"
    " AND g.filter = '' AND g.id < global_subscriptions.id"
    " AND (g.last IS NULL OR g.last >= global_subscriptions.last)))"
)
_FILTERED = "SELECT ae_title, filter, deletion_lock FROM global_subscriptions WHERE filter <> '' AND last IS NULL"


# Subscriptions ----------------------------------------------------------------------------------------------------


def subscribe(connection: Connection, record: Record, ae_title: str, *, deletion_lock: bool) -> None:
    """Subscribe to one Workitem: what this says counts, whatever was before."""
    state = WITH_LOCK if deletion_lock else WITHOUT_LOCK
    connection.execute(_SET, (record.id, ae_title, state, time.time()))


def unsubscribe(connection: Connection, record: Record, ae_title: str) -> bool:
    if _state(connection, record, ae_title) == NOT_SUBSCRIBED:
        return False
    if connection.execute(_COVERED, (ae_title, record.id)).fetchone() is None:
        connection.execute("DELETE FROM step_subscriptions WHERE record = ? AND ae_title = ?", (record.id, ae_title))
    else:
        connection.execute(_SET, (record.id, ae_title, NOT_SUBSCRIBED, time.time()))
    return True


def _state(connection: Connection, record: Record, ae_title: str) -> int:
    row = connection.execute(_STATE, (record.id, ae_title)).fetchone()
    if row is not None:
        return int(row[0])
    row = connection.execute(_COVERED, (ae_title, record.id)).fetchone()
    return NOT_SUBSCRIBED if row is None else WITH_LOCK if row[0] else WITHOUT_LOCK


def subscribe_globally(
    connection: Connection, kind: Kind, ae_title: str, target: str, *, deletion_lock: bool, filter: str
) -> None:
    """Subscribe to all Workitems there are and to come, or to those that match a filter."""
    if not filter:
        state = WITH_LOCK if deletion_lock else WITHOUT_LOCK
        connection.execute(_SET_AGAIN, (state, time.time(), ae_title))
    opened = connection.execute(_OPEN, (ae_title, target)).fetchone()
    if opened != (filter, int(deletion_lock)):
        connection.execute(_CLOSE, (ae_title, target))
        connection.execute(_SUBSCRIBE, (ae_title, target, int(deletion_lock), filter, time.time()))
        connection.execute(_DROP_NEEDLESS, (ae_title,))
    if filter:
        searching = RecordSearching(RecordSearch(kind, conditions_of(filter)))
        chunk, _, _ = searching.open(connection)
        while chunk:
            for record in chunk:
                if _state(connection, record, ae_title) == NOT_SUBSCRIBED:
                    subscribe(connection, record, ae_title, deletion_lock=deletion_lock)
            chunk = [] if searching.ended else searching.read(connection)


def unsubscribe_globally(connection: Connection, ae_title: str) -> bool:
    """End all subscriptions of the AE: filtered and specific ones too (CC.2.3.2). False where it has none."""
    ended = connection.execute("DELETE FROM global_subscriptions WHERE ae_title = ?", (ae_title,)).rowcount
    ended += connection.execute("DELETE FROM step_subscriptions WHERE ae_title = ? AND state > 0", (ae_title,)).rowcount
    connection.execute("DELETE FROM step_subscriptions WHERE ae_title = ?", (ae_title,))
    return ended > 0


def suspend(connection: Connection, ae_title: str, target: str) -> bool:
    """Take no further Workitems into a global subscription. False where none is open."""
    closed = connection.execute(_CLOSE, (ae_title, target)).rowcount > 0
    connection.execute(_DROP_NEEDLESS, (ae_title,))
    return closed


def join(connection: Connection, record: Record) -> None:
    """Subscribe those whose filter a new Workitem matches."""
    for ae_title, filter, deletion_lock in connection.execute(_FILTERED).fetchall():
        if matching.matches(conditions_of(filter), record.attributes):
            covered = connection.execute(_COVERED, (ae_title, record.id)).fetchone()
            lock = bool(deletion_lock) or (covered is not None and bool(covered[0]))
            subscribe(connection, record, ae_title, deletion_lock=lock)


@lru_cache(maxsize=4096)
def conditions_of(filter: str) -> tuple[Condition, ...]:
    """Return the conditions of a filter that was accepted once."""
    return record_query.parse(filter, max_conditions=_ANY).conditions


def subscribers(connection: Connection, record: Record) -> list[str]:
    return [row[0] for row in connection.execute(_OF_STEP, (record.id, record.id, record.id))]


def locked(connection: Connection, record: Record, not_before: float) -> bool:
    """Whether a lock holds. That of a global subscription counts from when the Workitem came, if that was later."""
    if connection.execute(_LOCKED, (record.id, not_before)).fetchone() is not None:
        return True
    seen: set[str] = set()
    for ae_title, lock, subscribed_at in connection.execute(_COVERING, (record.id, record.id)):
        if ae_title not in seen and lock and max(subscribed_at, record.created_at) >= not_before:
            return True
        seen.add(ae_title)
    return False


def all_subscribers(connection: Connection) -> list[str]:
    return [row[0] for row in connection.execute(_ALL)]


# Reports ----------------------------------------------------------------------------------------------------------

_QUEUED = (
    "SELECT r.id, r.ae_title, e.report FROM reports r JOIN events e ON e.id = r.event"
    " WHERE r.ae_title = ? AND r.id > ? ORDER BY r.id LIMIT ?"
)
_NEWS = "SELECT id, ae_title, event FROM reports WHERE id > ? ORDER BY id LIMIT ?"
_EVENT = "SELECT report FROM events WHERE id = ?"
_NEWEST = "SELECT seq FROM sqlite_sequence WHERE name = ?"
_ACKNOWLEDGED = "SELECT acknowledged FROM subscribers WHERE ae_title = ?"
# Of nothing that waits nothing is noted, so that names which somebody makes up leave no rows.
_ACKNOWLEDGE = (
    "INSERT INTO subscribers (ae_title, acknowledged, dropped) SELECT ?1, min(?2, seq), 0 FROM sqlite_sequence"
    " WHERE name = 'reports' AND EXISTS (SELECT 1 FROM reports WHERE ae_title = ?1 AND id <= ?2)"
    " ON CONFLICT DO UPDATE SET acknowledged = max(subscribers.acknowledged, excluded.acknowledged)"
)
_BEFORE = "SELECT id FROM events WHERE created_at < ? ORDER BY created_at DESC, id DESC LIMIT 1"
_LAST_OF = "SELECT id FROM reports WHERE event <= ? ORDER BY event DESC, id DESC LIMIT 1"
_UNREAD = "coalesce(id > (SELECT acknowledged FROM subscribers s WHERE s.ae_title = reports.ae_title), 1)"
_TRIM = f"DELETE FROM reports WHERE id IN ({{}} LIMIT ?) RETURNING event, {_UNREAD}"  # noqa: S608
_TRIM_READ = _TRIM.format(
    "SELECT r.id FROM subscribers s CROSS JOIN reports r ON r.ae_title = s.ae_title AND r.id <= min(s.acknowledged, ?)"
)
_TRIM_OLD = _TRIM.format("SELECT id FROM reports WHERE event <= ?")
_TRIM_LONG = _TRIM.format("SELECT id FROM reports WHERE ae_title = ? ORDER BY id")
_LONG = "SELECT ae_title FROM reports GROUP BY ae_title HAVING count(*) > ?"
_LENGTH = "SELECT count(*) FROM reports WHERE ae_title = ?"
_FORGET_EVENT = "DELETE FROM events WHERE id = ? AND NOT EXISTS (SELECT 1 FROM reports r WHERE r.event = events.id)"
_FORGET_SUBSCRIBERS = (
    "DELETE FROM subscribers WHERE NOT EXISTS (SELECT 1 FROM reports r WHERE r.ae_title = subscribers.ae_title)"
)


def report(connection: Connection, text: bytes, ae_titles: Sequence[str]) -> None:
    """Queue an event report for each of the AEs."""
    if not ae_titles:
        return
    event = connection.execute("INSERT INTO events (report, created_at) VALUES (?, ?)", (text, time.time())).lastrowid
    connection.executemany("INSERT INTO reports (ae_title, event) VALUES (?, ?)", [(ae, event) for ae in ae_titles])


def queued(connection: Connection, ae_title: str, after: int, limit: int, size: int) -> list[QueuedReport]:
    found = []
    with closing(connection.execute(_QUEUED, (ae_title, min(after, FARTHEST), limit))) as rows:
        for row in rows:
            found.append(QueuedReport(*row))
            size -= len(row[2])
            if size <= 0:
                break
    return found


def news(connection: Connection, after: int, limit: int, size: int) -> list[QueuedReport]:
    found = []
    texts: dict[int, bytes] = {}  # a report to a thousand subscribers is one text
    with closing(connection.execute(_NEWS, (min(after, FARTHEST), limit))) as rows:
        for number, ae_title, event in rows:
            text = texts.get(event)
            if text is None:
                if size <= 0:
                    break
                text = texts[event] = connection.execute(_EVENT, (event,)).fetchone()[0]
                size -= len(text)
            found.append(QueuedReport(number, ae_title, text))
    return found


def newest(connection: Connection, table: str) -> int:
    """Return the highest number that a table ever gave."""
    row = connection.execute(_NEWEST, (table,)).fetchone()
    return 0 if row is None else int(row[0])


def acknowledged(connection: Connection, ae_title: str) -> int:
    row = connection.execute(_ACKNOWLEDGED, (ae_title,)).fetchone()
    return 0 if row is None else int(row[0])


def acknowledge(connection: Connection, ae_title: str, number: int) -> None:
    """Note up to where a subscriber has its reports; beyond the newest nothing can be acknowledged."""
    connection.execute(_ACKNOWLEDGE, (ae_title, max(0, min(number, FARTHEST))))


def long_queues(connection: Connection, length: int) -> list[str]:
    return [row[0] for row in connection.execute(_LONG, (length,))]


def trim(
    connection: Connection,
    *,
    length: int,
    not_before: float,
    read_before: float,
    ae_titles: Sequence[str] | None,
    most: int,
) -> Trimmed:
    """Drop reports that were acknowledged; then those too old, or too many; see `base.Books.trim`."""
    dropped: list[tuple[int, int]] = []

    def drop(statement: str, *values: object, number: int = most) -> None:
        dropped.extend(connection.execute(statement, (*values, min(number, most - len(dropped)))))

    read = _behind(connection, read_before)
    if read is not None:
        last = connection.execute(_LAST_OF, (read,)).fetchone()
        if last is not None:
            drop(_TRIM_READ, last[0])
    old = _behind(connection, not_before)
    if old is not None:
        drop(_TRIM_OLD, old)
    for ae_title in long_queues(connection, length) if ae_titles is None else ae_titles:
        if len(dropped) >= most:
            break
        excess = connection.execute(_LENGTH, (ae_title,)).fetchone()[0] - length
        drop(_TRIM_LONG, ae_title, number=max(0, excess))
    connection.executemany(_FORGET_EVENT, {(event,) for event, _ in dropped})
    connection.execute(_FORGET_SUBSCRIBERS)
    return Trimmed(len(dropped), sum(unread for _, unread in dropped))


def _behind(connection: Connection, moment: float) -> int | None:
    """Return the last event that was made before a moment."""
    row = connection.execute(_BEFORE, (moment,)).fetchone()
    return None if row is None else row[0]
