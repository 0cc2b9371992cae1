"""What a search for records can be answered by: keys at hand, values to be sifted, and a span of the order.

Pure: conditions in, plan out. `record_search` follows the plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from skiagraph.standard import date_time, matching, person_name
from skiagraph.standard.kind import LONGEST, NOWHERE, SEVERAL_DATES, Key, Kind, many_items, paired
from skiagraph.standard.matching import (
    AnyOf,
    Condition,
    DateTimeRange,
    Empty,
    InSequence,
    Multiple,
    Path,
    PersonName,
    Private,
    Range,
    Single,
    UidList,
    Wildcard,
)

FIRST, FAR = -(2**63), 2**62
"""Positions before and behind all."""

_ZONES = 28 * date_time.DAY // 24  # microseconds that two offsets from UTC can lie apart
_UNKNOWN = "UN"  # a VR under which numbers may match
_NUMERIC = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})


@dataclass(frozen=True, slots=True)
class AtHand:
    """A condition that the index answers: one of these values in a key."""

    number: int
    """Of the key in its kind; 0: oddities."""
    values: tuple[str, ...]
    few: bool
    exact: bool
    """The predicate has nothing to add."""


@dataclass(frozen=True, slots=True)
class Sieve:
    """A condition on a key that is looked at value by value; what remains is at hand."""

    key: Key
    condition: Condition
    """On the path ``(tag,)``, whatever Items the key is in."""
    prefix: str
    """What all values begin with."""
    patterns: tuple[str, ...] = ()
    """One of these every value matches; none: any may be it."""

    def holds(self, value: str) -> bool:
        """Whether the condition holds of a value of the key, as `Kind.entries` has them."""
        tag = self.key.path[-1]
        content: object = {"Alphabetic": value} if self.key.vr == "PN" else value
        return matching.matches(self.condition, {tag: {"vr": self.key.vr, "Value": [content]}})


@dataclass(slots=True)
class Plan:
    """How a search is answered."""

    at_hand: list[AtHand] = field(default_factory=list)
    sieves: list[Sieve] = field(default_factory=list)
    low: int = FIRST
    """First position."""
    high: int = FAR
    """First position behind."""
    exact: bool = True
    """Off: the predicate has the last word."""
    tags: frozenset[bytes] = frozenset()
    """Members of the JSON text of every data set that matches: ``"00741000":``."""
    oddities: set[str] = field(default_factory=set)
    """Data sets with one of these may be found though the predicate does not hold of them."""

    @property
    def dated(self) -> bool:
        return (self.low, self.high) != (FIRST, FAR)


def plan(conditions: Sequence[Condition], kind: Kind) -> Plan:
    """Return how to look for what conditions hold of."""
    found = Plan(tags=frozenset(f'"{tag}":'.encode() for tag in _needed(conditions)))
    for condition in _flat(conditions, (), kind, found):
        if isinstance(condition, AtHand):
            found.at_hand.append(condition)
            found.exact &= condition.exact
            continue
        span = _span(condition, kind)
        if span is not None:
            low, high, exact = span
            found.low, found.high = max(found.low, low), min(found.high, high)
            found.exact &= exact
            continue
        match _at_hand(condition, kind):
            case AtHand() as hand:
                found.at_hand.append(hand)
                found.exact &= hand.exact
            case Sieve() as sieve:
                found.sieves.append(sieve)
            case None:
                found.exact = False
    return found


def _needed(conditions: Sequence[Condition]) -> Iterator[str]:
    """Yield tags that a data set has if all conditions hold."""
    for condition in conditions:
        match condition:
            case InSequence(path, inner):
                yield from path
                yield from _needed(inner)
            case DateTimeRange(date_path):
                yield from date_path
            case AnyOf(inner):
                if inner:  # they have one path
                    yield from _needed(inner[:1])
            case Private() | Empty():
                pass
            case _:
                yield from condition.path


def _flat(conditions: Sequence[Condition], above: Path, kind: Kind, found: Plan) -> Iterator[Condition | AtHand]:
    """Yield conditions by their whole paths, or what they have at hand; note in the plan where these say less.

    Several conditions on one Sequence must hold in one and the same Item: that makes a difference where there are
    several Items.
    """
    number = 0
    conditions, joined = _joined(conditions, above, kind)
    if joined is not None:
        number += 1
        yield joined
    for condition in conditions:
        match condition:
            case InSequence(path, inner):
                number += 1
                yield from _flat(inner, (*above, *path), kind, found)
            case Multiple(path, "PN", values):
                number += len(values)
                yield from (PersonName((*above, *path), value) for value in values)
            case Multiple(path, vr, values):
                number += len(values)
                yield from (Single((*above, *path), vr, value) for value in values)
            case _:
                number += 1
                yield _moved(condition, above)
    if above and number > 1:
        if above in kind.sequences:
            found.oddities.add(many_items(above))
        else:
            found.exact = False


def _joined(conditions: Sequence[Condition], above: Path, kind: Kind) -> tuple[Sequence[Condition], AtHand | None]:
    """Take out two conditions on one Item that a key stands for together."""
    given = {one.path: one for one in conditions if isinstance(one, Single)}
    for key in kind.keys:
        if key.beside is not None and key.path[:-1] == above:
            one, other = given.get(key.path[-1:]), given.get((key.beside,))
            if one is not None and other is not None and _UNKNOWN not in (one.vr, other.vr):
                rest = [condition for condition in conditions if condition not in (one, other)]
                return rest, _hand(key, (paired(one.value, other.value),))
    return conditions, None


def _moved(condition: Condition, above: Path) -> Condition:
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


# Keys -------------------------------------------------------------------------------------------------------------


def _at_hand(condition: Condition, kind: Kind) -> AtHand | Sieve | None:
    if isinstance(condition, AnyOf):
        return _any_of(condition, kind)
    key = _key(condition, kind)
    if key is None or key.vr in _NUMERIC:
        return None
    match condition:
        case Single(_, vr, value) if vr != _UNKNOWN and vr not in _NUMERIC and key.vr != "PN":
            return _hand(key, (value,))
        case UidList(_, values):
            return _hand(key, values)
        case PersonName(_, value, False) if key.vr == "PN":
            asked = person_name.query_groups(value)
            if len(asked) > 1 or not asked[0]:
                return None  # a group by its place, or universal matching
            if not {"*", "?"} & set(asked[0]):
                return _hand(key, asked)
            return _sieve(key, condition, person_name.patterns(asked[0]))
        case Wildcard(_, vr, pattern) if vr != _UNKNOWN and key.vr != "PN":
            return _sieve(key, condition, (pattern,))
        case Range(_, _, _, _, None) if key.vr in ("DA", "TM"):
            return _sieve(key, condition, ())
    return None


def _any_of(condition: AnyOf, kind: Kind) -> AtHand | Sieve | None:
    hands = [_at_hand(one, kind) for one in condition.conditions]
    known = [hand for hand in hands if isinstance(hand, AtHand)]
    if known and len(known) == len(hands) and len({hand.number for hand in known}) == 1:
        values = dict.fromkeys(value for hand in known for value in hand.values)
        return replace(known[0], values=tuple(values), exact=all(hand.exact for hand in known))
    key = _key(condition.conditions[0], kind) if condition.conditions else None
    if key is None or None in hands or any(_key(one, kind) != key for one in condition.conditions):
        return None
    tag = (key.path[-1],)
    return Sieve(key, AnyOf(tuple(_at(one, tag) for one in condition.conditions)), "")


def _key(condition: Condition, kind: Kind) -> Key | None:
    path = getattr(condition, "path", None)
    return next((key for key in kind.keys if key.path == path and key.beside is None), None)


def _hand(key: Key, values: Sequence[str]) -> AtHand:
    cut = tuple(dict.fromkeys(value[:LONGEST] for value in values))
    return AtHand(key.number, cut, key.few, exact=all(len(value) < LONGEST for value in values))


def _sieve(key: Key, condition: Condition, patterns: tuple[str, ...]) -> Sieve:
    prefix = _shared([re.split(r"[*?]", pattern, maxsplit=1)[0] for pattern in patterns]) if patterns else ""
    return Sieve(key, _at(condition, (key.path[-1],)), prefix[:LONGEST], patterns)


def _at(condition: Condition, path: Path) -> Condition:
    if isinstance(condition, AnyOf | Private | DateTimeRange):
        raise TypeError(f"{type(condition).__name__} has no path of its own")
    return replace(condition, path=path)


def _shared(texts: Sequence[str]) -> str:
    """What several texts begin with."""
    low, high = min(texts), max(texts)
    end = next((i for i, (one, other) in enumerate(zip(low, high, strict=False)) if one != other), len(low))
    return low[:end]


# The order --------------------------------------------------------------------------------------------------------


def _span(condition: Condition, kind: Kind) -> tuple[int, int, bool] | None:
    """First position, first one behind, and whether that says it all; None for what is no range of the order."""
    match condition:
        case Range(path, "DA", low, high, timezone) if path == kind.date and kind.time is not None:
            ends = [None if text is None else date_time.date(text) for text in (low, high)]
            offsets = False
        case Range(path, "DT", low, high, timezone) if path == kind.date and kind.time is None:
            ends, offsets = _moments(low, high)
        case DateTimeRange(date_path, time_path, low, high, timezone) if (date_path, time_path) == (
            kind.date,
            kind.time,
        ):
            ends, offsets = _moments(low, high)
        case _:
            return None
    if (low is not None and ends[0] is None) or (high is not None and ends[1] is None):
        return None  # malformed: the predicate knows
    exact = timezone is None and not offsets
    first = NOWHERE + 1 if ends[0] is None else ends[0][0]
    behind = FAR if ends[1] is None else ends[1][1]
    if exact:
        return first, behind, True
    return (FIRST if ends[0] is None else first - _ZONES), (FAR if ends[1] is None else behind + _ZONES), False


def _moments(low: str | None, high: str | None) -> tuple[list[date_time.Interval | None], bool]:
    """Both ends, and whether one has an offset of its own."""
    found = [None if text is None else date_time.date_time(text) for text in (low, high)]
    ends = [None if moment is None else moment[0] for moment in found]
    return ends, any(moment is not None and moment[1] is not None for moment in found)


SPAN_ODDITY = SEVERAL_DATES
"""A data set with it can lie outside the span and match all the same."""
