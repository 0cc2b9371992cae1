"""What an index of records is to its callers: a list and a filter, a table of subscriptions, and queues.

Slow, in memory, and plain enough to be believed. Subscriptions are Table CC.2.3-2 of PS3.4 by the letter: a state for
each AE and Workitem, and a global state for each AE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from skiagraph.index.base import Record
from skiagraph.standard import matching
from skiagraph.standard.kind import Kind
from skiagraph.standard.matching import Condition

NOT_SUBSCRIBED, WITHOUT_LOCK, WITH_LOCK = 0, 1, 2


@dataclass
class RecordModel:
    """Records by kind and UID in the order in which they came, and what hangs on them."""

    stored: dict[tuple[int, str], Record] = field(default_factory=dict)
    gone: set[tuple[int, str]] = field(default_factory=set)
    states: dict[tuple[str, str], int] = field(default_factory=dict)
    """By AE title and UID; without an entry: not subscribed."""
    worldwide: dict[tuple[str, str], tuple[int, tuple[Condition, ...]]] = field(default_factory=dict)
    """Global states, by AE title and well-known UID: with or without lock, and the filter."""
    suspended: set[str] = field(default_factory=set)
    """AE titles that have, or had, a global subscription."""
    queue: list[tuple[str, bytes]] = field(default_factory=list)
    """All reports ever queued, oldest first; each is there once for every subscriber."""
    dropped: set[int] = field(default_factory=set)
    """Places in the queue that were trimmed."""
    acknowledged: dict[str, int] = field(default_factory=dict)
    """Place up to which (exclusive) an AE has acknowledged."""
    ids: int = 0

    # Records

    def put(self, record: Record) -> bool:
        """Insert or replace; False where the UID is taken, or the version is not the stored one."""
        name = record.kind.number, record.uid
        old = self.stored.get(name)
        if record.id is None:
            if old is not None:
                return False
            self.ids += 1
            self.gone.discard(name)
            self.stored[name] = replace(record, id=self.ids, version=1)
            return True
        if old is None or (old.id, old.version) != (record.id, record.version):
            return False
        self.stored[name] = replace(record, version=record.version + 1)
        return True

    def delete(self, record: Record) -> bool:
        name = record.kind.number, record.uid
        old = self.stored.get(name)
        if old is None or (old.id, old.version) != (record.id, record.version):
            return False
        del self.stored[name]
        self.gone.add(name)
        for ae_title, uid in list(self.states):
            if uid == record.uid:
                del self.states[ae_title, uid]
        return True

    def find(self, kind: Kind, conditions: Sequence[Condition]) -> list[str]:
        """Return the UIDs of what matches, in order."""
        found = [
            record
            for record in self.stored.values()
            if record.kind is kind and matching.matches(conditions, record.attributes)
        ]
        found.sort(key=lambda record: (kind.position(record.attributes), record.id))
        return [record.uid for record in found]

    def due(self, kind: Kind, now: float, limit: int) -> list[float]:
        """Return when those that are due were due."""
        every = [record.due_at for record in self.stored.values() if record.kind is kind and record.due_at is not None]
        return sorted(at for at in every if at <= now)[:limit]

    # Subscriptions (Table CC.2.3-2)

    def created(self, record: Record) -> None:
        """A Workitem came into being."""
        for (ae_title, _), (state, filter) in self.worldwide.items():
            if matching.matches(filter, record.attributes):
                self._at_least(ae_title, record.uid, state)

    def _at_least(self, ae_title: str, uid: str, state: int) -> None:
        self.states[ae_title, uid] = max(state, self.states.get((ae_title, uid), NOT_SUBSCRIBED))

    def subscribe(self, uid: str, ae_title: str, *, deletion_lock: bool) -> None:
        self.states[ae_title, uid] = WITH_LOCK if deletion_lock else WITHOUT_LOCK

    def unsubscribe(self, uid: str, ae_title: str) -> bool:
        return self.states.pop((ae_title, uid), NOT_SUBSCRIBED) != NOT_SUBSCRIBED

    def subscribe_globally(
        self, kind: Kind, ae_title: str, target: str, *, deletion_lock: bool, filter: tuple[Condition, ...]
    ) -> None:
        state = WITH_LOCK if deletion_lock else WITHOUT_LOCK
        self.worldwide[ae_title, target] = state, filter
        self.suspended.add(ae_title)
        for uid in self.find(kind, filter):
            if self.states.get((ae_title, uid), NOT_SUBSCRIBED) == NOT_SUBSCRIBED:
                self.states[ae_title, uid] = state

    def unsubscribe_globally(self, ae_title: str) -> None:
        for one, target in list(self.worldwide):
            if one == ae_title:
                del self.worldwide[one, target]
        for one, uid in list(self.states):
            if one == ae_title:
                del self.states[one, uid]
        self.suspended.discard(ae_title)

    def suspend(self, ae_title: str, target: str) -> bool:
        return self.worldwide.pop((ae_title, target), None) is not None

    def subscribers(self, uid: str) -> list[str]:
        return sorted(ae_title for ae_title, one in self.states if one == uid)

    def locked(self, uid: str) -> bool:
        return any(one == uid and state == WITH_LOCK for (_, one), state in self.states.items())

    def all_subscribers(self) -> set[str]:
        """AE titles with any subscription."""
        return {ae_title for ae_title, _ in self.states} | {ae_title for ae_title, _ in self.worldwide}

    # Reports

    def report(self, report: bytes, ae_titles: Sequence[str]) -> None:
        self.queue += [(ae_title, report) for ae_title in ae_titles]

    def places(self, ae_title: str | None = None) -> list[int]:
        """Places in the queue that wait, of one AE or of all."""
        return [
            place for place, (one, _) in enumerate(self.queue) if place not in self.dropped and ae_title in (None, one)
        ]

    def trim(self, length: int, *, old: bool) -> int:
        """Drop what was acknowledged; then all when it is old; then the oldest of too long queues."""
        for place in self.places():
            if place < self.acknowledged.get(self.queue[place][0], 0):
                self.dropped.add(place)
        lost = [] if not old else self.places()
        for ae_title in {one for one, _ in self.queue}:
            waiting = [place for place in self.places(ae_title) if place not in lost]
            lost += waiting[: max(0, len(waiting) - length)]
        self.dropped.update(lost)
        return len(lost)
