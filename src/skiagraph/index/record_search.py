"""Search among records: the rarest key at hand leads, the others are probed, the predicate looks at what is left.

The rows of `record_keys` stand in the order of the answers, so that a page is a range of them, however many there
are. Where no condition has a key at hand, all records of the kind are looked at, or those of a span of time. How many
match is known from `record_totals` for one or two conditions on keys with few values, and counted in `record_keys`
else; only conditions that no key answers need the records themselves.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from typing import Any, TypeAlias

import orjson

from skiagraph.index.base import Record, RecordSearch
from skiagraph.index.entities import Connection
from skiagraph.index.record_keys import FAR, FIRST, SPAN_ODDITY, AtHand, Sieve, plan
from skiagraph.index.records import COLUMNS, inflated, record_of
from skiagraph.standard import matching
from skiagraph.standard.date_time import DAY
from skiagraph.standard.kind import LONGEST, NOWHERE, day_of, many_values, paired

CHUNK = 200
"""Records in one chunk."""

_COUNTED = 1000  # of a key with many values no more are counted to tell whether it is rare
_KEPT = 100_000  # values of one condition that rows are looked up by
_NAMED = 64  # values that are parameters of their own
_MERGED = 16  # values whose rows are merged in order; more are sorted
_SORTED = 20_000  # places that are kept of a sort, so that it is not done for each chunk

_PROBE = (
    " AND EXISTS (SELECT 1 FROM record_keys p WHERE p.key = ? AND p.value IN ({})"
    " AND p.position = k.position AND p.record = k.record)"
)
_OF_KIND = (
    "SELECT position, id FROM records WHERE kind = ? AND (position, id) > (?, ?) AND position < ?"
    " ORDER BY position, id LIMIT ? OFFSET ?"
)
_IN_KIND = "SELECT count(*) FROM records WHERE kind = ? AND position >= ? AND position < ?"
_OF_KEY = (
    "SELECT {} FROM record_keys k WHERE k.key = ? AND k.value IN ({})"
    " AND (k.position, k.record) > (?, ?) AND k.position < ?{}"
)
_TOTAL = "SELECT coalesce(sum(number), 0) FROM record_totals WHERE key = ? AND value IN ({})"
_SIZE = "SELECT count(*) FROM (SELECT 1 FROM record_keys WHERE key = ? AND value IN ({}) LIMIT ?)"
_VALUES = "SELECT {} value FROM {} WHERE key = ? AND value >= ? AND value < ?"
_LIKE = f" AND (length(value) >= {LONGEST} OR {{}})"
_DAYS = "SELECT coalesce(sum(number), 0) FROM record_totals WHERE key = ? AND value >= ? AND value < ?"
_LOAD = f"SELECT {COLUMNS} FROM records WHERE id IN ({{}})"  # noqa: S608

_LAST = 10_000 * 366 * DAY  # behind all days that there are

_Place: TypeAlias = "tuple[int, int]"  # position and id


class RecordSearching:
    """One search, chunk by chunk; each chunk may be read on another connection."""

    def __init__(self, search: RecordSearch) -> None:
        self._kind = search.kind
        self._conditions = search.conditions
        self._plan = plan(search.conditions, search.kind)
        self._left = min(FAR if search.limit is None else search.limit, FAR)
        self._skip = min(search.offset, FAR)
        self._counts = search.limit is not None or search.offset > 0
        self._exact = self._plan.exact
        self._low, self._high = self._plan.low, self._plan.high
        self._hands: list[AtHand] = []  # the rarest first
        self._odd: tuple[str, ...] = ()  # oddities that there are
        self._after: _Place = (FIRST, -1)
        self._sorted: list[_Place] = []
        self.ended = False

    def open(self, connection: Connection) -> tuple[list[Record], int, int | None]:
        """Return the first chunk, how many matches are behind the last of all, and how many there are if counted."""
        self._prepare(connection)
        if not self._counts:
            return self.read(connection), 0, None
        skip, left = self._skip, self._left
        if self._exact:
            total, first = self._count(connection), None
        else:
            total, first = self._look_through(connection)
        given = min(max(0, total - skip), left)
        if not given:
            self.ended, first = True, []
        elif first is None:
            first = self.read(connection)
        self.ended = self.ended or given == len(first)
        return first, max(0, total - skip - given), total

    def read(self, connection: Connection) -> list[Record]:
        """Return the next chunk; empty at the end."""
        if self._exact and not self._odd:
            places = self._next(connection, min(CHUNK, self._left), self._skip)
            self._skip = 0
            self._left -= len(places)
            self.ended = self.ended or self._left <= 0
            return self._load(connection, places)
        found: list[Record] = []
        while not found and not self.ended:
            for record in self._matching(connection, self._next(connection, CHUNK)):
                if self._skip > 0:
                    self._skip -= 1
                    continue
                found.append(record)
                self._left -= 1
                if self._left <= 0:
                    self.ended = True
                    break
        return found

    # The way to look

    def _prepare(self, connection: Connection) -> None:
        """Decide what leads and what is probed."""
        hands = list(self._plan.at_hand)
        for sieve in self._plan.sieves:
            hand = self._sift(connection, sieve)
            self._exact = self._exact and hand is not None and hand.exact
            if hand is not None:
                hands.append(hand)
        if self._plan.dated and self._total(connection, 0, (SPAN_ODDITY,)):
            self._low, self._high, self._exact = FIRST, FAR, False
        self._odd = tuple(name for name in sorted(self._plan.oddities) if self._total(connection, 0, (name,)))
        sized = sorted(((self._size(connection, hand), hand) for hand in hands), key=lambda pair: pair[0])
        self.ended = bool(sized) and sized[0][0] == 0
        self._hands = [hand for _, hand in sized]
        self._after = self._low, -1

    def _sift(self, connection: Connection, sieve: Sieve) -> AtHand | None:
        """Return the values that a condition holds of; None where there are too many to look at."""
        key = sieve.key
        statement = _VALUES.format(*(("", "record_totals") if key.few else ("DISTINCT", "record_keys")))
        behind = b"" if not sieve.prefix else sieve.prefix + "\U0010ffff"  # no text is behind a blob
        if sieve.patterns:
            statement += _LIKE.format(" OR ".join(["value GLOB ?"] * len(sieve.patterns)))
        globs = [pattern.replace("[", "[[]") for pattern in sieve.patterns]
        found: list[str] = []
        exact = True
        for (text,) in connection.execute(statement, (self._kind.key(key.number), sieve.prefix, behind, *globs)):
            whole = len(text) < LONGEST
            if not whole or sieve.holds(text):
                found.append(text)
                exact = exact and whole
                if len(found) > _KEPT:
                    return None
        return AtHand(key.number, tuple(found), key.few, exact=exact)

    def _size(self, connection: Connection, hand: AtHand) -> int:
        if hand.few:
            return self._total(connection, hand.number, hand.values)
        statement = _SIZE.format(_among(hand.values))
        name = self._kind.key(hand.number)
        row = connection.execute(statement, (name, *_given(hand.values), _COUNTED)).fetchone()
        return int(row[0])

    def _total(self, connection: Connection, number: int, values: Sequence[str]) -> int:
        return self._sum(connection, self._kind.key(number), values)

    def _sum(self, connection: Connection, name: int, values: Sequence[str]) -> int:
        row = connection.execute(_TOTAL.format(_among(values)), (name, *_given(values))).fetchone()
        return int(row[0])

    # Places: where matches stand

    def _next(self, connection: Connection, number: int, skip: int = 0) -> list[_Place]:
        """Return the next places by the keys at hand."""
        if self._hands and len(self._hands[0].values) > _MERGED:
            if len(self._sorted) < skip + number:
                self._sorted += self._walk(
                    connection, self._hands, self._sorted[-1] if self._sorted else self._after, _SORTED + skip + number
                )
            places = self._sorted[skip : skip + number]
            del self._sorted[: skip + number]
        else:
            places = self._walk(connection, self._hands, self._after, number, skip)
        if len(places) < number:
            self.ended = True
        if places:
            self._after = places[-1]
        return places

    def _walk(
        self, connection: Connection, hands: Sequence[AtHand], after: _Place, limit: int, skip: int = 0
    ) -> list[_Place]:
        """Return the places, in order, where all keys at hand have one of their values."""
        if not hands:
            return connection.execute(_OF_KIND, (self._kind.number, *after, self._high, limit, skip)).fetchall()
        lead, probes, values = hands[0], *self._probes(hands[1:])
        name = self._kind.key(lead.number)
        order = " ORDER BY k.position, k.record LIMIT ? OFFSET ?"
        if len(lead.values) > _MERGED:
            statement = _OF_KEY.format("DISTINCT k.position, k.record", _among(lead.values), probes) + order
            return connection.execute(
                statement, (name, *_given(lead.values), *after, self._high, *values, limit, skip)
            ).fetchall()
        statement = _OF_KEY.format("k.position, k.record", "?", probes) + order
        if len(lead.values) == 1:
            return connection.execute(
                statement, (name, lead.values[0], *after, self._high, *values, limit, skip)
            ).fetchall()
        each = [
            connection.execute(statement, (name, value, *after, self._high, *values, skip + limit, 0))
            for value in lead.values
        ]
        places = (place for place, _ in groupby(heapq.merge(*each)))  # what has several of the values stands once
        return list(islice(places, skip, skip + limit))

    def _probes(self, hands: Sequence[AtHand]) -> tuple[str, list[Any]]:
        text = "".join(_PROBE.format(_among(hand.values)) for hand in hands)
        return text, [value for hand in hands for value in (self._kind.key(hand.number), *_given(hand.values))]

    def _matching(self, connection: Connection, places: Sequence[_Place]) -> Iterator[Record]:
        """Yield the records at these places that the predicate holds of."""
        for row in self._rows(connection, places):
            if self._plan.tags:  # most data sets do not even have the attributes
                text = inflated(row[3])
                if not all(tag in text for tag in self._plan.tags):
                    continue
            record = record_of(self._kind, row)
            if matching.matches(self._conditions, record.attributes):
                yield record

    def _load(self, connection: Connection, places: Sequence[_Place]) -> list[Record]:
        return [record_of(self._kind, row) for row in self._rows(connection, places)]

    def _rows(self, connection: Connection, places: Sequence[_Place]) -> list[tuple[Any, ...]]:
        ids = [id for _, id in places]
        rows = {row[0]: row for row in connection.execute(_LOAD.format(_marks(ids)), ids)}
        return [rows[id] for id in ids if id in rows]

    # How many

    def _count(self, connection: Connection) -> int:
        """Count without the records, but for odd ones."""
        if self.ended:
            return 0
        total = self._counted(connection)
        if self._odd:
            odd = [AtHand(0, self._odd, few=False, exact=True), *self._hands]
            after: _Place = (self._low, -1)
            while places := self._walk(connection, odd, after, CHUNK):
                after = places[-1]
                found = self._load(connection, places)
                total -= sum(not matching.matches(self._conditions, record.attributes) for record in found)
        return total

    def _counted(self, connection: Connection) -> int:
        everywhere = (self._low, self._high) == (FIRST, FAR)
        hands = self._hands
        if not hands:
            if everywhere:
                return self._total(connection, 0, ("",))
            return self._by_days(connection, None)
        pivot = len(hands) == 1 and hands[0].number == self._kind.pivot and len(hands[0].values) <= _MERGED
        if not everywhere and pivot and self._adds_up(connection, hands[0]):
            return sum(self._by_days(connection, value) for value in hands[0].values)
        if everywhere and len(hands) <= 2 and all(self._adds_up(connection, hand) for hand in hands):
            if len(hands) == 1:
                return self._total(connection, hands[0].number, hands[0].values)
            one, other = sorted(hands, key=lambda hand: hand.number != self._kind.pivot)
            if (one.number == self._kind.pivot) != (other.number == self._kind.pivot):
                pairs = [paired(first, second) for first in one.values for second in other.values]
                if len(pairs) <= _KEPT:
                    return self._sum(connection, self._kind.pair(other.number), pairs)
        lead, probes, values = hands[0], *self._probes(hands[1:])
        what = "count(*)" if len(lead.values) == 1 else "count(DISTINCT k.record)"
        statement = _OF_KEY.format(what, _among(lead.values), probes)
        name = self._kind.key(lead.number)
        row = connection.execute(statement, (name, *_given(lead.values), self._low, -1, self._high, *values)).fetchone()
        return int(row[0])

    def _by_days(self, connection: Connection, value: str | None) -> int:
        """Count in the span: of a value of the pivot, or all; whole days by their totals."""
        low, high = max(self._low, NOWHERE), min(self._high, _LAST)
        first, behind = max(1, -(-low // DAY)), high // DAY  # whole days; what has no date counts as day 0
        if first >= behind:
            return self._in_span(connection, value, low, high)
        days = [day_of(first * DAY), day_of(behind * DAY)]
        if value is None:
            name = self._kind.pair(0)
        else:
            name, days = self._kind.pair(self._kind.pivot), [paired(value, day) for day in days]
        total = int(connection.execute(_DAYS, (name, *days)).fetchone()[0])
        total += self._in_span(connection, value, low, first * DAY)
        return total + self._in_span(connection, value, behind * DAY, high)

    def _in_span(self, connection: Connection, value: str | None, low: int, high: int) -> int:
        if low >= high:
            return 0
        if value is None:
            return int(connection.execute(_IN_KIND, (self._kind.number, low, high)).fetchone()[0])
        name = self._kind.key(self._kind.pivot)
        statement = _OF_KEY.format("count(*)", "?", "")
        return int(connection.execute(statement, (name, value, low, -1, high)).fetchone()[0])

    def _adds_up(self, connection: Connection, hand: AtHand) -> bool:
        """Whether the totals of the values are of different records."""
        return hand.few and (len(hand.values) == 1 or not self._total(connection, 0, (many_values(hand.number),)))

    def _look_through(self, connection: Connection) -> tuple[int, list[Record]]:
        """Count with the records; return the first chunk too, and be behind it."""
        total, first = 0, list[Record]()
        after = self._after
        while not self.ended:
            for record in self._matching(connection, self._next(connection, CHUNK)):
                if self._skip <= total < self._skip + self._left and len(first) < CHUNK:
                    first.append(record)
                    after = self._kind.position(record.attributes), record.id or 0
                total += 1
        self.ended = False
        self._sorted.clear()
        self._after, self._skip, self._left = after, 0, self._left - len(first)
        return total, first


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _among(values: Sequence[str]) -> str:
    """What stands in ``IN (…)``: parameters, or the one of a long list."""
    return _marks(values) if len(values) <= _NAMED else "SELECT value FROM json_each(?)"


def _given(values: Sequence[str]) -> Sequence[str]:
    """The parameters of `_among`."""
    return values if len(values) <= _NAMED else (orjson.dumps(values).decode(),)
