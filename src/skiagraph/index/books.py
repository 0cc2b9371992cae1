"""The books: records, subscriptions and reports inside one transaction of the index."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from skiagraph.index import records, subscriptions
from skiagraph.index.base import Record, RecordSearch, StoredInstance, Trimmed
from skiagraph.index.changes import FARTHEST
from skiagraph.index.entities import Connection
from skiagraph.index.record_search import RecordSearching
from skiagraph.standard.kind import Kind
from skiagraph.standard.matching import Condition

_COMMIT = "UPDATE instances SET committed_at = ? WHERE id = ? AND key = ?"


class SqlBooks:
    """The `Books` of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, kind: Kind, uid: str) -> Record | None:
        return records.get(self._connection, kind, uid)

    def gone(self, kind: Kind, uid: str) -> bool:
        return records.gone(self._connection, kind, uid)

    def put(self, record: Record) -> Record:
        return records.put(self._connection, record)

    def delete(self, record: Record) -> None:
        records.delete(self._connection, record)

    def commit(self, instances: Sequence[StoredInstance], now: float) -> list[bool]:
        return [
            self._connection.execute(_COMMIT, (now, instance.id, instance.key)).rowcount > 0 for instance in instances
        ]

    def due(self, kind: Kind, now: float, limit: int) -> list[Record]:
        return records.due(self._connection, kind, now, limit)

    def subscribe(self, record: Record, ae_title: str, *, deletion_lock: bool) -> None:
        subscriptions.subscribe(self._connection, record, ae_title, deletion_lock=deletion_lock)

    def unsubscribe(self, record: Record, ae_title: str) -> bool:
        return subscriptions.unsubscribe(self._connection, record, ae_title)

    def subscribe_globally(
        self, kind: Kind, ae_title: str, target: str, *, deletion_lock: bool, filter: str = ""
    ) -> None:
        subscriptions.subscribe_globally(
            self._connection, kind, ae_title, target, deletion_lock=deletion_lock, filter=filter
        )

    def unsubscribe_globally(self, ae_title: str) -> bool:
        return subscriptions.unsubscribe_globally(self._connection, ae_title)

    def suspend(self, ae_title: str, target: str) -> bool:
        return subscriptions.suspend(self._connection, ae_title, target)

    def subscribers(self, record: Record) -> list[str]:
        return subscriptions.subscribers(self._connection, record)

    def locked(self, record: Record, not_before: float) -> bool:
        return subscriptions.locked(self._connection, record, not_before)

    def all_subscribers(self) -> list[str]:
        return subscriptions.all_subscribers(self._connection)

    def join(self, record: Record) -> None:
        subscriptions.join(self._connection, record)

    def each(self, kind: Kind, conditions: tuple[Condition, ...] = ()) -> Iterator[Record]:
        searching = RecordSearching(RecordSearch(kind, conditions))
        chunk, _, _ = searching.open(self._connection)
        while chunk:
            yield from chunk
            chunk = [] if searching.ended else searching.read(self._connection)

    def report(self, report: bytes, ae_titles: Sequence[str]) -> None:
        subscriptions.report(self._connection, report, ae_titles)

    def acknowledge(self, ae_title: str, number: int) -> None:
        subscriptions.acknowledge(self._connection, ae_title, number)

    def trim(
        self,
        *,
        length: int,
        not_before: float,
        read_before: float = math.inf,
        ae_titles: Sequence[str] | None = None,
        most: int = FARTHEST,
    ) -> Trimmed:
        return subscriptions.trim(
            self._connection,
            length=length,
            not_before=not_before,
            read_before=read_before,
            ae_titles=ae_titles,
            most=most,
        )
