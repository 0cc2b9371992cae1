"""Match keys of a search: what the value of an attribute in a query asks for — PS3.18 §8.3.4.1, PS3.4 C.2.2.2.

Where the standard leaves room, or clients write what it does not foresee:

- Lists of UIDs and of Code Strings are split at ``,``, ``%2C`` and ``\\``, none of which can stand inside them
  (OHIF sends UIDs with two backslashes between them); empty members do not count.
- A list of Code Strings matches any of them (``ModalitiesInStudy=CT,MR``) unless ``multiplevaluematching=true``.
  In all other text a comma is a character of the value.
- ``+`` is a plus sign (RFC 3986). As form encoders write blanks so, text with a raw ``+`` matches either way.
- Wildcards where the VR has none (UI, DA, TM, DT, numbers …) are a `BadRequest`.
- Dates with dots and times with colons, as ACR-NEMA had them, are read; a range with its ends the wrong way round
  matches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from skiagraph.errors import BadRequest
from skiagraph.standard import date_time
from skiagraph.standard.attributes import DATE_TIME_PAIRS
from skiagraph.standard.matching import (
    AnyOf,
    Condition,
    DateTimeRange,
    Empty,
    Multiple,
    Path,
    PersonName,
    Range,
    Single,
    UidList,
    Wildcard,
    number,
)
from skiagraph.values import is_uid

WILDCARD_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UN", "UR", "UT"})
"""VRs that take wildcards (PS3.4 C.2.2.2.4); UN stands for a VR that no dictionary knows."""

_MULTIPLE_VRS = frozenset({"AE", "AS", "AT", "CS", "LO", "PN", "SH", "UC"})  # PS3.4 C.2.2.2.8
_BLANK_VRS = frozenset({"CS", "LO", "LT", "PN", "SH", "ST", "UC", "UN", "UT"})  # blanks can stand inside
_CODED_VRS = frozenset({"AE", "AS", "AT", "CS"})  # commas can not
_NUMERIC_VRS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
_TRAILING_ONLY = frozenset({"LT", "ST", "UC", "UR", "UT"})  # leading blanks count (PS3.5 §6.2)

_MOST_STARS = 16  # in one value: more cost time and say nothing
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_STARS = re.compile(r"\*+")
_LIST = re.compile(r"[,\\]")
_AGE = re.compile(r"\d{3}[DWMY]", re.ASCII)
_AT = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?", re.ASCII)
# A hyphen and four digits behind a date-time are an offset where they can be one: years before 1500 are no dates here
_DT = r"\d[\d.]*(?:\+\d{4}|-(?:0\d|1[0-4])[0-5]\d(?!\d))?"
_DT_RANGE = re.compile(rf"({_DT})?(?:(-)({_DT})?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Options:
    """Parameters that change what keys mean (Table 8.3.4-1), and the zone of the query."""

    fuzzy: bool = False
    empty: bool = False
    multiple: bool = False
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class MatchKey:
    """An attribute of a query and its value."""

    name: str
    """As the query has it, for messages."""
    path: Path
    """Of one tag: relative to the data set or Item, private ones with block 10."""
    vr: str
    values: tuple[str, ...]
    """Split at raw commas, decoded; blanks that do not count are gone."""
    plus: bool = False
    """The raw value holds ``+``, which may have been meant as a blank."""

    @classmethod
    def of(cls, name: str, path: Path, vr: str, values: list[str], *, plus: bool) -> MatchKey:
        """Make a key of decoded values.

        Raises
        ------
        BadRequest
            A value holds control characters, which no VR takes.
        """
        if any(map(_CONTROL.search, values)):
            raise BadRequest(f"The value of {name} holds control characters.")
        strip = str.rstrip if vr in _TRAILING_ONLY else str.strip
        return cls(name, path, vr, tuple(strip(value, " ") for value in values), plus)

    @property
    def value(self) -> str:
        """The value as one text: its commas are characters."""
        return ",".join(self.values)

    @property
    def universal(self) -> bool:
        """Universal Matching (C.2.2.2.3): no value, or ``*`` alone."""
        return not any(value.strip("*") for value in self.values)


def condition(key: MatchKey, options: Options) -> Condition:
    """Return what a key that is not universal asks for.

    Raises
    ------
    BadRequest
        The value is not one that the VR of the attribute takes.
    """
    if options.empty and key.value == '""':
        return Empty(key.path, key.vr)
    if key.vr == "SQ":
        raise BadRequest(f"{key.name} is a Sequence: match an attribute in its Items, as in {key.name}.CodeValue.")
    if key.vr == "UI":
        return _uids(key)
    if key.vr in ("DA", "TM", "DT"):
        return _range(key, options)
    if options.multiple and key.vr in _MULTIPLE_VRS:
        values = _list(key.values, comma=key.vr in _CODED_VRS)
        if len(values) > 1:
            return _multiple(key, values)
    readings = _readings(key)
    if key.plus and key.vr in _BLANK_VRS:
        blanks = replace(key, values=tuple(value.replace("+", " ").strip(" ") for value in key.values))
        readings += [reading for reading in _readings(blanks) if reading not in readings]
    conditions = tuple(_single(key, reading, options) for reading in readings)
    return conditions[0] if len(conditions) == 1 else AnyOf(conditions)


def combined(ranges: dict[str, Range], timezone: str | None) -> Iterator[Condition]:
    """Join the dates and times, by tag, that are pairs (Combined Datetime Matching, §8.3.4.1.1).

    A pair stays two conditions where it is no interval: a time at an end where the date is open, or one time on
    several days. With a time zone a date alone is an interval too, since days do not begin everywhere at once.
    """
    ranges = dict(ranges)
    for tag, date in list(ranges.items()):
        pair = DATE_TIME_PAIRS.get(tag)
        if pair is None or date.vr != "DA":
            continue
        time = ranges.get(pair)
        ends = None if time is None else _glue(date, time)
        if ends is not None:
            del ranges[tag], ranges[pair]
            yield DateTimeRange((tag,), (pair,), *ends, timezone)
        elif timezone is not None:
            del ranges[tag]
            yield DateTimeRange((tag,), (pair,), date.low, date.high, timezone)
    yield from ranges.values()


def timezone(key: MatchKey) -> str | None:
    """Return the value of TimezoneOffsetFromUTC, which is no key but the zone of all dates and times (§8.3.4.1).

    Raises
    ------
    BadRequest
        It is no offset.
    """
    if key.universal:
        return None
    if date_time.zone(key.value) is None:
        raise BadRequest("The value of TimezoneOffsetFromUTC is no offset such as +0100 or -0330.")
    return key.value


# Text -------------------------------------------------------------------------------------------------------------


def _list(values: tuple[str, ...], *, comma: bool) -> list[str]:
    """Members of a list: split at backslashes and, with `comma`, at encoded commas too."""
    parts = [part.strip(" ") for value in values for part in (_LIST.split(value) if comma else value.split("\\"))]
    return [part for part in parts if part]


def _readings(key: MatchKey) -> list[str]:
    """Values, one of which has to match."""
    return (_list(key.values, comma=True) if key.vr == "CS" else []) or [key.value]


def _single(key: MatchKey, value: str, options: Options) -> Condition:
    path, vr = key.path, key.vr
    if "*" in value or "?" in value:
        if vr not in WILDCARD_VRS:
            raise BadRequest(f"The value of {key.name} holds * or ?, which are no wildcards for attributes of VR {vr}.")
        value = _STARS.sub("*", value)
        if value.count("*") > _MOST_STARS:
            raise BadRequest(f"The value of {key.name} holds more than {_MOST_STARS} wildcards.")
        if vr != "PN":
            return Wildcard(path, vr, value)
    if vr == "PN":
        return PersonName(path, value, options.fuzzy)
    return Single(path, vr, _canonical(key, value))


def _multiple(key: MatchKey, values: list[str]) -> Multiple:
    if any("*" in value or "?" in value for value in values):
        raise BadRequest(f"The value of {key.name} holds * or ?, which are no wildcards with multiplevaluematching.")
    return Multiple(key.path, key.vr, tuple(_canonical(key, value) for value in dict.fromkeys(values)))


def _canonical(key: MatchKey, value: str) -> str:
    """Check a value of a VR that has a form, and return it as data sets have it."""
    if key.vr in _NUMERIC_VRS and number(value) is None:
        raise BadRequest(f"The value of {key.name} is no number: its VR is {key.vr}.")
    if key.vr == "AS" and not _AGE.fullmatch(value):
        raise BadRequest(f"The value of {key.name} is no age such as 042Y.")
    if key.vr == "AT":
        match = _AT.fullmatch(value)
        if match is None:
            raise BadRequest(f"The value of {key.name} is no tag such as 00100010.")
        return (match[1] + match[2]).upper()
    return value


def _uids(key: MatchKey) -> Condition:
    values = _list(key.values, comma=True)
    if not all(map(is_uid, values)):
        raise BadRequest(
            f"The value of {key.name} is no UID: digits and dots, at most 64 characters, no wildcards; several"
            " are separated by commas."
        )
    return UidList(key.path, tuple(dict.fromkeys(values)))


# Dates and times --------------------------------------------------------------------------------------------------


def _range(key: MatchKey, options: Options) -> Range:
    low: str | None
    high: str | None
    if key.vr == "DT":
        match = _DT_RANGE.fullmatch(key.value.replace(" ", ""))
        if match is None:
            raise _malformed(key)
        low, dash, high = match.groups()
    else:
        low, dash, high = (part.strip(" ") or None for part in key.value.partition("-"))
    if dash is None:
        high = low
    if low is None and high is None:
        raise _malformed(key)
    return Range(key.path, key.vr, _end(key, low), _end(key, high), options.timezone if key.vr == "DT" else None)


def _end(key: MatchKey, text: str | None) -> str | None:
    """Return one end of a range without the dots of old dates and the colons of old times."""
    if text is None:
        return None
    read = {"DA": date_time.date, "TM": date_time.time, "DT": date_time.date_time}[key.vr](text)
    if read is None:
        raise _malformed(key)
    return text.replace(".", "") if key.vr == "DA" else text.replace(":", "")


def _malformed(key: MatchKey) -> BadRequest:
    form, examples = {
        "DA": ("date (YYYYMMDD)", "20220928, 20220901-20220930, 20220901- or -20220930"),
        "TM": ("time (HHMMSS.FFFFFF or its beginning)", "2230, 0800-1159, 0800- or -1159"),
        "DT": ("date-time (YYYYMMDDHHMMSS.FFFFFF&ZZXX or its beginning)", "20220928 or 202209280800-202209281159"),
    }[key.vr]
    return BadRequest(f"The value of {key.name} is no {form}, nor a range of them, such as {examples}.")


def _glue(date: Range, time: Range) -> tuple[str | None, str | None] | None:
    if (date.low is None and time.low is not None) or (date.high is None and time.high is not None):
        return None
    if time.low == time.high and date.low != date.high:
        return None
    low = None if date.low is None else date.low + (time.low or "")
    high = None if date.high is None else date.high + (time.high or "")
    return low, high
