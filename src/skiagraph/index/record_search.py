"""Search among records: the rarest key at hand leads, the others are probed, the reference predicate has the last word.

A key at hand is a condition that `record_keys` answers. Its rows stand in the order of the answers, so that a page is
a range of them, however many there are. Where no condition has a key at hand, all records of the kind are looked at,
or those of a range of days.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from skiagraph.index.base import Record, RecordSearch
from skiagraph.index.entities import Connection
from skiagraph.index.records import record_of
from skiagraph.standard import date_time, matching, person_name
from skiagraph.standard.kind import LONGEST, Key, Kind
from skiagraph.standard.matching import (
    AnyOf,
    Condition,
    DateTimeRange,
    InSequence,
    PersonName,
    Private,
    Range,
    Single,
    UidList,
)

CHUNK = 200
"""Records in one chunk."""

_FAR = 2**62
_COUNTED = 1000  # of a key with many values no more are counted to tell whether it is rare
_ZONES = 28 * 3_600_000_000  # microseconds that two offsets from UTC can lie apart

_R = "r.id, r.uid, r.version, r.attributes, r.private, r.created_at, r.modified_at, r.due_at, {0}.position"
_PROBE = " AND EXISTS (SELECT 1 FROM record_keys p WHERE p.key = ? AND p.value IN ({}) AND p.position = {}.position AND p.record = r.id)"  # fmt: skip # noqa: E501
_BOUNDS = "({0}.position, {0}.{1}) > (?, ?) AND {0}.position < ?"
_TOTAL = "SELECT coalesce(sum(number), 0) FROM record_totals WHERE key = ? AND value IN ({})"
_SIZE = "SELECT count(*) FROM (SELECT 1 FROM record_keys WHERE key = ? AND value IN ({}) LIMIT ?)"

_Place: TypeAlias = tuple[int, int]  # position and id
_START: _Place = (-(2**63), -1)


@dataclass(frozen=True, slots=True)
class _AtHand:
    """A condition that the index answers: one of these values in one of the keys of a path."""

    key: Key
    values: tuple[str, ...]
    exact: bool
    """The predicate has nothing to add."""


class RecordSearching:
    """One search, chunk by chunk; each chunk may be read on another connection."""

    def __init__(self, search: RecordSearch) -> None:
        self._kind = search.kind
        self._conditions = search.conditions
        self._limit = _FAR if search.limit is None else search.limit
        self._offset = min(search.offset, _FAR)
        self._counts = search.limit is not None or search.offset > 0
        conditions = list(_flat(search.conditions))
        found = [(_at_hand(condition, search.kind), whole) for condition, whole in conditions]
        self._at_hand = [hand for hand, _ in found if hand is not None]
        self._residual = any(hand is None or not hand.exact or not whole for hand, whole in found)
        self._low, self._high = _days([condition for condition, _ in conditions], search.kind)
        self._after: _Place = max(_START, (self._low, -1))
        self._left = self._limit
        self._skip = self._offset
        self._lead: _AtHand | None = None
        self.ended = False

    def open(self, connection: Connection) -> tuple[list[Record], int, int | None]:
        """Return the first chunk, how many matches are behind the last of all, and how many there are if counted."""
        self._lead = self._rarest(connection)
        if not self._counts:
            return self.read(connection), 0, None
        total = self._count(connection)
        given = min(max(0, total - self._offset), self._limit)
        first = self.read(connection) if given else []
        self.ended = self.ended or not given
        return first, max(0, total - self._offset - given), total

    def read(self, connection: Connection) -> list[Record]:
        """Return the next chunk; empty at the end."""
        found: list[Record] = []
        while not found and not self.ended:
            for record in self._chunk(connection):
                if self._residual and not matching.matches(self._conditions, record.attributes):
                    continue
                if self._skip > 0:
                    self._skip -= 1
                    continue
                found.append(record)
                self._left -= 1
                if self._left <= 0:
                    self.ended = True
                    break
        return found

    def _chunk(self, connection: Connection) -> list[Record]:
        rows = self._rows(connection, CHUNK)
        if len(rows) < CHUNK:
            self.ended = True
        else:
            self._after = rows[-1][8], rows[-1][0]
        return [record_of(self._kind, row[:8]) for row in rows]

    def _rows(self, connection: Connection, limit: int) -> list[tuple[Any, ...]]:
        lead = self._lead
        if lead is None:
            where = f"r.kind = ? AND {_BOUNDS.format('r', 'id')}"
            statement = f"SELECT {_R.format('r')} FROM records r WHERE {where} ORDER BY r.position, r.id LIMIT ?"  # noqa: S608
            return connection.execute(statement, (self._kind.number, *self._after, self._high, limit)).fetchall()
        probes, values = self._probes(lead, "k")
        where = f"k.key = ? AND k.value = ? AND {_BOUNDS.format('k', 'record')}{probes}"
        statement = (
            f"SELECT {_R.format('k')} FROM record_keys k CROSS JOIN records r ON r.id = k.record WHERE {where}"  # noqa: S608
            " ORDER BY k.position, k.record LIMIT ?"
        )
        key = self._kind.key(lead.key.number)
        each = [
            connection.execute(statement, (key, value, *self._after, self._high, *values, limit)).fetchall()
            for value in lead.values
        ]
        if len(each) == 1:
            return each[0]
        merged: list[tuple[Any, ...]] = []
        for row in heapq.merge(*each, key=lambda row: (row[8], row[0])):
            if not merged or merged[-1][0] != row[0]:  # one that has several of the values stands once
                merged.append(row)
            if len(merged) == limit:
                break
        return merged

    def _probes(self, lead: _AtHand, alias: str) -> tuple[str, list[Any]]:
        others = [hand for hand in self._at_hand if hand is not lead]
        text = "".join(_PROBE.format(_marks(hand.values), alias) for hand in others)
        return text, [value for hand in others for value in (self._kind.key(hand.key.number), *hand.values)]

    def _rarest(self, connection: Connection) -> _AtHand | None:
        return min(self._at_hand, key=lambda hand: self._size(connection, hand), default=None)

    def _size(self, connection: Connection, hand: _AtHand) -> int:
        key = self._kind.key(hand.key.number)
        if hand.key.few:
            row = connection.execute(_TOTAL.format(_marks(hand.values)), (key, *hand.values)).fetchone()
        else:
            row = connection.execute(_SIZE.format(_marks(hand.values)), (key, *hand.values, _COUNTED)).fetchone()
        return int(row[0])

    def _count(self, connection: Connection) -> int:
        everywhere = (self._low, self._high) == (_START[0], _FAR)
        if self._residual:
            return self._count_by_predicate(connection)
        if self._lead is None:
            if everywhere:
                row = connection.execute(_TOTAL.format("?"), (self._kind.key(0), "")).fetchone()
            else:
                statement = f"SELECT count(*) FROM records r WHERE r.kind = ? AND {_BOUNDS.format('r', 'id')}"  # noqa: S608
                row = connection.execute(statement, (self._kind.number, *self._after, self._high)).fetchone()
            return int(row[0])
        lead = self._lead
        if len(self._at_hand) == 1 and lead.key.few and everywhere and len(lead.values) == 1:
            return self._size(connection, lead)
        probes, values = self._probes(lead, "k")
        probes = probes.replace("r.id", "k.record")
        statement = (
            f"SELECT count(DISTINCT k.record) FROM record_keys k WHERE k.key = ? AND k.value IN ({_marks(lead.values)})"  # noqa: S608
            f" AND {_BOUNDS.format('k', 'record')}{probes}"
        )
        key = self._kind.key(lead.key.number)
        row = connection.execute(statement, (key, *lead.values, *self._after, self._high, *values)).fetchone()
        return int(row[0])

    def _count_by_predicate(self, connection: Connection) -> int:
        start, total = self._after, 0
        while not self.ended:
            total += sum(matching.matches(self._conditions, record.attributes) for record in self._chunk(connection))
        self._after, self.ended = start, False
        return total


def _flat(conditions: Sequence[Condition], above: matching.Path = ()) -> Iterator[tuple[Condition, bool]]:
    """Yield conditions by their whole paths, each with whether it says all there is to say.

    Several conditions on one Sequence must hold in one and the same Item: by their whole paths they only say where to
    look.
    """
    for condition in conditions:
        if isinstance(condition, InSequence):
            alone = len(condition.conditions) == 1
            for inner, whole in _flat(condition.conditions, (*above, *condition.path)):
                yield inner, whole and alone
        else:
            yield _moved(condition, above), True


def _moved(condition: Condition, above: matching.Path) -> Condition:
    if not above:
        return condition
    match condition:
        case DateTimeRange(date_path, time_path):
            return replace(condition, date_path=(*above, *date_path), time_path=(*above, *time_path))
        case AnyOf(conditions):
            return AnyOf(tuple(_moved(inner, above) for inner in conditions))
        case Private(creator, inner):
            return Private(creator, _moved(inner, above))
        case _:
            return replace(condition, path=(*above, *condition.path))


def _at_hand(condition: Condition, kind: Kind) -> _AtHand | None:
    path = getattr(condition, "path", None)
    key = next((key for key in kind.keys if key.path == path), None)
    match condition:
        case Single(_, vr, value) if key is not None and vr != "UN":
            return _AtHand(key, (value[:LONGEST],), len(value) < LONGEST)
        case UidList(_, values) if key is not None:
            return _AtHand(key, values, exact=True)
        case PersonName(_, value, False) if key is not None and not {"*", "?", "="} & set(value):
            asked = person_name.query_groups(value)
            if len(asked) == 1 and asked[0]:
                return _AtHand(key, (asked[0][:LONGEST],), len(asked[0]) < LONGEST)
        case AnyOf(conditions):
            hands = [_at_hand(one, kind) for one in conditions]
            if hands and all(hand is not None and len(hand.values) == 1 for hand in hands):
                known = [hand for hand in hands if hand is not None]
                values = tuple(dict.fromkeys(hand.values[0] for hand in known))
                return _AtHand(known[0].key, values, all(hand.exact for hand in known))
    return None


def _days(conditions: Sequence[Condition], kind: Kind) -> tuple[int, int]:
    """First position, and first one behind, of what the conditions on the order of the kind leave."""
    low, high = _START[0], _FAR
    for condition in conditions:
        match condition:
            case Range(path, vr, first, last) if path == kind.date:
                read = date_time.date if vr == "DA" else _local
            case DateTimeRange(date_path, time_path, first, last) if (date_path, time_path) == (kind.date, kind.time):
                read = _local
            case _:
                continue
        if first is not None and (interval := read(first)) is not None:
            low = max(low, interval[0] - _ZONES)
        if last is not None and (interval := read(last)) is not None:
            high = min(high, interval[1] + _ZONES)
    return low, high


def _local(text: str) -> date_time.Interval | None:
    found = date_time.date_time(text)
    return None if found is None else found[0]


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
