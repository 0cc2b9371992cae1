"""Dates, times and date-times by their meaning (PS3.5 §6.2: DA, TM, DT), as half-open intervals of integers.

A value of less than full precision names all of its unit: TM ``2230`` is the minute [22:30, 22:31). Days are
ordinals (1 is 1 January of year 1), all else microseconds. Malformed text is None, never an error.
"""

from __future__ import annotations

import calendar
import datetime
import re
from typing import TypeAlias

Interval: TypeAlias = tuple[int, int]
"""First moment, and first moment behind, in microseconds."""

DAY = 86_400_000_000
_HOUR, _MINUTE, _SECOND = 3_600_000_000, 60_000_000, 1_000_000

_DA = re.compile(r"(\d{4})(\d{2})(\d{2})|(\d{4})\.(\d{2})\.(\d{2})", re.ASCII)  # dots: ACR-NEMA, PS3.5 Table 6.2-1
_TM = re.compile(r"(\d{2})(?:(:?)(\d{2})(?:\2(\d{2})(?:\.(\d{1,6}))?)?)?", re.ASCII)
_DT = re.compile(r"(\d{4})(?:(\d{2})(?:(\d{2})(\d[\d.]*)?)?)?([+-]\d{4})?", re.ASCII)
_ZONE = re.compile(r"([+-])(\d{2})(\d{2})", re.ASCII)


def date(text: str) -> Interval | None:
    """Return the day that a DA value names, counted in microseconds from the day before year 1."""
    match = _DA.fullmatch(text.strip(" "))
    if match is None:
        return None
    year, month, day = (match[1], match[2], match[3]) if match[1] else (match[4], match[5], match[6])
    try:
        start = datetime.date(int(year), int(month), int(day)).toordinal() * DAY
    except ValueError:
        return None
    return start, start + DAY


def time(text: str) -> Interval | None:
    """Return the part of a day that a TM value names. A leap second is the last second of its minute."""
    match = _TM.fullmatch(text.strip(" "))
    if match is None:
        return None
    hour, _, minute, second, fraction = match.groups()
    if hour > "23" or (minute or "") > "59" or (second or "") > "60":
        return None
    start, unit = int(hour) * _HOUR, _HOUR
    if minute is not None:
        start, unit = start + int(minute) * _MINUTE, _MINUTE
    if second is not None:
        start, unit = start + min(int(second), 59) * _SECOND, _SECOND
    if fraction is not None:
        start, unit = start + int(fraction.ljust(6, "0")), 10 ** (6 - len(fraction))
    return start, start + unit


def zone(text: str | None) -> int | None:
    """Return an offset from UTC such as ``-0330`` in microseconds; None when there is none or it is out of range."""
    match = _ZONE.fullmatch((text or "").strip(" "))
    if match is None or match[3] > "59":
        return None
    offset = int(match[2]) * _HOUR + int(match[3]) * _MINUTE
    if match[1] == "-":
        offset = -offset
    return offset if -12 * _HOUR <= offset <= 14 * _HOUR else None


def date_time(text: str) -> tuple[Interval, int | None] | None:
    """Return what a DT value names, in its local time, and its own offset from UTC (None: it has none)."""
    match = _DT.fullmatch(text.strip(" "))
    if match is None:
        return None
    year, month, day, clock, suffix = match.groups()
    offset = None
    if suffix is not None:
        offset = zone(suffix)
        if offset is None:
            return None
    try:
        first = datetime.date(int(year), int(month or 1), int(day or 1)).toordinal()
    except ValueError:
        return None
    if clock is not None:
        within = time(clock)
        return None if within is None else ((first * DAY + within[0], first * DAY + within[1]), offset)
    if day is not None:
        days = 1
    elif month is not None:
        days = calendar.monthrange(int(year), int(month))[1]
    else:
        days = 366 if calendar.isleap(int(year)) else 365
    return (first * DAY, (first + days) * DAY), offset
