"""Attribute matching of PS3.4 C.2.2.2 as typed conditions, and the reference predicate.

A search is a list of conditions; this module knows neither URLs nor SQL. Whatever an index does to be quick,
`matches` says what the answer is: property tests hold every index to it.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, assert_never

from skiagraph.standard import date_time, person_name
from skiagraph.values import Attributes, Level

Path: TypeAlias = tuple[str, ...]
"""Tags from the data set down to the attribute: ("00100010",) or ("00400275", "00400009").

Private elements have their block resolved to 10 in the path; `Private` names the creator."""


@dataclass(frozen=True, slots=True)
class Single:
    """Single Value Matching (C.2.2.2.1): equality, case-sensitive; numbers by value; PN by `PersonName`."""

    path: Path
    vr: str
    """UN: not known to the query; the value is compared as the VR of the data set says."""
    value: str


@dataclass(frozen=True, slots=True)
class Wildcard:
    """Wild Card Matching (C.2.2.2.4): ``*`` any run, ``?`` one character; case-sensitive."""

    path: Path
    vr: str
    pattern: str


@dataclass(frozen=True, slots=True)
class UidList:
    """List of UID Matching (C.2.2.2.2)."""

    path: Path
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """Range Matching (C.2.2.2.5) of one DA, TM or DT attribute; both ends inclusive, None is open.

    A single date, time or date-time is a Range too: `low` = `high`, since TM ``2230`` means the minute. Both ends
    cover all of their unit; a value of the data set stands at its first moment. Malformed values match nothing.
    """

    path: Path
    vr: str
    low: str | None
    high: str | None
    timezone: str | None = None
    """DT only: TimezoneOffsetFromUTC (0008,0201) of the query, such as ``+0100``; None: as stored.

    Counts where the end has no offset of its own. A value's offset is its own, else that of its data set. Where
    either side has none, local times are compared. A date or a time alone is no moment: offsets do not touch it.
    """


@dataclass(frozen=True, slots=True)
class DateTimeRange:
    """Combined Datetime Matching (C.2.2.2.5.4, PS3.18 §8.3.4.1.1): a DA and a TM attribute as one interval.

    Matches where the date is there; a missing time is the start of the day.
    """

    date_path: Path
    time_path: Path
    low: str | None
    """Date and time glued, ``20220928214137``, or a date alone; inclusive, the whole unit; None is open."""
    high: str | None
    timezone: str | None = None
    """As in `Range`; the data set's is its (0008,0201)."""


@dataclass(frozen=True, slots=True)
class PersonName:
    """PN matching by the rules of `standard.person_name`: folded, per component group, with wildcards.

    `fuzzy` adds names in which each word of the key begins, or sounds like, some word.
    """

    path: Path
    value: str
    fuzzy: bool = False


@dataclass(frozen=True, slots=True)
class Empty:
    """Empty Value Matching (C.2.2.2.7): the attribute is absent or has no value; a Sequence has no Item."""

    path: Path
    vr: str


@dataclass(frozen=True, slots=True)
class Multiple:
    """Multiple Value Matching (C.2.2.2.8): the attribute holds every one of the values."""

    path: Path
    vr: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InSequence:
    """Sequence Matching (C.2.2.2.6): one Item of the Sequence satisfies all conditions (paths relative to the Item)."""

    path: Path
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Private:
    """A condition on a private element: the block is found by its creator in each data set.

    `condition.path` holds the element with block 10, such as ("00091002",).
    """

    creator: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of the conditions holds: a list of Code Strings such as ``ModalitiesInStudy=CT,MR``, or two readings.

    All of them have the same path.
    """

    conditions: tuple[Condition, ...]


Condition: TypeAlias = (
    "Single | Wildcard | UidList | Range | DateTimeRange | PersonName | Empty | Multiple | InSequence | Private | AnyOf"
)


@dataclass(frozen=True, slots=True)
class Search:
    """One search: which level is returned, where, and under which conditions.

    Universal matching is no condition: it is an entry of `include`.
    """

    level: Level
    study_instance_uid: str | None = None
    """Given by the resource path (hierarchical searches)."""
    series_instance_uid: str | None = None
    conditions: tuple[Condition, ...] = ()
    include: tuple[Path, ...] = ()
    """Attributes to return beyond the tables of PS3.18 §10.6.3.3."""
    include_private: tuple[tuple[str, Path], ...] = ()
    """Private attributes to return: creator, and path with block 10. Their creator element is returned too."""
    include_all: bool = False
    limit: int | None = None
    offset: int = 0
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """Sentences for the user agent, such as ignored parameters."""


# The reference predicate ----------------------------------------------------------------------------------------

_NUMERIC = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
_INTEGER = re.compile(r"[+-]?\d{1,40}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})([eE][+-]?\d{1,3})?", re.ASCII)
_TIMEZONE = "00080201"


def matches(conditions: Condition | Sequence[Condition], attributes: Attributes) -> bool:
    """Whether a data set satisfies a condition, or every one of several."""
    zone = next(
        (offset for offset in map(date_time.zone, _texts(attributes, (_TIMEZONE,))) if offset is not None), None
    )
    if isinstance(conditions, Sequence):
        return all(_holds(condition, attributes, zone) for condition in conditions)
    return _holds(conditions, attributes, zone)


def number(value: Any) -> int | float | None:
    """Return what an IS, DS or numeric value says, from a JSON number or its text; None when it is no number."""
    if isinstance(value, str):
        text = value.strip(" ")
        if _INTEGER.fullmatch(text):
            return int(text)
        if not _DECIMAL.fullmatch(text):
            return None
        value = float(text)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def like(pattern: str, text: str) -> bool:
    """Whether a text matches a pattern as a whole: ``*`` any run, ``?`` one character, all else itself.

    Takes at most len(pattern) × len(text) steps, whatever the pattern.
    """
    p = t = 0
    star, mark = -1, 0  # the last ``*``, and the text up to which it reaches
    while t < len(text):
        if p < len(pattern) and pattern[p] == "*":
            star, mark = p, t
            p += 1
        elif p < len(pattern) and pattern[p] in ("?", text[t]):
            p += 1
            t += 1
        elif star >= 0:
            mark += 1
            p, t = star + 1, mark
        else:
            return False
    return all(character == "*" for character in pattern[p:])


def _holds(condition: Condition, attributes: Attributes, zone: int | None) -> bool:
    match condition:
        case Single(path, vr, value):
            return any(_equal(value, found, vr) for found in values_at(attributes, path))
        case Wildcard(path, _, pattern):
            return any(like(pattern, text) for text in _texts(attributes, path))
        case UidList(path, values):
            return any(text in values for text in _texts(attributes, path))
        case Range(path, vr, low, high, timezone):
            bounds = _bounds(vr, low, high, timezone)
            return bounds is not None and any(
                _between(value, bounds, zone) for value in _moments(vr, _texts(attributes, path))
            )
        case DateTimeRange(date_path, time_path, low, high, timezone):
            bounds = _bounds("DT", low, high, timezone)
            dates, times = list(_texts(attributes, date_path)), list(_texts(attributes, time_path))
            return bounds is not None and any(
                _between((moment, None), bounds, zone) for moment in _combined(dates, times)
            )
        case PersonName(path, value, fuzzy):
            names = (person_name.groups(name) for name, _ in values_at(attributes, path))
            return any(_same_name(value, name, fuzzy) for name in names)
        case Empty(path, _):
            return not any(_has_value(element) for element in _elements(attributes, path))
        case Multiple(path, vr, values):
            if vr == "PN":
                return all(_holds(PersonName(path, value), attributes, zone) for value in values)
            return all(any(_equal(value, found, vr) for found in values_at(attributes, path)) for value in values)
        case InSequence(path, conditions):
            return any(
                all(_holds(inner, item, zone) for inner in conditions)
                for element in _elements(attributes, path)
                for item in element.get("Value") or ()
                if isinstance(item, dict)
            )
        case Private(creator, inner):
            return _holds_private(creator, inner, attributes, zone)
        case AnyOf(conditions):
            return any(_holds(inner, attributes, zone) for inner in conditions)
        case _:
            assert_never(condition)


def blocks(attributes: Attributes, group: str, creator: str) -> Iterator[str]:
    """Yield the blocks ("10" to "FF") that a private creator has reserved in a group (PS3.5 §7.8.1)."""
    for tag, element in attributes.items():
        if tag[:6] == group + "00" and tag[6:] >= "10" and creator in (element.get("Value") or ()):
            yield tag[6:]


def _holds_private(creator: str, condition: Condition, attributes: Attributes, zone: int | None) -> bool:
    if isinstance(condition, AnyOf):
        return any(_holds_private(creator, inner, attributes, zone) for inner in condition.conditions)
    if isinstance(condition, Private | DateTimeRange):
        raise TypeError(f"{type(condition).__name__} can not stand in Private")
    tag, *rest = condition.path
    found = list(blocks(attributes, tag[:4], creator))
    if not found:
        return isinstance(condition, Empty)
    if isinstance(condition, Empty):  # absent or empty in every block of the creator
        return all(
            _holds(replace(condition, path=(tag[:4] + block + tag[6:], *rest)), attributes, zone) for block in found
        )
    return any(_holds(replace(condition, path=(tag[:4] + block + tag[6:], *rest)), attributes, zone) for block in found)


# Values of a data set -------------------------------------------------------------------------------------------


def _elements(attributes: Attributes, path: Path) -> Iterator[dict[str, Any]]:
    """Yield the elements at a path: that of every Item on the way."""
    element = attributes.get(path[0])
    if not isinstance(element, dict):
        return
    if len(path) == 1:
        yield element
        return
    for item in element.get("Value") or ():
        if isinstance(item, dict):
            yield from _elements(item, path[1:])


def values_at(attributes: Attributes, path: Path) -> Iterator[tuple[Any, str]]:
    """Yield the values at a path, each with the VR of its element; empty ones are left out."""
    for element in _elements(attributes, path):
        vr = element.get("vr", "UN")
        for value in _unknown(element) if vr == "UN" else element.get("Value") or ():
            if value not in (None, ""):
                yield value, vr


def _unknown(element: dict[str, Any]) -> Iterable[Any]:
    """Values of a UN element: its bytes read as text, as most private elements of unknown VR are."""
    inline = element.get("InlineBinary")
    if not isinstance(inline, str):
        return element.get("Value") or ()
    try:
        data = base64.b64decode(inline, validate=True)
    except (binascii.Error, ValueError):
        return ()
    return (text.strip(" ") for text in data.rstrip(b"\0").decode("utf-8", "replace").split("\\"))


def _texts(attributes: Attributes, path: Path) -> Iterator[str]:
    return (value for value, _ in values_at(attributes, path) if isinstance(value, str))


def _has_value(element: dict[str, Any]) -> bool:
    if "BulkDataURI" in element or element.get("InlineBinary"):
        return True
    if element.get("vr") == "SQ":
        return bool(element.get("Value"))
    return any(value not in (None, "", {}) for value in element.get("Value") or ())


def _equal(key: str, found: tuple[Any, str], vr: str) -> bool:
    value, stored_vr = found
    if vr in _NUMERIC or (vr == "UN" and not isinstance(value, str)):
        wanted = number(key)
        return wanted is not None and wanted == number(value)
    if vr == "UN" and stored_vr in _NUMERIC:
        return number(key) is not None and number(key) == number(value)
    return bool(value == key)


# Dates and times ------------------------------------------------------------------------------------------------

_Moment: TypeAlias = "tuple[date_time.Interval, int | None]"  # in local time, with its offset from UTC


def _moment(vr: str, text: str) -> _Moment | None:
    if vr == "DT":
        return date_time.date_time(text)
    interval = date_time.date(text) if vr == "DA" else date_time.time(text)
    return None if interval is None else (interval, None)


def _moments(vr: str, texts: Iterable[str]) -> Iterator[tuple[int, int | None]]:
    for text in texts:
        if (moment := _moment(vr, text)) is not None:
            yield moment[0][0], moment[1]


def _combined(dates: Sequence[str], times: Sequence[str]) -> Iterator[int]:
    for i, text in enumerate(dates):
        day = date_time.date(text)
        if day is not None:
            within = date_time.time(times[i]) if i < len(times) else None
            yield day[0] + (within[0] if within is not None else 0)


_Bounds: TypeAlias = "tuple[tuple[int, int | None] | None, tuple[int, int | None] | None]"  # inclusive, exclusive


def _bounds(vr: str, low: str | None, high: str | None, timezone: str | None) -> _Bounds | None:
    """Return first moment and first moment behind, each with its offset; None when an end is malformed."""
    asked = date_time.zone(timezone)
    ends: list[tuple[int, int | None] | None] = []
    for i, text in enumerate((low, high)):
        if text is None:
            ends.append(None)
            continue
        moment = _moment(vr, text)
        if moment is None:
            return None
        interval, offset = moment
        ends.append((interval[i], asked if offset is None else offset))
    return ends[0], ends[1]


def _between(value: tuple[int, int | None], bounds: _Bounds, zone: int | None) -> bool:
    moment, offset = value
    offset = zone if offset is None else offset
    low, high = bounds
    return (low is None or moment - _shift(offset, low[1]) >= low[0]) and (
        high is None or moment - _shift(offset, high[1]) < high[0]
    )


def _shift(stored: int | None, asked: int | None) -> int:
    """Microseconds to take off a stored local time so that it reads as in the zone of the query."""
    return 0 if stored is None or asked is None else stored - asked


# Names ----------------------------------------------------------------------------------------------------------


def _same_name(key: str, name: tuple[str, str, str], fuzzy: bool) -> bool:
    asked = person_name.query_groups(key)
    if len(asked) == 1:
        if any(group and _same_group(asked[0], group) for group in name):
            return True
    elif all(_same_group(group, stored) for group, stored in zip(asked, name, strict=True)):
        return True
    return fuzzy and _similar("^".join(asked), name)


def _same_group(asked: str, group: str) -> bool:
    return not asked or any(like(pattern, group) for pattern in person_name.patterns(asked))


def _similar(asked: str, name: tuple[str, str, str]) -> bool:
    words = [word for group in name for word in person_name.words(group)]
    keys = person_name.pattern_words(asked)
    return bool(keys) and all(any(_similar_word(key, word) for word in words) for key in keys)


def _similar_word(key: str, word: str) -> bool:
    if "*" in key or "?" in key:
        return like(key, word)
    return word.startswith(key) or person_name.sounds_like(key, word)
